"""The slates of stills, sheets and spoken lines, made of that of a shot or of the key of a person or place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from storyreel.specs.language.speech import MOST_LINES

PictureKind = Literal["still", "last still", "sheet"]

_SUFFIXES: dict[PictureKind, str] = {"still": "still", "last still": "last-still", "sheet": "sheet"}
LineKind = Literal["dialogue", "narration"]

_LINES: dict[LineKind, str] = {"dialogue": "line", "narration": "narration"}
_SIGN = "@"
"""The sign in the slates of pictures and lines; an author's slate never has it."""
_OF_SHOT = re.compile(rf"(still|last-still|({'|'.join(_LINES.values())})-[1-9][0-9]*)$")
"""What follows the sign in the slates of what is made for a shot."""


def picture_slate(of: str, kind: PictureKind) -> str:
    """The slate of a picture: `1A@still`, `mira@sheet`."""
    return f"{of}{_SIGN}{_SUFFIXES[kind]}"


def line_slate(of: str, kind: LineKind, number: int) -> str:
    """The slate of a spoken line of a shot, numbered from 1 among those of its kind: `1A@line-1`, `1A@narration-1`."""
    return f"{of}{_SIGN}{_LINES[kind]}-{number}"


def owner_of(slate: str) -> str:
    """The slate of the shot that a still or a line is of, the key that a sheet is of; of a shot its own slate."""
    return slate.partition(_SIGN)[0]


def is_line(slate: str) -> bool:
    """Whether a slate is that of a spoken line."""
    return slate.partition(_SIGN)[2].startswith(tuple(f"{word}-" for word in _LINES.values()))


def shot_of(slate: str) -> str:
    """The slate of the shot that a still or a line belongs to, whose money is the shot's; of anything else its own."""
    owner, _, part = slate.partition(_SIGN)
    return owner if not part or _OF_SHOT.match(part) else slate


def slates_of(shot: str) -> Iterator[str]:
    """The slates of a shot and of all that may be made for it: its stills and its lines."""
    yield from (shot, picture_slate(shot, "still"), picture_slate(shot, "last still"))
    for kind in _LINES:
        yield from (line_slate(shot, kind, number) for number in range(1, MOST_LINES + 1))
