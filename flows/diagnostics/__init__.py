"""`storyreel doctor`: what is set up here, what can be reached, and whether the clip store is whole."""
