"""Bring one clip into house format: exact frames, keyframes where it is cut, picture and sound in separate files."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from math import ceil
from pathlib import Path
from typing import NamedTuple, Self

import ffmpeg
from ffmpeg.nodes import FilterableStream, OutputStream

from storyreel.specs.cut import EditPoints
from storyreel.specs.timing import SAMPLE_RATE
from storyreel.tasks.join import draft_mark
from storyreel.tasks.join.label_mark import LabelMark
from storyreel.tasks.join.pieces import PicturePiece, SharedPieces, find_or_make
from storyreel.tasks.join.recording import LaidSound
from storyreel.tasks.join.sound.clips import ClipSound
from storyreel.tasks.media.decoder import opened, picture_of, sound_of, tolerant
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.grading.grade import Grading, graded
from storyreel.tasks.media.house_format import Grade, HouseFormat, house_signature
from storyreel.tasks.media.pcm import RAW_OUTPUT, house_sound, samples_in
from storyreel.tasks.media.probe import Probe, keyframes, probe
from storyreel.tasks.media.shape.framing import BARS, Framing
from storyreel.tasks.progress import Progress
from storyreel.tasks.settings import ENCODER
from storyreel.tasks.storage.clips import cache_key
from storyreel.tasks.storage.digests import file_digest

_VERSION = 2
"""Part of the cache key; increased when the output changes and the options do not show it."""

_DECLICK = Fraction(1, 100)
"""Seconds of fade where sound begins or ends beside held frames."""


class HouseClip(PicturePiece):
    """The part of a take that the cut uses, in house format: `edit.total` frames of picture, and its sound."""

    sound: Path | None
    """Raw samples, see `media.pcm`: the length of the frames, rounded up. None without sound, or if it is not used."""
    sound_digest: str | None
    """SHA-256, in hex."""
    untouched: bool
    """Whether the picture is the file of the take itself."""

    @property
    def raw_sound(self) -> ClipSound | None:
        """The sound and its digest; None without sound."""
        return ClipSound(self.sound, self.sound_digest) if self.sound and self.sound_digest else None

    @property
    def files(self) -> dict[Path, str]:
        """Every file of the clip and its SHA-256, in hex."""
        sound = {self.sound: self.sound_digest} if self.sound and self.sound_digest else {}
        return {self.picture: self.picture_digest, **sound}

    @property
    def made_files(self) -> tuple[Path, ...]:
        """The files that were made for the clip, without the take itself."""
        return tuple(path for path in self.files if not (self.untouched and path == self.picture))

    def in_folder(self, folder: Path, take: Path | None) -> Self:
        """The clip with its files in a folder. The picture of an untouched clip is the take itself."""
        sound = folder / self.sound if self.sound else None
        picture = take.absolute() if self.untouched and take else folder / self.picture
        return self.model_copy(update={"picture": picture, "sound": sound})


class Conforming(NamedTuple):
    """Everything that is done to a take on its way into house format."""

    edit: EditPoints
    house: HouseFormat
    keep_sound: bool = True
    """Whether its own sound is used."""
    accept: str | None = None
    """The signature with which a take is not encoded if it is in house format and used whole, without a transition;
    None for any. All pictures of a film must have one signature."""
    laid: LaidSound | None = None
    """The recordings that are its sound, whatever `keep_sound` says."""
    grading: Grading | None = None
    framing: Framing = BARS
    """For a take whose shape is not the house's."""
    label: LabelMark | None = None
    is_draft: bool = False
    """Whether the mark of a draft is put on it."""

    @property
    def changes_picture(self) -> bool:
        """Whether also a picture in house format is changed."""
        return self.is_draft or self.grading is not None or self.label is not None


def conform_key(clip_digest: str, how: Conforming, ffmpeg_version: str, conversion: tuple[object, ...] = ()) -> str:
    """Cache key: SHA-256, in hex, of everything that the output of `conform_clip` depends on; `conversion` is that of
    the clip's `Colour`."""
    return cache_key(
        "conform",
        _VERSION,
        clip_digest,
        how.edit._asdict(),
        *how.house.facts,
        how.keep_sound,
        ffmpeg_version,
        how.accept,
        *([how.laid.facts] if how.laid else []),
        *(("draft", draft_mark.VERSION) if how.is_draft else ()),
        *([how.grading.facts] if how.grading else []),
        *([how.framing.facts] if how.framing.facts else []),
        *conversion,
        *([how.label.facts] if how.label else []),
    )


