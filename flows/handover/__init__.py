"""Hands a film over to an editor: its cut as a timeline, in the forms that editing programs read.

`timeline` is what all of them say; `otio`, `edl` and `fcpxml` write it; `export` finds the takes and copies media.
"""
