"""In what order: plan, render, report, and the command line."""
