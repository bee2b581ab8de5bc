"""The slates of stills and sheets, made of that of a shot or of the key of a person or place."""

from __future__ import annotations

from typing import Literal

PictureKind = Literal["still", "last still", "sheet"]

_SUFFIXES: dict[PictureKind, str] = {"still": "still", "last still": "last-still", "sheet": "sheet"}
_PICTURE = "@"
"""The sign in the slates of pictures; an author's slate never has it."""


def picture_slate(of: str, kind: PictureKind) -> str:
    """The slate of a picture: `1A@still`, `mira@sheet`."""
    return f"{of}{_PICTURE}{_SUFFIXES[kind]}"


def owner_of(slate: str) -> str:
    """The slate of the shot that a still is of, the key that a sheet is of; of a shot its own slate."""
    return slate.partition(_PICTURE)[0]


def shot_of(slate: str) -> str:
    """The slate of the shot that a still belongs to, whose money is the shot's; of anything else its own slate."""
    return owner_of(slate) if slate in slates_of(owner_of(slate)) else slate


def slates_of(shot: str) -> tuple[str, ...]:
    """The slates of a shot and of its stills."""
    return shot, picture_slate(shot, "still"), picture_slate(shot, "last still")
