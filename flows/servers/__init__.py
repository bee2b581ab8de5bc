"""Which Prefect server a run reports to: a named one, one that answers on this machine, a server of the run's own, or
one that stays in the background.
"""
