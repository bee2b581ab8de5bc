"""Orders: what a create asks for, and what was accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from storyreel.testing.wire import HttpRequest

SIZES: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "480p": {"16:9": (832, 480), "9:16": (480, 832), "1:1": (624, 624), "4:3": (720, 544), "3:4": (544, 720)},
    "720p": {"16:9": (1280, 720), "9:16": (720, 1280), "1:1": (960, 960), "4:3": (1104, 832), "3:4": (832, 1104)},
    "1080p": {
        "16:9": (1920, 1080),
        "9:16": (1080, 1920),
        "1:1": (1440, 1440),
        "4:3": (1648, 1248),
        "3:4": (1248, 1648),
    },
}
"""Pixels of a clip by resolution and aspect ratio, from Model Studio's video API reference; 4:3 and 3:4 at 480p are
reckoned."""

MOST_INPUT_SECONDS = 5
"""Reference video is billed for no more than this, all files together (Model Studio's model pricing)."""


@dataclass(frozen=True)
class Order:
    """The parameters of a create, with defaults filled in."""

    model: str
    prompt: str
    """As the model gets it."""
    seconds: int
    """0 of a picture."""
    resolution: str
    """480p, 720p or 1080p."""
    ratio: str
    width: int
    height: int
    input_seconds: int = 0
    """Seconds of reference video that are billed."""
    voice: str = ""
    """The voice; empty for anything but speech."""

    @property
    def is_picture(self) -> bool:
        """Whether a picture was ordered, and neither a clip nor speech."""
        return self.seconds == 0 and not self.voice

    @property
    def billed_seconds(self) -> int:
        """Input and output together."""
        return self.seconds + self.input_seconds


@dataclass(frozen=True)
class Sale:
    """An accepted create."""

    task: str
    order: Order
    body: Mapping[str, Any]
    """As it was sent."""
    request: HttpRequest

    @property
    def at(self) -> float:
        """Seconds since 1970."""
        return self.request.at


@dataclass(frozen=True)
class Refused:
    """A request that got a status from 400 on, and was no planned fault."""

    request: HttpRequest
    status: int
    body: bytes


def nearest_ratio(width: int, height: int) -> str:
    """The aspect ratio whose shape is nearest to a picture's."""
    shapes = SIZES["720p"]
    return min(shapes, key=lambda ratio: abs(shapes[ratio][0] / shapes[ratio][1] - width / height))


def ordered(
    *,
    model: str,
    prompt: str,
    seconds: int,
    resolution: str,
    ratio: str,
    with_video: bool = False,
    input_seconds: int | None = None,
) -> Order:
    """An order, with the pixels that its clip will have; `input_seconds` if they are not those of Wan 2.7."""
    width, height = SIZES[resolution.lower()][ratio]
    billed = MOST_INPUT_SECONDS if with_video else 0
    billed = billed if input_seconds is None else input_seconds
    return Order(model, prompt, seconds, resolution.lower(), ratio, width, height, billed)
