"""The work on takes and films. At the door are four modules with Prefect tasks: `generate`, `conform`, `dissolve` and
`assemble`. The modules and rooms behind them import no Prefect, except `result_cache`. Imports `specs`.
"""
