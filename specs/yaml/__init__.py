"""From the text of a YAML file to a tree of values with their places: syntax, variables, and edits of the text in
place. Knows nothing of films; imports `problems` and `language`.
"""