async def conform_clip(
    clip: Path,
    how: Conforming,
    *,
    into: Path,
    progress: Progress | None = None,
    shared: SharedPieces | None = None,
    facts: Callable[[Path], Probe] = probe,
) -> HouseClip:
    """The house clip in the folder `into`, copied from the ones that hosts share, or made from the take `clip`.

    `facts` gives the facts about the take. Raises MediaError.
    """
    make = partial(_make, clip, how, progress, facts)
    return await find_or_make(HouseClip, into, make, take=clip, shared=shared)


def needs_no_encoding(source: Probe, edit: EditPoints, house: HouseFormat) -> bool:
    """Whether a clip needs no encoding: all of it is used, between cuts, and it matches the house format."""
    return edit == EditPoints(first=0, frames=source.frames) and house.matches(source)


async def _make(
    take: Path, how: Conforming, progress: Progress | None, facts: Callable[[Path], Probe], folder: Path
) -> HouseClip:
    source = await asyncio.to_thread(facts, take)
    clip, house = source.path, how.house
    edit = how.edit.within(source.frames_at(house.rate))
    fits = not how.changes_picture and needs_no_encoding(source, edit, house)
    untouched = fits and how.accept in (None, source.signature)
    picture, sound = folder / f"picture{house.suffix}", folder / "sound.s16"
    taken = opened(source)
    outputs: list[OutputStream] = []
    tables, drawn = folder / "tables", folder / "drawn"
    steps = await asyncio.to_thread(how.grading.prepared, tables) if how.grading else ()
    if not untouched:
        grade = partial(graded, steps=steps) if steps else None
        shown = _shown(picture_of(source, taken), source, edit, house, grade, how.framing)
        if how.label:
            drawn.mkdir()
            shown = await asyncio.to_thread(how.label.over, shown, house, drawn)
        if how.is_draft:
            shown = draft_mark.with_draft_mark(shown, house)
        outputs.append(_picture(shown, edit, house, picture))
    heard: FilterableStream | None = None
    if how.laid:
        heard = _with_fades(await asyncio.to_thread(how.laid.samples, edit, house.rate), edit, house)
    elif how.keep_sound and source.has_sound:
        heard = _sound(sound_of(source, taken), source, edit, house)
    if heard:
        outputs.append(ffmpeg.output(heard, str(sound), **RAW_OUTPUT))
    if outputs:
        seconds = house.rate.seconds(edit.total)
        await run(tolerant(ffmpeg.merge_outputs(*outputs)), frames=edit.total, seconds=seconds, progress=progress)
    for made in (tables, drawn):
        await asyncio.to_thread(shutil.rmtree, made, ignore_errors=not made.exists())
    if how.laid:
        await asyncio.to_thread(how.laid.check)
    result = source if untouched else await asyncio.to_thread(probe, picture)
    if not untouched:
        await _verify_picture(result, edit, house)
    has_sound = sound.exists()
    if has_sound:
        _verify_sound(sound, clip, edit, house)
    return HouseClip(
        picture=Path(clip.name if untouched else picture.name),
        picture_digest=await asyncio.to_thread(file_digest, result.path),
        frames=edit.total,
        delay=result.delay,
        signature=result.signature,
        sound=Path(sound.name) if has_sound else None,
        sound_digest=await asyncio.to_thread(file_digest, sound) if has_sound else None,
        untouched=untouched,
    )


def _shown(
    picture: FilterableStream, source: Probe, edit: EditPoints, house: HouseFormat, grade: Grade | None,
    framing: Framing,
) -> FilterableStream:  # fmt: skip
    """The used frames, graded and framed, with held edges and fades."""
    end = edit.first + edit.frames
    # A clip may end early, and of one whose rate is converted the last frame may be rounded away: the last is held.
    picture = house.converted(picture, source, grade, framing).filter("tpad", stop=-1, stop_mode="clone")
    picture = picture.filter("trim", start_frame=edit.first, end_frame=end).filter("setpts", "PTS-STARTPTS")
    if edit.hold_head or edit.hold_tail:
        picture = picture.filter(
            "tpad", start=edit.hold_head, start_mode="clone", stop=edit.hold_tail, stop_mode="clone"
        )
    if edit.fade_in:
        picture = picture.filter("fade", t="in", start_frame=0, nb_frames=edit.fade_in)
    if edit.fade_out:
        # ffmpeg does not darken the start frame. One frame earlier, the last frame is black.
        picture = picture.filter("fade", t="out", start_frame=edit.total - edit.fade_out - 1, nb_frames=edit.fade_out)
    return picture


