"""The error of pictures, sound and ffmpeg."""

from __future__ import annotations

from storyreel.specs.errors import StoryreelError


class MediaError(StoryreelError):
    """A media file cannot be used, or ffmpeg failed."""
