"""The work on takes and films. Five modules hold the Prefect tasks: `generate`, `conform`, `dissolve`,
`overlay` and `assemble`. The other modules and rooms do not import Prefect, except `result_cache`. Imports `specs`.
"""
