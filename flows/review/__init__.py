"""Review: which shots wait for approval, and how a person gives verdicts, at the terminal or in Prefect.

In come a `Planner`, or the takes of a run; out go verdicts for the ledger, forms for suspended runs, and
`ReviewNeeded` or `NotApproved`. `suspend` stops a deployed run until it is answered, `resume` lets runs continue after
verdicts were given elsewhere, `suspended` finds those that wait. Imports `planning`, `production`, `servers` and
Prefect.
"""
