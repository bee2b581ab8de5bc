"""The sound of a film whose samples are in memory."""

from __future__ import annotations

import hashlib

from storyreel.tasks.join.sound.graph import Form
from storyreel.tasks.media.pcm import BYTES_A_SAMPLE


class RawSamples:
    """Raw samples, known by their content."""

    form: Form = "s16"

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.length = len(content) // BYTES_A_SAMPLE

    def digest(self, start: int, end: int) -> str:
        return hashlib.sha256(self.read(start, end)).hexdigest()

    def read(self, start: int, end: int) -> bytes:
        return self.content[start * BYTES_A_SAMPLE : end * BYTES_A_SAMPLE]
