"""A run on Prefect's pages: states of task runs, the board and other artifacts, events; people who are told of them.

Takes reports of stages and a finished `Rendering`; gives nothing back, and never makes a run fail. `notifications` sets
up who is told on which of the `occasions`. Imports planning, production, lifecycle and servers.
"""
