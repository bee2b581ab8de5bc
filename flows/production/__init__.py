"""Makes the film of a plan: takes as Prefect tasks, the sequence, the report, the delivery, and an orderly end.

Takes a `Plan` and an open `Studio`; gives a `Rendering`. Imports planning, lifecycle, servers and the tasks.
"""
