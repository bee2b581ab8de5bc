"""Films and shots that are made of a storyboard before it is planned: its draft, its stills and its sheets.

Imports `storyboard`, `validation`, `problems` and `language`.
"""
