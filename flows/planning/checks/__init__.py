"""Checks of a plan before anything is bought: its budgets, the files that its film names, and what to warn of.

A plan or a storyboard comes in. An error ends the run, a warning is shown. Imports `specs`, `tasks` and `model`.
"""
