"""YAML files as trees of values with positions: reads them, fills in variables, and edits a shot in place.

Knows nothing of the models of a storyboard; imports `problems` and `language.values`.
"""
