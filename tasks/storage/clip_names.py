"""The names of clips and pictures in the store and its bucket: by the digest of their content, and by their kind."""

from __future__ import annotations

from pathlib import Path

from storyreel.specs.file_kind import HEAD, JPEG, PNG, WEBP, file_kind

_CLIP = ".mp4"
_PICTURES = (PNG.suffix, JPEG.suffix, WEBP.suffix)
_PICTURE_FOLDER = "pictures"
"""Below the store's root; beside a clip lie pictures that were made of it, with the same suffixes."""


def is_picture(path: Path) -> bool:
    """Whether a file of the store is a picture, by its name."""
    return path.suffix in _PICTURES


def suffix_of(file: Path) -> str:
    """The suffix that a file gets in the store, by its content: that of a clip unless it is a picture."""
    with file.open("rb") as opened:
        kind = file_kind(opened.read(HEAD))
    return kind.suffix if kind and kind.suffix in _PICTURES else _CLIP


def stored_name(digest: str, suffix: str = _CLIP) -> str:
    """The path of a clip or picture below the store's root and in the bucket."""
    name = f"{digest[:2]}/{digest}{suffix}"
    return name if suffix == _CLIP else f"{_PICTURE_FOLDER}/{name}"


def possible_names(digest: str) -> tuple[str, ...]:
    """All names that the content with this digest can have; that of a clip, of which there are most, is the first."""
    return stored_name(digest), *(stored_name(digest, suffix) for suffix in _PICTURES)


def stored_files(root: Path) -> list[Path]:
    """The files of all clips and pictures in a store, in a fixed order."""
    prefixed = "[0-9a-f][0-9a-f]/*"
    found = [root.glob(f"{prefixed}{_CLIP}")]
    found += (root.glob(f"{_PICTURE_FOLDER}/{prefixed}{suffix}") for suffix in _PICTURES)
    return sorted(file for files in found for file in files)
