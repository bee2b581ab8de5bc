"""A run on Prefect's pages: states of task runs, the board and other artifacts, events.

Takes reports of stages and a finished `Rendering`; gives nothing back, and never makes a run fail. Imports planning,
production and servers.
"""
