"""`storyreel doctor`: checks of this machine, of the clip store, and of what can be reached over the network.

Reads the environment, the ledger, the clips and what the Prefect server has. Changes nothing, except that places at
services that no run holds are released. May import services, servers and production.
"""
