"""Registers films with Prefect: as deployments that the workers of a pool run, or served by this process.

In: `FilmOptions`, what was named on the command line or in a file of deployments, and a `DeploymentRequest`, what that
comes to with what is deployed already, with a plan that the user has agreed to. Out: deployments, service limits and
automations on a Prefect server, and `Deployed`, which describes them; or a `prefect.yaml`. May import the flows,
planning, production, lifecycle and servers. Every module but `environment` imports Prefect.
"""
