"""What goes wrong with a picture, a sound or ffmpeg."""

from __future__ import annotations


class MediaError(Exception):
    """A file or ffmpeg did not do what was asked. `message` says what and where, `hint` what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message, self.hint = message, hint
        super().__init__(message, hint)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message
