"""The work on takes and films. Four modules hold the Prefect tasks: `generate`, `conform`, `dissolve` and `assemble`.
The other modules and rooms do not import Prefect, except `result_cache`. Imports `specs`.
"""
