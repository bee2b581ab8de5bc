"""The order of the work: plan, agree, make the takes, join them, report; by the command line or as Prefect flows.

`render` and `scene` are the flows; the rooms are listed in flows/README.md. Imports tasks and specs.
"""
