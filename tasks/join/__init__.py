"""From clips to the sequence: conform, dissolve, assemble, and their steps: sound, mux, check of the master.

Clips, the cut and the house format come in; pieces in the house cache and the finished file go out. The Prefect tasks
of the same names call it. Imports `media`, `clips`, `bucket`, `files` and `specs`.
"""
