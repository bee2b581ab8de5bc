"""The command line: options, the plan on the screen and the question whether to buy, progress, tables. One module a
command or family; each reads its arguments, calls a room below and prints what it gives.
"""
