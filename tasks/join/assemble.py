"""Join house clips, dissolves, their sound and the music into the sequence: one file, verified."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import av
from pydantic import ValidationError

from storyreel.specs.cut import Cut, Event
from storyreel.specs.frozen import Frozen
from storyreel.specs.timing import FrameRate
from storyreel.tasks.credentials.sign import Signing
from storyreel.tasks.join.conform import HouseClip
from storyreel.tasks.join.dissolve import DissolveClip
from storyreel.tasks.join.mux import FileMetadata, PictureRange, mux
from storyreel.tasks.join.overlay import OverlaidClip, with_overlaid
from storyreel.tasks.join.pieces import HouseCache, PicturePiece, SharedPieces, SoundPiece
from storyreel.tasks.join.sound.film import encode_film_sound
from storyreel.tasks.join.sound.layers import PLAIN, FilmSound
from storyreel.tasks.join.sound.level import ReachedLevel
from storyreel.tasks.join.text_tracks import TextTrack
from storyreel.tasks.join.verify_master import verify_master
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.ffmpeg import in_thread
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.progress import Progress
from storyreel.tasks.storage.clips import cache_key
from storyreel.tasks.storage.digests import file_digest
from storyreel.tasks.storage.files import replacing, sync, write_whole
from storyreel.tasks.threads import in_threads

_VERSION = 1
"""Part of the record's key; increased when the film's bytes change and the pieces do not show it."""

_ENCODING = 0.5
"""The part of the progress that the sound takes."""


class Composition(NamedTuple):
    """Everything that a film is joined of."""

    cut: Cut
    house: HouseFormat
    clips: Sequence[HouseClip]
    """One for each event of the cut, in its order."""
    dissolves: Mapping[str, DissolveClip]
    """By the shot that each leads into."""
    metadata: FileMetadata
    overlaid: Mapping[int, OverlaidClip] = MappingProxyType({})
    """The pieces with words over them, by the frame of the film at which each begins."""
    sound: FilmSound = PLAIN
    """The music, ambience and level of the film, besides its clips."""
    texts: Sequence[TextTrack] = ()
    """The tracks of subtitles."""

    @property
    def pieces(self) -> list[PicturePiece]:
        """All pieces of picture."""
        return [*self.clips, *self.dissolves.values(), *self.overlaid.values()]


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
    """Length of the sound at 48 kHz, as a player plays it."""
    level: ReachedLevel | None = None
    """The level of the sound; None unless the storyboard asks for one."""
    signer: str = ""
    """The signer of its Content Credentials; empty if it has none."""


async def assemble_film(
    composition: Composition,
    out: Path,
    *,
    cache: HouseCache,
    signing: Signing | None = None,
    fetch: Callable[[int], object] | None = None,
    progress: Progress | None = None,
) -> FilmFile:
    """Join a film into the file `out`.

    `signing` are the Content Credentials that it gets. Encoded sound is found and stored in the house cache. Equal
    input gives equal bytes, but for the signature: if `out` has those of a film that was joined of the same pieces, it
    stays; one that is signed and was delivered, by any of the hosts that share pieces, is brought to `out` by `fetch`,
    if that is of so many bytes. Else the film is verified before it replaces `out`: on MediaError, CredentialsError or
    cancellation an `out` that was there is unchanged.
    """
    cut, house, clips = composition.cut, composition.house, composition.clips
    ranges = list(with_overlaid(list(picture_ranges(cut, clips, composition.dissolves)), composition.overlaid))
    delay = _common_delay(composition.pieces)
    sounds = [clip.raw_sound for clip in clips]
    heard = _part(progress, 0, _ENCODING)
    encoded, level = await encode_film_sound(
        cut, sounds, composition.sound, cache, codec=house.sound_codec, progress=heard
    )
    files = [piece.sound for piece in encoded]
    record = _record_file(cache, composition, encoded, ranges, signing)

    def copy(film: Path, report: Progress) -> None:
        metadata, texts = composition.metadata, composition.texts
        mux(ranges, delay, files, house, film, metadata=metadata, texts=texts, progress=report)
        if signing:
            # Beside the film, under its name: by its ending the library knows how to write into it.
            signed = film.parent / "signed" / film.name
            signed.parent.mkdir()
            signing.write(film, signed)
            signed.replace(film)

    shared, fetch = (cache.shared, fetch) if signing else (None, None)
    made = await asyncio.to_thread(_find, out, record, shared, fetch)
    if made is None:
        await asyncio.to_thread(out.parent.mkdir, parents=True, exist_ok=True)
        async with in_threads(replacing(out, durable=True)) as film:
            await in_thread(partial(copy, film), _part(progress, _ENCODING, 1))
            samples, digest, _ = await asyncio.gather(
                in_thread(lambda _: verify_master(film, cut.frames, house)),
                in_thread(lambda _: file_digest(film)),
                in_thread(lambda _: sync(film)),
            )
            size = await asyncio.to_thread(lambda: film.stat().st_size)
        made = _Made(digest=digest, samples=samples, size=size)
        await asyncio.to_thread(write_whole, record, made.model_dump_json())
        if shared:
            await asyncio.to_thread(shared.note, record.parent.name, record.name, made.model_dump_json())
    if progress:
        progress(1.0)
    return FilmFile(path=out, digest=made.digest, frames=cut.frames, rate=cut.rate,
                    seconds=cut.rate.seconds(cut.frames), samples=made.samples, level=level,
                    signer=signing.certificate.name if signing else "")  # fmt: skip


class _Made(Frozen):
    """The record of a film that was joined and verified."""

    digest: str
    samples: int
    size: int = 0
    """Bytes; 0 in records of earlier versions."""


def _record_file(
    cache: HouseCache, composition: Composition, sound: Sequence[SoundPiece], ranges: Sequence[PictureRange],
    signing: Signing | None,
) -> Path:  # fmt: skip
    """The place in the house cache of the record of a film, by everything that its bytes depend on."""
    digests = {piece.picture: (piece.picture_digest, piece.signature, piece.delay) for piece in composition.pieces}
    shown = [(digests[part.file], part.first, part.last, part.at) for part in ranges]
    heard = [piece.sound_digest for piece in sound]
    versions = av.__version__, av.library_versions["libavformat"]
    title, chapters, tags = composition.metadata
    key = cache_key(
        "film",
        _VERSION,
        versions,
        composition.house.as_json(),
        composition.cut.frames,
        shown,
        heard,
        title,
        chapters,
        *((composition.texts,) if composition.texts else ()),
        *(("tags", dict(tags)) if tags else ()),
        *((signing.identity,) if signing else ()),
        *(("timecode",) if composition.house.suffix == ".mov" else ()),
    )
    return cache.folder_of(key) / "film.json"


def _find(film: Path, record: Path, shared: SharedPieces | None, fetch: Callable[[int], object] | None) -> _Made | None:
    """The record, of this host or shared by another, if the film is what was made then, to the byte. Reads it; one that
    is not there is fetched before."""
    for text in _records(record, shared):
        with suppress(OSError, ValidationError):
            made = _Made.model_validate_json(text)
            if fetch and made.size and not film.exists():
                film.parent.mkdir(parents=True, exist_ok=True)
                fetch(made.size)
            if file_digest(film) == made.digest:
                return made
    return None


def _records(record: Path, shared: SharedPieces | None) -> Iterator[bytes]:
    with suppress(OSError):
        yield record.read_bytes()
    if shared and (found := shared.noted(record.parent.name, record.name)):
        yield found


def picture_ranges(
    cut: Cut, clips: Sequence[HouseClip], dissolves: Mapping[str, DissolveClip]
) -> Iterator[PictureRange]:
    """The frames of each file in the order of the film. Raises MediaError if they do not match the cut."""
    if len(clips) != len(cut.events):
        raise MediaError(f"the cut has {len(cut.events)} shots, but there are {len(clips)} clips", hint="render again")
    for event, clip in zip(cut.events, clips, strict=True):
        if clip.frames != event.with_handles:
            raise MediaError(
                f"the clip of shot {event.shot} has {clip.frames} frames, the cut needs {event.with_handles}",
                hint="it was conformed for another cut; render again",
            )
        if event.dissolve_in:
            segment = dissolves.get(event.shot)
            if segment is None or segment.frames != event.dissolve_in:
                raise MediaError(f"the dissolve into shot {event.shot} is missing or too long", hint="render again")
            yield range_of_dissolve(event, segment)
        if (body := range_of_body(event, clip)).first < body.last:
            yield body


def range_of_dissolve(event: Event, segment: DissolveClip) -> PictureRange:
    """The place in the film of the dissolve into a shot."""
    return PictureRange(segment.picture, 0, segment.frames, event.start - event.head)


def range_of_body(event: Event, clip: HouseClip) -> PictureRange:
    """The frames of a shot's clip that are part of no dissolve, and their place in the film."""
    first, last = event.dissolve_in, clip.frames - event.dissolve_out
    return PictureRange(clip.picture, first, last, event.start - event.head + first)


def _common_delay(pieces: Sequence[PicturePiece]) -> int:
    """The greatest delay of all pieces. Raises MediaError unless their packets can follow each other in one track."""
    different = next((piece for piece in pieces if piece.signature != pieces[0].signature), None)
    if different:
        raise MediaError(
            f"{different.picture} and {pieces[0].picture} are encoded differently and cannot be in one track",
            hint="conform all clips of a film to the same signature",
        )
    return max(piece.delay for piece in pieces)


def _part(progress: Progress | None, start: float, end: float) -> Progress | None:
    """Progress of a step, reported as a part of the whole."""
    return (lambda done: progress(start + (end - start) * done)) if progress else None
