"""The wire to a service: one client with its limits, the reading of responses, downloads, and how local files travel.
Imports `providers` and `bucket`.
"""
