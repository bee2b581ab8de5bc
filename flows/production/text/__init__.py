"""The words of a film at work: laid over its clips, and its subtitles as files and tracks.

Takes that are made and a plan come in. Imports `planning`, and of this room the takes.
"""
