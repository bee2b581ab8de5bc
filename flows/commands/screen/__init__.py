"""The terminal of the commands: tables, progress, and the questions that they ask before money is spent."""
