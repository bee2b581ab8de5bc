"""Early ends of runs, and what continues them: cancellation, hand-over, lost runs.

Takes signals and Prefect's record of a run; gives the state a run ends in, and the automations that schedule lost runs
again. Imports servers.
"""
