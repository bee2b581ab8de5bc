"""The embedded service: it draws a shot as a timed board with slate, timecode and dialogue, on this machine, free.

A request with its board comes in; a clip in house format with guide sound goes out, or a still for the shot that
continues it. `service` is the provider, `page` lays out a frame, `film` makes the clip. Imports `media`, `providers`.
"""
