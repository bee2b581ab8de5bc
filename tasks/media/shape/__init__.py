"""The shape of a picture: turned upright, and brought into a frame of another ratio.

Sizes, ratios and the pictures of an ffmpeg graph come in; filters go out. Imports `colour` of media and `specs`.
"""
