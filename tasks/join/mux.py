"""Write the film as MP4 or MOV: the packets of the pieces of picture and of sound one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet

from storyreel.specs.language.tongues import language_code
from storyreel.specs.timing import SAMPLE_RATE
from storyreel.tasks.join.text_tracks import TextTrack, add_tracks, index_size, text_packets, track_language
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.media.pcm import AAC_FRAME, BYTES_A_24_BIT_SAMPLE
from storyreel.tasks.media.probe import open_clip, picture_stream
from storyreel.tasks.progress import Progress

AnyPacket: TypeAlias = "Packet[Any]"

_AGAIN = "delete its folder in the house cache and render again"


_TAGS: Mapping[str, Mapping[str, str]] = {
    ".mp4": {"author": "artist"},
    ".mov": {"author": "artist", "description": "comment"},
}
"""The muxer's names for tags that players show under another name, by container (ffmpeg 9.0.2's movenc.c)."""


class PictureRange(NamedTuple):
    """Frames `[first, last)` of an encoded file, placed at frame `at` of the film. `first` is a keyframe."""

    file: Path
    first: int
    last: int
    at: int


class Chapter(NamedTuple):
    """A chapter mark, frames `[start, end)` of the film."""

    start: int
    end: int
    title: str


class FileMetadata(NamedTuple):
    """The metadata of a film's file."""

    title: str
    chapters: Sequence[Chapter] = ()
    tags: Mapping[str, str] = MappingProxyType({})
    """Those of the storyboard's `Metadata`."""


def mux(
    ranges: Sequence[PictureRange],
    delay: int,
    sound: Sequence[Path],
    house: HouseFormat,
    into: Path,
    *,
    metadata: FileMetadata,
    texts: Sequence[TextTrack] = (),
    progress: Progress,
) -> None:
    """Write the film. `delay` is the greatest of all pieces, in frames; `sound` are files of AAC in NUT or of raw
    samples of 24 bit, in order, and `texts` its subtitles.

    Packets keep their bytes and get new times, so that every step is exactly one frame. Raises MediaError if a piece
    lacks a keyframe or frames that the cut needs.
    """
    frames = ranges[-1].at + ranges[-1].last - ranges[-1].first
    samples = house.rate.sample_at(frames)
    options = {"fflags": "+bitexact", "video_track_timescale": str(house.timescale),
               "moov_size": str(_index_size(frames, samples, metadata) + index_size(texts, frames))}  # fmt: skip
    with open_clip(ranges[0].file) as pattern, _written(into, house, options) as film:
        # The decoder of AV1 has another name than the encoders, which PyAV would look for.
        opaque = True if house.codec == "av1" else None
        picture = film.add_stream_from_template(picture_stream(pattern, ranges[0].file), opaque)
        picture.time_base = Fraction(1, house.timescale)
        if house.codec == "h265":
            # Players of Apple know no `hev1`, which is the default.
            picture.codec_context.codec_tag = "hvc1"
        if house.suffix == ".mov":
            # Makes a track of timecode. Its first frame is that of an export; the muxer must know how it is counted.
            picture.codec_context.framerate = house.rate.exact
            picture.metadata["timecode"] = house.rate.timecode(0)
        track = _sound_track(film, sound[0], house)
        film.metadata["title"] = metadata.title
        for name, said in metadata.tags.items():
            if name == "language":
                track.metadata["language"] = track_language(language_code(said), house)
            else:
                film.metadata[_TAGS[house.suffix].get(name, name)] = said
        film.set_chapters([_chapter(number, chapter, house) for number, chapter in enumerate(metadata.chapters)])
        pictures = _pictures(ranges, delay, house, progress)
        sounds = _sounds if house.sound_codec == "aac" else _raw_sounds
        due = _Due(text_packets(texts, add_tracks(film, texts, house), frames, house), house.timescale)
        for packet, is_picture in _interleaved(pictures, sounds(sound, samples), house):
            packet.stream = picture if is_picture else track
            for text in due.before(packet):
                film.mux_one(text)
            film.mux_one(packet)


def _sound_track(film: OutputContainer, first: Path, house: HouseFormat) -> AudioStream:
    if house.sound_codec != "aac":
        return film.add_stream(house.sound_codec, rate=SAMPLE_RATE, layout="stereo")
    with _opened_sound(first) as encoded:
        return film.add_stream_from_template(encoded.streams.audio[0])


@contextmanager
def _opened_sound(file: Path) -> Iterator[InputContainer]:
    try:
        with av.open(str(file), "r", format="nut", options={"codec_whitelist": "none"}) as encoded:
            yield encoded
    except FFmpegError as error:
        raise MediaError(f"{file} cannot be read: {error.strerror}", hint=_AGAIN) from error


@contextmanager
def _written(into: Path, house: HouseFormat, options: dict[str, str]) -> Iterator[OutputContainer]:
    try:
        with av.open(str(into), "w", format=house.suffix[1:], options=options) as film:
            yield film
    except FFmpegError as error:
        raise MediaError(
            f"{into} cannot be written: {error.strerror}", hint="check the free space on the disk"
        ) from error


