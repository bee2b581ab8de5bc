"""What Prefect's pages show of a run: states of tasks, the board, artifacts, events. It only observes."""
