"""The service that draws: timed boards with slate, timecode and dialogue, made on this machine. Imports `media`."""
