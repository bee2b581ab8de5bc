"""YAML files as trees of values with positions: reads them, fills in variables, and edits a shot in place.

Does not use the models of a storyboard; imports `problems` and `language.values`.
"""
