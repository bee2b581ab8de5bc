"""Registers films with Prefect: as deployments that the workers of a pool run, or served by this process.

In: a `DeploymentRequest` with a plan that the user has agreed to, and Prefect schedules. Out: deployments, service
limits and automations on a Prefect server, and `Deployed`, which describes them. May import the flows, planning,
production, lifecycle and servers. Every module but `environment` imports Prefect.
"""
