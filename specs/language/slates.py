"""The slates of what is made for a shot: its stills, its spoken lines, and its takes in the shapes of deliverables; of
sheets, made of the key of a person or place."""

from __future__ import annotations

import re
from typing import Literal

PictureKind = Literal["still", "last still", "sheet"]

_SUFFIXES: dict[PictureKind, str] = {"still": "still", "last still": "last-still", "sheet": "sheet"}
LineKind = Literal["dialogue", "narration"]

_LINES: dict[LineKind, str] = {"dialogue": "line", "narration": "narration"}
_SIGN = "@"
"""The sign in all slates but those of shots; an author's slate never has it."""
_IN_SHAPE = "."
"""The sign between a deliverable and the picture, in the slate of a still in its shape; no name of either has it."""
_TAKEN = re.compile(rf"({'|'.join(_SUFFIXES.values())}|({'|'.join(_LINES.values())})-[0-9]+)$")
"""The part after the sign in the slates of pictures and lines."""


def picture_slate(of: str, kind: PictureKind) -> str:
    """The slate of a picture: `1A@still`, `mira@sheet`."""
    return f"{of}{_SIGN}{_SUFFIXES[kind]}"


def line_slate(of: str, kind: LineKind, number: int) -> str:
    """The slate of a spoken line of a shot, numbered from 1 among those of its kind: `1A@line-1`, `1A@narration-1`."""
    return f"{of}{_SIGN}{_LINES[kind]}-{number}"


def slate_in(deliverable: str, slate: str) -> str:
    """The slate of a shot, or of its still, in the shape of a deliverable: `1A@web`, `1A@web.still`."""
    owner, _, part = slate.partition(_SIGN)
    return f"{owner}{_SIGN}{deliverable}{_IN_SHAPE if part else ''}{part}"


def deliverable_of(slate: str) -> str:
    """The deliverable in whose shape a shot or its still is made; empty for what the film itself is made of."""
    part = slate.partition(_SIGN)[2]
    return "" if is_taken(part) else part.partition(_IN_SHAPE)[0]


def is_taken(name: str) -> bool:
    """Whether no deliverable can have a name, as slates of pictures or lines would have it: `still`, `line-1`."""
    return _TAKEN.match(name) is not None


def owner_of(slate: str) -> str:
    """The slate of the shot that something is made for, the key that a sheet is of; of a shot its own slate."""
    return slate.partition(_SIGN)[0]


def is_shot(slate: str) -> bool:
    """Whether a slate is that of a shot, in the film or in the shape of a deliverable."""
    part = slate.partition(_SIGN)[2]
    return not (is_taken(part) or _IN_SHAPE in part)


def is_line(slate: str) -> bool:
    """Whether a slate is that of a spoken line."""
    part = slate.partition(_SIGN)[2]
    return is_taken(part) and part.startswith(tuple(f"{word}-" for word in _LINES.values()))


def shot_of(slate: str) -> str:
    """The slate of the shot whose money a take is: all that is made for a shot is the shot's; of a sheet its own."""
    return slate if slate == sheet_slate(owner_of(slate)) else owner_of(slate)


def sheet_slate(of: str) -> str:
    """The slate of a sheet, which belongs to no shot, though one may be called as the person or place is."""
    return picture_slate(of, "sheet")


def made_for(shot: str) -> str:
    """The common beginning of the slates of everything that is made for a shot, but for `sheet_slate`."""
    return f"{shot}{_SIGN}"
