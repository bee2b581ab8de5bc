"""The commands for deployments: `deploy`, `serve`, and `notify`, which tells people of their runs."""
