"""Hands a film over to an editor and back: its cut as a timeline, in the forms that editing programs read and write.

`timeline` is what all of them say; `otio`, `edl` and `fcpxml` write it; `export` finds the takes and `collect`
copies media.
`edited` is a cut that comes back, which the readers make; `changes` compares it, `take_over` writes the storyboard.
"""
