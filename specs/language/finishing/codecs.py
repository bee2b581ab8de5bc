"""The encodings that a film's picture can have, as they are written."""

from __future__ import annotations

from typing import Literal

Codec = Literal["h264", "h265", "av1", "prores-422-hq", "dnxhr-hq"]

Quality = Literal["draft", "standard", "high"]
"""The likeness of an encoded picture to what was encoded; the film's is `high`."""

INTERMEDIATE: frozenset[Codec] = frozenset({"prores-422-hq", "dnxhr-hq"})
"""Codecs for further work, which have one quality: MOV files with sound that is not compressed."""
