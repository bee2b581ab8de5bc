"""The storyboard language: reads a file into a checked `Storyboard`, builds its cut, and edits its text.

`reading.read` is the way in, `cut.build_cut` the next step. Imports no Prefect, no service and no media library.
"""
