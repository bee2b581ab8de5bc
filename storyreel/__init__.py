"""Turns a storyboard in YAML into a film, as a Prefect flow."""
