"""Examines clips: is the file intact, is it what was ordered, are there faults in picture or sound?

A clip and its request come in, an `Inspection` with findings goes out. The clip is decoded and measured once. Imports
`media`, `providers` and `specs`.
"""
