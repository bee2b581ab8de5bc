"""The work: one verb a module."""
