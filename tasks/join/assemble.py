"""House clips into the sequence: bodies and dissolves one after the other, one sound track, one file."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from storyreel.specs.cut import Cut
from storyreel.specs.frozen import Frozen
from storyreel.specs.timing import FrameRate
from storyreel.tasks.clips import file_digest
from storyreel.tasks.files import replacing, sync
from storyreel.tasks.join.conform import HouseClip
from storyreel.tasks.join.dissolve import DissolveClip
from storyreel.tasks.join.mix import Track, mix
from storyreel.tasks.join.mux import Chapter, GrowingFile, PictureRange, mux
from storyreel.tasks.join.sound_track import write_sound_track
from storyreel.tasks.join.verify_master import verify_master
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.ffmpeg import Progress, in_thread
from storyreel.tasks.media.house_format import HouseFormat


class FilmFile(Frozen):
    """The finished sequence."""

    path: Path
    digest: str
    """SHA-256, in hex."""
    frames: int
    rate: FrameRate
    seconds: Fraction
    """Exact: frames over rate."""
    samples: int
    """Of its sound, at 48 kHz, as a player hears them."""


async def assemble_film(
    cut: Cut,
    clips: Sequence[HouseClip],
    dissolves: Mapping[str, DissolveClip],
    house: HouseFormat,
    out: Path,
    *,
    title: str,
    music: Sequence[Track] = (),
    spoken: Collection[str] = (),
    chapters: Sequence[Chapter] = (),
    progress: Progress | None = None,
) -> FilmFile:
    """Join conformed clips, one an event and in the cut's order, into the file `out`.

    `dissolves` are named by the shot that they lead into; `spoken` are the shots with dialogue, where music that
    ducks gives way. The same input makes the same bytes. The film is verified before it is moved into place: on
    MediaError, or when cancelled, `out` is what it was before.
    """
    planned = list(picture_ranges(cut, clips, dissolves))
    delay = _delay_of_all(clips, dissolves.values())
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out, durable=True) as film:
        laid, sound = film.with_name("clips.s16"), film.with_name("sound.nut")
        await in_thread(lambda tell: write_sound_track(cut, [clip.sound for clip in clips], laid, tell))
        speech = [(event.start, event.end) for event in cut.events if event.shot in spoken]
        heard = GrowingFile(sound)

        async def encode() -> None:
            try:
                await mix(laid, music, speech, cut.rate, sound)
            finally:
                heard.finish()

        def copy(tell: Progress) -> None:
            mux(planned, delay, heard, house, film, title=title, chapters=chapters, progress=tell)

        await _together(encode(), in_thread(copy, progress))
        samples, digest, _ = await asyncio.gather(
            in_thread(lambda _: verify_master(film, cut.frames, house)),
            in_thread(lambda _: file_digest(film)),
            in_thread(lambda _: sync(film)),
        )
    if progress:
        progress(1.0)
    return FilmFile(path=out, digest=digest, frames=cut.frames, rate=cut.rate,
                    seconds=cut.rate.seconds(cut.frames), samples=samples)  # fmt: skip


def picture_ranges(
    cut: Cut, clips: Sequence[HouseClip], dissolves: Mapping[str, DissolveClip]
) -> Iterator[PictureRange]:
    """Which frames of which file stand where in the film. Raises MediaError when something does not fit the cut."""
    if len(clips) != len(cut.events):
        raise MediaError(f"the cut has {len(cut.events)} shots, there are clips of {len(clips)}", "render again")
    for event, clip in zip(cut.events, clips, strict=True):
        if clip.frames != event.with_handles:
            raise MediaError(
                f"the clip of shot {event.shot} has {clip.frames} frames, the cut needs {event.with_handles}",
                "it was conformed for another cut: render again",
            )
        if event.dissolve_in:
            segment = dissolves.get(event.shot)
            if segment is None or segment.frames != event.dissolve_in:
                raise MediaError(f"the dissolve into shot {event.shot} is missing or too long", "render again")
            yield PictureRange(segment.picture, 0, segment.frames, event.start - event.head)
        first, last = event.dissolve_in, clip.frames - event.dissolve_out
        if first < last:
            yield PictureRange(clip.picture, first, last, event.start - event.head + first)


def _delay_of_all(clips: Sequence[HouseClip], dissolves: Collection[DissolveClip]) -> int:
    """The greatest delay of all pieces; MediaError unless their packets can follow each other in one track."""
    pieces = [*clips, *dissolves]
    unlike = next((piece for piece in pieces if piece.signature != pieces[0].signature), None)
    if unlike:
        raise MediaError(
            f"{unlike.picture} and {pieces[0].picture} are encoded differently and cannot stand in one track",
            "conform all clips of a film for the same signature",
        )
    return max(piece.delay for piece in pieces)


async def _together(*work: Coroutine[Any, Any, None]) -> None:
    """Do all at once; where one fails the others are ended, and its error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
