"""The encodings that a film can have, as they are written."""

from __future__ import annotations

from typing import Literal

Codec = Literal["h264", "h265", "av1", "prores-422-hq", "dnxhr-hq"]

Quality = Literal["draft", "standard", "high"]
"""How much of the picture an encoding keeps; `high` is that of the film."""

INTERMEDIATE: frozenset[Codec] = frozenset({"prores-422-hq", "dnxhr-hq"})
"""Encodings to go on working with: each frame for itself, in MOV with PCM. They have a bit rate of their own."""
