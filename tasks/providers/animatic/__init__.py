"""The embedded service: it draws a shot as a timed board with slate, timecode and dialogue, on this machine, free.

A request with its board comes in; a clip in house format with guide sound goes out, a still or a sheet, or the picture
that a shot which continues it begins with. `service` is the provider, `page` lays out a frame, `film` makes the clip,
`still` a picture. Imports `media`, `providers`.
"""
