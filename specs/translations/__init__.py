"""The translations of what is said in a film: the file beside its storyboard (`file`), what it lacks (`status`),
and how it is written and written again (`extract`). Imports `derived`, `yaml` and what these import.
"""
