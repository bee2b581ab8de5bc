"""Grades of shots: white balance, the formulas of corrections, colour tables in .cube files.

What the storyboard writes and the path of a table come in; filters of an ffmpeg graph go out. Imports `errors` of
media, `storage` and `specs`.
"""
