"""Registers a film with Prefect, as a deployment for the workers of a pool or served by this machine; its schedules."""
