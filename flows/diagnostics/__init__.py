"""`storyreel doctor`: checks of this machine, of the clip store, and of what can be reached over the network.

Reads the environment, the ledger and the clips, and changes nothing. May import services and servers.
"""
