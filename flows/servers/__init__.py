"""Which Prefect server a run reports to: the configured one, one that answers on this machine, or one of the run's own.

Takes Prefect's settings and the ports of this machine; gives an address. `background` keeps the server of `storyreel
ui` running; `prefect_internals` holds every private or undocumented name of Prefect that flows use. Imports no other
room of flows, only its errors and names.
"""
