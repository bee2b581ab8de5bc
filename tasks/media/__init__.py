"""Media files by ffmpeg and PyAV: run ffmpeg, probe a clip, read frames and stills, draw text, encode in house format.

Paths and ffmpeg-python graphs come in; files, pictures and facts about files go out. Imports `files`, `progress`,
`settings` and `specs`.
"""
