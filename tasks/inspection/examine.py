"""Examine a clip in one decode: it finds damage, and measures picture and sound. The result is kept beside the clip."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from pydantic import ConfigDict, ValidationError

from storyreel.specs.frozen import Frozen
from storyreel.tasks.inspection.detect import PictureBounds, Span, find_black, find_cuts, find_frozen
from storyreel.tasks.inspection.integrity import check_content, check_header
from storyreel.tasks.inspection.measure import THUMBNAIL, Loudness, Measurements, measure
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.frames import LAST_FRAME, STRIP, write_png, write_strip
from storyreel.tasks.media.probe import Probe, probe
from storyreel.tasks.storage.clips import ClipStore

PICTURE_BOUNDS = PictureBounds()

_RECORD = ".json"
"""Suffix of the file beside a clip that holds its examination."""
_VERSION = 1
"""Increased when an examination changes and the bounds do not show it."""


class Examination(Frozen):
    """The findings of a clip that hold whatever it was ordered for."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    version: int = _VERSION
    bounds: PictureBounds = PICTURE_BOUNDS
    facts: Probe
    is_damaged: bool
    decoded: int
    """Frames that can be decoded."""
    black: tuple[Span, ...]
    frozen: tuple[Span, ...]
    cuts: tuple[float, ...]
    """Seconds after the first frame."""
    loudness: Loudness | None
    """None without sound, or with less than 100 ms of it."""
    opening: bytes
    """The pixels of `first_thumbnail`; empty if no frame can be decoded."""

    @property
    def first_thumbnail(self) -> Image.Image | None:
        """The first frame, of the size `THUMBNAIL`."""
        return Image.frombytes("RGB", THUMBNAIL, self.opening) if self.opening else None


class Examined(NamedTuple):
    """An examination and the pictures that came with it; None if not all frames can be decoded."""

    examination: Examination
    strip: Image.Image | None
    """First, middle and last frame."""
    last_frame: Image.Image | None

    def keep(self, digest: str, clips: ClipStore) -> None:
        """Write the examination and the pictures beside the clip with this digest. Raises no error."""
        strip, last = self.strip, self.last_frame
        if strip:
            clips.keep_beside(digest, STRIP, lambda into: write_strip(strip, into))
        if last:
            clips.keep_beside(digest, LAST_FRAME, lambda into: write_png(last, into))
        record = self.examination.model_dump_json()
        clips.keep_beside(digest, _RECORD, lambda into: into.write_text(record, encoding="utf-8"))


class NotMeasured(MediaError):
    """A clip is intact, but this machine could not measure it, as with a full disk for temporary files."""


async def examine(clip: Path, name: str) -> Examined:
    """Decode all of a clip. Raises MediaError, with `name` for the file: NotMeasured for an intact one, another one if
    it is cut short or damaged."""
    try:
        facts = await asyncio.to_thread(check_header, clip)
        try:
            measured = await measure(facts)
        except MediaError:
            await check_content(facts)
            measured = await _measure_intact(facts)  # A filter has failed.
    except MediaError as error:
        told = error.message.replace(str(clip), name)
        raise type(error)(told, hint=error.hint, next=error.next) from error
    return await asyncio.to_thread(_examined, facts, measured, is_damaged=False)


async def _measure_intact(facts: Probe) -> Measurements:
    try:
        return await measure(facts, is_whole=False)
    except MediaError as error:
        raise NotMeasured(error.message, hint=error.hint, next=error.next) from error


async def examine_damaged(clip: Path) -> Examined:
    """Examine a clip that `examine` has refused: the part that can be decoded is measured. Raises MediaError."""
    facts = await asyncio.to_thread(probe, clip)
    measured = await measure(facts, is_whole=False)
    # Where packets of a stream are missing, but all frames can be decoded, nothing is lost that could be seen.
    is_damaged = bool(facts.missing) or facts.lost_sound or measured.has_errors
    return await asyncio.to_thread(_examined, facts, measured, is_damaged=is_damaged)


async def examination_of(clip: Path, clips: ClipStore | None = None) -> Examination:
    """The examination of a clip: of one in a store from beside it, else made, and kept there. Raises MediaError."""
    if clips and (kept := await asyncio.to_thread(_kept, clip, clips)):
        return kept
    try:
        examined = await examine(clip, str(clip))
    except NotMeasured:
        raise
    except MediaError:
        examined = await examine_damaged(clip)
    if clips:
        await asyncio.to_thread(examined.keep, clip.stem, clips)
    return examined.examination


def facts_of(clip: Path) -> Probe:
    """Facts about a clip: of one that was examined on this host from beside it, else read anew. Raises MediaError."""
    kept = _recorded(clip.with_suffix(_RECORD))
    return kept.facts.model_copy(update={"path": clip.absolute()}) if kept else probe(clip)


def kept_facts(digest: str, clips: ClipStore) -> Probe | None:
    """Facts about a clip in a store, from beside it; None if it was not examined."""
    record = clips.beside(digest, _RECORD)
    kept = _recorded(record) if record else None
    return kept.facts if kept else None


def _kept(clip: Path, clips: ClipStore) -> Examination | None:
    record = clips.beside(clip.stem, _RECORD)
    found = _recorded(record) if record else None
    if found:
        clips.beside(clip.stem, STRIP)
    return found


def _recorded(record: Path) -> Examination | None:
    try:
        found = Examination.model_validate_json(record.read_bytes())
    except (OSError, ValidationError):
        return None
    return found if (found.version, found.bounds) == (_VERSION, PICTURE_BOUNDS) else None


def _examined(facts: Probe, measured: Measurements, *, is_damaged: bool) -> Examined:
    frames = measured.frames
    examination = Examination(
        facts=facts.model_copy(update={"path": Path(facts.path.name)}),
        is_damaged=is_damaged,
        decoded=len(frames),
        black=tuple(find_black(frames, PICTURE_BOUNDS)),
        frozen=tuple(find_frozen(frames, PICTURE_BOUNDS)),
        cuts=tuple(find_cuts(frames, PICTURE_BOUNDS)),
        loudness=measured.loudness,
        opening=frames[0].thumbnail.tobytes() if frames else b"",
    )
    return Examined(examination, measured.strip, measured.last_frame)
