"""The places at services that all runs share: limits in Prefect, the slots that takes hold, and those that were lost.

Services and takes come in; contexts that hold a slot go out. Imports `servers`, `planning` and `tasks`.
"""