def _picture(picture: FilterableStream, edit: EditPoints, house: HouseFormat, into: Path) -> OutputStream:
    """A file of the picture, with keyframes at both ends of the body."""
    ends = _ends(edit)
    # Half a frame early, as times are rounded: ffmpeg takes the first frame at or after the time.
    times = ",".join(f"{float((frame - Fraction(1, 2)) / house.rate.exact):.6f}" for frame in ends)
    forced = {"force_key_frames": times} if ends else {}
    return ffmpeg.output(picture, str(into), **house.picture_options(), **forced, **{"frames:v": edit.total})


def _ends(edit: EditPoints) -> list[int]:
    """The frames at which a conformed clip is cut, where a dissolve ends or begins."""
    return [frame for frame in edit.body if 0 < frame < edit.total]


def _sound(sound: FilterableStream, source: Probe, edit: EditPoints, house: HouseFormat) -> FilterableStream:
    """The sound of the used frames, exact to the sample; silence where the picture is held."""
    at = house.rate.sample_at
    first, last = at(edit.first), at(edit.first + edit.frames)
    lead = at(edit.hold_head)
    sound = (
        house_sound(sound, source.channels)
        .filter("atrim", start_sample=first, end_sample=last)
        .filter("asetpts", "PTS-STARTPTS")
    )
    if edit.hold_head:
        fade = min(_fade(edit.join_in - edit.hold_head, house), last - first)
        sound = sound.filter("afade", t="in", ss=0, ns=fade).filter("adelay", f"{lead}S", all=1)
    if edit.hold_tail:
        fade = min(_fade(edit.join_out - edit.hold_tail, house), last - first)
        sound = sound.filter("afade", t="out", ss=lead + last - first - fade, ns=fade)
    return _with_fades(sound, edit, house)


def _with_fades(sound: FilterableStream, edit: EditPoints, house: HouseFormat) -> FilterableStream:
    """The sound of a conformed clip, as long as that, with the fades of its picture."""
    at, length = house.rate.sample_at, samples_of(edit.total, house)
    if edit.fade_in:
        sound = sound.filter("afade", t="in", ss=0, ns=at(edit.fade_in))
    if edit.fade_out:
        sound = sound.filter("afade", t="out", ss=length - at(edit.fade_out), ns=at(edit.fade_out))
    return sound.filter("apad", whole_len=length).filter("atrim", end_sample=length)


def _fade(frames: int, house: HouseFormat) -> int:
    """Samples of fade beside a held edge: the sound under the dissolve, at least `_DECLICK`."""
    return max(house.rate.sample_at(max(0, frames)), int(_DECLICK * SAMPLE_RATE))


def samples_of(frames: int, house: HouseFormat) -> int:
    """The number of samples in this many frames, rounded up, so that it is enough anywhere in the film."""
    return ceil(frames * SAMPLE_RATE / house.rate.exact)


async def _verify_picture(result: Probe, edit: EditPoints, house: HouseFormat) -> None:
    if result.frames != edit.total:
        raise MediaError(
            f"a conformed clip has {result.frames} frames instead of {edit.total}: not all of its take can be decoded",
            hint="generate or download the take again",
        )
    if result.signature != await house_signature(house):
        raise MediaError("ffmpeg encoded a clip differently from the others of the film", next="storyreel doctor")
    missing = set(_ends(edit)) - await asyncio.to_thread(keyframes, result.path) if _ends(edit) else ()
    if missing:
        raise MediaError(
            f"{house.encoder_used} has written no keyframe where a clip is cut, at frame {min(missing)}",
            hint=f"unset {ENCODER}",
            next="storyreel doctor",
        )


def _verify_sound(sound: Path, clip: Path, edit: EditPoints, house: HouseFormat) -> None:
    planned, present = samples_of(edit.total, house), samples_in(sound)
    if planned != present:
        raise MediaError(
            f"the sound of {clip} has {present} samples instead of {planned}",
            hint="generate or download the take again, or write native_audio: drop",
        )
