"""The folder of a film, and the film that is in it: one of another storyboard is not replaced unasked."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from storyreel.flows.names import default_folder
from storyreel.flows.packs import is_pack, without_version
from storyreel.specs.errors import StoryreelError
from storyreel.specs.storyboard import is_remote
from storyreel.tasks.storage.bucket import Bucket, without_password

MANIFEST = "manifest.json"
_SUBTITLES = re.compile(r"sequence\.[A-Za-z0-9-]+\.(srt|vtt)")
DELIVERABLES = "deliverables"
"""The folder of the deliverables in that of the film."""
_DELIVERABLE = re.compile(rf"{DELIVERABLES}/[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9-]+)?\.(mp4|mov|srt|vtt)")
_LARGEST_MANIFEST = 64 << 20
"""Bytes."""


class FolderTaken(StoryreelError):
    """The folder for a film has the film of another storyboard in it."""


class FilmSource(NamedTuple):
    """The identity of the storyboard of a film. Not its content, which changes with every edit."""

    title: str
    place: str
    """The storyboard's absolute path, or its address without secrets; of a pack, that of all its versions."""
    is_draft: bool = False

    @classmethod
    def of(cls, storyboard: Path | str, title: str, file: str = "", *, is_draft: bool = False) -> FilmSource:
        """The source of a storyboard as given to a run; `file` is the path that it was read from."""
        given = str(storyboard)
        if is_pack(given):
            place = without_version(given, PurePosixPath(file or "storyboard.yaml").name)
        else:
            place = without_password(given) if is_remote(given) else str(Path(given).expanduser().resolve())
        return cls(title, place, is_draft)

    @property
    def stem(self) -> str:
        """The storyboard's name without its suffix."""
        return PurePosixPath(self.place).stem

    def is_same_as(self, other: FilmSource) -> bool:
        """Whether both are the same film, as far as can be known on this host.

        A storyboard that is no longer at its place was moved or renamed, if its name or its title stayed.
        """
        if self.place == other.place:
            return True
        has_name = PurePosixPath(self.place).name == PurePosixPath(other.place).name
        remote = [is_remote(self.place), is_remote(other.place)]
        if all(remote):
            return False
        # A deployed film, and the same rendered from its file.
        if any(remote):
            return has_name
        return not Path(other.place).exists() and (has_name or self.title == other.title)


def film_folder(out: Path | str | None, source: FilmSource, within: str = "") -> Path | str:
    """The folder or address for a film: `out`, else `renders/<title>`, or one with a suffix where that is taken.

    `within` is an address to use in place of `renders`. A draft has the folder `draft` in that of its film.

    Raises FolderTaken if `out` has the film of another storyboard in it, and BucketError.
    """
    folder = _folder_of_film(out, source, within)
    if source.is_draft:
        folder = _draft_in(folder)
    if out:
        check_folder(folder, source)
    return folder


def _folder_of_film(out: Path | str | None, source: FilmSource, within: str) -> Path | str:
    if out:
        return out
    plain = default_folder(source.title, source.stem)
    digest = hashlib.sha256(source.place.encode(errors="surrogateescape")).hexdigest()[:8]
    folders = [plain, default_folder(f"{plain.name} {source.stem}"), plain.with_name(f"{plain.name}-{digest}")]
    places: list[Path | str] = [f"{within}/{folder.name}" if within else folder for folder in folders]
    holders = [(place, _holder(place) or _holder(_draft_in(place))) for place in places]
    ours = (place for place, holder in holders if holder and holder.is_known and source.is_same_as(holder.source))
    free = (place for place, holder in holders if not holder)
    return next(ours, None) or next(free, None) or places[-1]


def _draft_in(folder: Path | str) -> Path | str:
    return f"{str(folder).rstrip('/')}/draft" if is_remote(str(folder)) else Path(folder) / "draft"


def check_folder(out: Path | str, source: FilmSource) -> None:
    """Return if the folder or address has no film of another storyboard in it. Raises FolderTaken and BucketError."""
    holder = _holder(out)
    if holder is None:
        return
    if holder.is_known and source.is_same_as(holder.source):
        if source.is_draft == holder.source.is_draft:
            return
        kinds = ("the film", "its draft") if source.is_draft else ("the draft of the film", "the film")
        hint = "name another folder with --out"
        raise FolderTaken(f"{_shown(out)} has {kinds[0]} in it, which {kinds[1]} would replace", hint=hint)
    if not holder.is_known:
        raise FolderTaken(
            f"{_shown(out)} has a {MANIFEST} in it that is of no film, and would be replaced",
            hint="name another folder with --out",
        )
    raise FolderTaken(
        f"{_shown(out)} has the film of another storyboard in it: {holder.source.title!r}, of {holder.source.place}",
        hint=f"name another folder with --out {shlex.quote(_shown(out).rstrip('/') + '-2')}, or move that film away",
    )


def subtitle_files(folder: Path | str) -> list[str]:
    """The names of the subtitles that the manifest of the film in a folder lists. Raises BucketError."""
    try:
        told: Any = json.loads(_manifest(folder) or b"{}")
        names = [track[ending] for track in told.get("subtitles", ()) for ending in ("srt", "vtt")]
        return [name for name in names if _SUBTITLES.fullmatch(name)]
    except (ValueError, KeyError, AttributeError, TypeError):
        return []


def deliverable_files(folder: Path | str) -> dict[str, list[str]]:
    """The files of the deliverables that the manifest of the film in a folder lists, by their names. Raises
    BucketError."""
    try:
        told: Any = json.loads(_manifest(folder) or b"{}")
        found = {
            str(each["name"]): [each["file"], *(f"{DELIVERABLES}/{name}" for name in each.get("subtitles", ()))]
            for each in told.get("deliverables", ())
        }
    except (ValueError, KeyError, AttributeError, TypeError):
        return {}
    return {name: [file for file in files if _DELIVERABLE.fullmatch(file)] for name, files in found.items()}


class _Holder(NamedTuple):
    """The film that is in a folder, by its manifest."""

    source: FilmSource
    is_known: bool


def _holder(folder: Path | str) -> _Holder | None:
    """The film that is in a folder; None if there is none, or its manifest cannot be read."""
    try:
        content = _manifest(folder)
    except OSError:
        return None
    if content is None:
        return None
    try:
        told: Any = json.loads(content)
        place = told.get("source") or told["storyboard"]
        if "source" not in told and not Path(place).is_absolute():
            return None  # written before films had a source
        source = FilmSource(str(told["title"]), str(place), is_draft=told.get("draft") is True)
        return _Holder(source, is_known=True)
    except (ValueError, KeyError, AttributeError, TypeError):
        return _Holder(FilmSource("", ""), is_known=False)


def _manifest(folder: Path | str) -> bytes | None:
    if is_remote(str(folder)):
        return Bucket(str(folder)).read(MANIFEST, _LARGEST_MANIFEST)
    file = Path(folder) / MANIFEST
    return file.read_bytes() if file.is_file() else None


def _shown(out: Path | str) -> str:
    return without_password(str(out)) if is_remote(str(out)) else str(out)
