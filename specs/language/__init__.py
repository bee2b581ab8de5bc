"""The types that a storyboard is made of: single values (`values`), the smaller models (`models`), shots, stills and
titles, as pydantic types that also give the JSON Schema. `storyboard` uses them; they import `money`, `timing`,
`frozen` and `problems`.
"""
