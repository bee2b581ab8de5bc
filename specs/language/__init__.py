"""The types that a storyboard is made of: single values (`values`), the smaller models (`models`), shots, stills,
titles, and in `finishing` those of the finished film, as pydantic types that also give the JSON Schema. `storyboard`
uses them; they import `money`, `timing`, `frozen` and `problems`.
"""
