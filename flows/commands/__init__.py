"""The command line `storyreel`: one module for each command or family, assembled in `main`.

A command reads its arguments, calls a room below and prints the result. May import every other room. Prefect, which
takes a second to import, is imported only while a command that needs it runs.
"""
