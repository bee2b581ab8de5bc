"""How a run ends before its time and what continues it: cancellation, hand-over, lost runs.

Takes signals and Prefect's record of a run; gives the state a run ends in, and the automations that schedule lost runs
again. Imports servers.
"""