def _pictures(
    ranges: Sequence[PictureRange], delay: int, house: HouseFormat, progress: Progress
) -> Iterator[tuple[AnyPacket, int]]:
    """All packets of the picture in decoding order with the film's times, each with its decoding time in ticks."""
    tick, step = Fraction(1, house.timescale), house.frame_ticks
    when = -delay * step
    for number, part in enumerate(ranges):
        progress(number / len(ranges))
        for packet, frame in _packets(part, house):
            packet.time_base = tick
            packet.pts, packet.dts, packet.duration = frame * step, when, step
            yield packet, when
            when += step


def _packets(part: PictureRange, house: HouseFormat) -> Iterator[tuple[AnyPacket, int]]:
    """The packets of one range in decoding order, each with its frame number in the film."""
    found = 0
    with open_clip(part.file, to_decode=False) as clip:
        stream = picture_stream(clip, part.file)
        assert stream.time_base is not None
        # A frame lasts `ticks / parts` ticks of the clip: 1001, or 512, or 100/3.
        ticks, parts = (1 / (house.rate.exact * stream.time_base)).as_integer_ratio()
        origin = stream.start_time or 0
        for packet in clip.demux(stream):
            if packet.pts is None:
                continue
            frame = ((packet.pts - origin) * 2 * parts + ticks) // (2 * ticks)
            if not part.first <= frame < part.last:
                if found:
                    break
                continue
            if not found and (frame != part.first or not packet.is_keyframe):
                raise MediaError(f"{part.file} cannot be cut at frame {part.first}", hint=_AGAIN)
            found += 1
            yield packet, part.at + frame - part.first
    if found != part.last - part.first:
        raise MediaError(
            f"{part.file} has {found} frames from {part.first} on instead of {part.last - part.first}", hint=_AGAIN
        )


def _sounds(files: Sequence[Path], samples: int) -> Iterator[tuple[AnyPacket, int]]:
    """All packets of the sound up to the end of the film, each with its time in samples; the priming is before 0."""
    tick, when = Fraction(1, SAMPLE_RATE), -AAC_FRAME
    for file in files:
        with _opened_sound(file) as encoded:
            for packet in encoded.demux(encoded.streams.audio[0]):
                if packet.size and when < samples:
                    packet.time_base = tick
                    packet.pts = packet.dts = when
                    packet.duration = min(AAC_FRAME, samples - when)
                    yield packet, when
                    when += AAC_FRAME


def _raw_sounds(files: Sequence[Path], samples: int) -> Iterator[tuple[AnyPacket, int]]:
    """The same of raw samples, as many in a packet as in one of AAC."""
    when = 0
    for file in files:
        with file.open("rb") as raw:
            while (left := samples - when) > 0:
                content = raw.read(min(AAC_FRAME, left) * BYTES_A_24_BIT_SAMPLE)
                if not content:
                    break
                packet: AnyPacket = Packet(content)
                packet.time_base, packet.pts, packet.dts = Fraction(1, SAMPLE_RATE), when, when
                packet.duration = len(content) // BYTES_A_24_BIT_SAMPLE
                yield packet, when
                when += packet.duration


def _interleaved(
    pictures: Iterator[tuple[AnyPacket, int]], sounds: Iterator[tuple[AnyPacket, int]], house: HouseFormat
) -> Iterator[tuple[AnyPacket, bool]]:
    """All packets in the order of their decoding times, each with whether it is picture."""
    # Of two at the same time, the sound is first. Times are compared in ticks of both time bases.
    timescale, waiting = house.timescale, next(sounds, None)
    for picture, when in pictures:
        while waiting and waiting[1] * timescale <= when * SAMPLE_RATE:
            yield waiting[0], False
            waiting = next(sounds, None)
        yield picture, True
    while waiting:
        yield waiting[0], False
        waiting = next(sounds, None)


class _Due:
    """Packets of text, each given out before the first other packet that is not earlier.

    The muxer ends a text by itself where another stream goes on beyond what it knows of it.
    """

    def __init__(self, packets: Iterator[tuple[AnyPacket, int]], timescale: int) -> None:
        self._packets, self._timescale = packets, timescale
        self._next = next(packets, None)

    def before(self, packet: AnyPacket) -> Iterator[AnyPacket]:
        """The packets that are due before another packet."""
        when = (packet.dts or 0) * packet.time_base * self._timescale
        while self._next and self._next[1] <= when:
            yield self._next[0]
            self._next = next(self._packets, None)


def _index_size(frames: int, samples: int, metadata: FileMetadata) -> int:
    """Bytes reserved for the index at the front of the file, an upper bound; the rest becomes an empty box.

    With the index in front a film plays before it is loaded completely, and it need not be written twice. In the
    tables of ISO/IEC 14496-12 a packet takes at most 4 bytes in stsz, 8 in ctts, 8 in stts, 4 in stss, 8 in co64 and
    12 in stsc.
    """
    named = sum(len(chapter.title.encode()) + 400 for chapter in metadata.chapters)
    named += sum(len(text.encode()) + 100 for text in metadata.tags.values())
    return 44 * frames + 32 * (samples // AAC_FRAME) + named + 32_768


def _chapter(number: int, chapter: Chapter, house: HouseFormat) -> av.container.core.Chapter:
    return {
        "id": number,
        "start": chapter.start * house.frame_ticks,
        "end": chapter.end * house.frame_ticks,
        "time_base": Fraction(1, house.timescale),
        "metadata": {"title": chapter.title},
    }
