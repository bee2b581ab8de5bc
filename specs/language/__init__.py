"""The vocabulary of a storyboard: single values (`values`) and their groups (`models`), as pydantic types that also
give the JSON Schema. Imports `problems`, `timing` and `money`; `storyboard` is made of it.
"""
