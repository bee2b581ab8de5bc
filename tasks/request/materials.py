"""The materials of requests: those that all of a film share, and the pictures, speech and takes for one shot."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.providers.request import Attachment
from storyreel.tasks.request.local_files import LocalFileChecks

FileDigest = Callable[[Path], str]
"""Returns the SHA-256, in hex, of a local file's content."""


class Materials(NamedTuple):
    """The storyboard, files and settings that all requests of a film are made of."""

    storyboard: Storyboard
    digest: FileDigest
    files: LocalFileChecks
    """Opens each local file once."""
    known: dict[Hashable, tuple[Attachment, ...]]
    """The references that were built before, by all that they depend on: shots that show the same share them."""
    has_bucket: bool = False
    """Whether the user has a bucket that services can download from."""
    font: Path | None = None
    """The user's own font for animatics."""

    @classmethod
    def of(
        cls, storyboard: Storyboard, digest: FileDigest, *, has_bucket: bool = False, font: Path | None = None
    ) -> Materials:
        """The materials of a film, with no file opened and no reference built yet."""
        return cls(storyboard, digest, LocalFileChecks(), {}, has_bucket, font)


class Upstream(NamedTuple):
    """The take that another one continues or edits."""

    key: str
    seconds: Fraction | None = None
    """Sold seconds of its clip; None if they are not known."""
    has_other_shape: bool = False
    """Whether its picture has another shape than what is made of it."""


class Pictures(NamedTuple):
    """The stills, sheets and speech that a shot is made of, pictures by the identities of their takes."""

    still: str = ""
    last_still: str = ""
    sheets: tuple[tuple[str, str], ...] = ()
    """With the keys of the cast members and the location that they show."""
    speech: tuple[Attachment, ...] = ()
    """The sound of its dialogue, in order, if a service speaks it."""


NO_PICTURES = Pictures()
