"""The vocabulary of a storyboard: single values (`words`) and their groups (`nouns`), as pydantic types that also
give the JSON Schema. Imports `problems`, `timing` and `money`; `storyboard` is made of it.
"""
