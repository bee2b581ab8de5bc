"""Text on pictures, in every script: what fonts have, which font each letter gets, order of writing, lines, layout.

Texts, sizes and font files come in; laid-out blocks, and the letters that no font has, go out.
Imports `errors` of media and `specs`.
"""
