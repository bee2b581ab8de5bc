"""The names of clips, pictures and speech in the store and its bucket: by the digest of their content, and by their
kind."""

from __future__ import annotations

from pathlib import Path

from storyreel.specs.file_kind import HEAD, JPEG, MP3, PNG, WAV, WEBP, file_kind

_CLIP = ".mp4"
_PICTURES = (PNG.suffix, JPEG.suffix, WEBP.suffix)
_SOUNDS = (WAV.suffix, MP3.suffix)
_FOLDERS = {**dict.fromkeys(_PICTURES, "pictures"), **dict.fromkeys(_SOUNDS, "speech")}
"""By suffix, below the store's root. Beside a clip lie pictures that were made of it, with the same suffixes."""


def is_picture(path: Path) -> bool:
    """Whether a file of the store is a picture, by its name."""
    return path.suffix in _PICTURES


def is_sound(path: Path) -> bool:
    """Whether a file of the store is speech, by its name."""
    return path.suffix in _SOUNDS


def suffix_of(file: Path) -> str:
    """The suffix that a file gets in the store, by its content: that of a clip unless it is a picture or a sound."""
    with file.open("rb") as opened:
        kind = file_kind(opened.read(HEAD))
    return kind.suffix if kind and kind.suffix in _FOLDERS else _CLIP


def stored_name(digest: str, suffix: str = _CLIP) -> str:
    """The path of a clip, picture or sound below the store's root and in the bucket."""
    name = f"{digest[:2]}/{digest}{suffix}"
    return f"{_FOLDERS[suffix]}/{name}" if suffix in _FOLDERS else name


def possible_names(digest: str) -> tuple[str, ...]:
    """All names that the content with this digest can have; that of a clip, of which there are most, is the first."""
    return stored_name(digest), *(stored_name(digest, suffix) for suffix in _FOLDERS)


def stored_files(root: Path) -> list[Path]:
    """The files of all clips, pictures and sounds in a store, in a fixed order."""
    prefixed = "[0-9a-f][0-9a-f]/*"
    found = [root.glob(f"{prefixed}{_CLIP}")]
    found += (root.glob(f"{folder}/{prefixed}{suffix}") for suffix, folder in _FOLDERS.items())
    return sorted(file for files in found for file in files)
