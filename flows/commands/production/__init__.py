"""The commands that make a film: `init`, `validate`, `plan`, `render` and `review`."""
