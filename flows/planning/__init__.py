"""Planning: from a storyboard to a plan that lists every take with its request, key, state, reason and price.

In comes a `RunRequest`; `Planner.of` reads the storyboard and the prices, and its plans read the ledger and the clip
store. Out goes a `Plan`, for commands to show, flows to carry out and `saved` to write to a file. Buys and makes
nothing. Imports `specs`, `tasks` and `flows.packs`, never Prefect.
"""
