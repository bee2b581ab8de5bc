"""The player: a small web server from which a browser plays films and takes, and the links that lead to it.

`links` gives signed addresses to runs and commands; `films` records finished films, so that the player finds them.
`application` answers requests: only for what a link of this home names, a clip by its digest or a film by its run,
never for a path. `running` starts and ends the player with `storyreel ui`, `serve` and `player`. Imports `servers` and
`tasks`, not Prefect.
"""
