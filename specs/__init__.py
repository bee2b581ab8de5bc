"""The storyboard language: reads a file into a checked `Storyboard`, builds its cut, and edits its text.

Begin with `reading.read`, then `cut.build_cut`. Imports no Prefect, no service and no media library.
"""
