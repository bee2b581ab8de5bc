"""The command line `storyreel`: one module for each command or family, assembled in `main`.

A command reads its arguments, calls a room below and prints the result. `exit_codes` prints errors, `consent` decides
whether money may be spent, and `reference` writes the page of commands. May import every other room; Prefect is
imported only while a command that needs it runs, as importing it takes a second.
"""
