"""Subtitles as tracks of an MP4, which a player shows or hides: timed text of 3GPP TS 26.245 (`tx3g`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from av.container import OutputContainer
from av.packet import Packet
from av.subtitles.stream import SubtitleStream

from storyreel.tasks.media.house_format import HouseFormat

_STYLE = """\
[Script Info]
ScriptType: v4.00+
PlayResX: 384
PlayResY: 288

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
"""The style from which the encoder makes the description of a track: white, at the foot. It is ffmpeg's own default, so
that a text that is extracted again has no marks of another font."""


_OF_QUICKTIME = {
    "bod": "tib", "cym": "wel", "deu": "ger", "ell": "gre", "eus": "baq", "fas": "iri", "hrv": "hr ", "hye": "arm",
    "isl": "ice", "kat": "geo", "mkd": "mac", "msa": "may", "mya": "bur", "nld": "dut", "sqi": "alb", "srp": "sr ",
    "swe": "sve", "zho": "chi",
}  # fmt: skip
"""The MOV muxer's names for languages that it knows by a number and not by their codes (ffmpeg 9.0.2's isom.c). Under
another name the track has no language."""


class TimedLines(NamedTuple):
    """A text over the frames `[first, end)` of the film; its lines are parted by line feeds."""

    first: int
    end: int
    text: str


class TextTrack(NamedTuple):
    """The subtitles of a film in one language, in the order of the film, no two at the same time.

    Of several, players take the first for the default.
    """

    language: str
    """Its code of ISO 639-2/T."""
    name: str
    """As players list it; empty for none."""
    texts: tuple[TimedLines, ...]


def add_tracks(film: OutputContainer, tracks: Sequence[TextTrack], house: HouseFormat) -> list[SubtitleStream]:
    """Add a stream for each track."""
    streams = []
    for track in tracks:
        stream = film.add_stream("mov_text")
        stream.codec_context.subtitle_header = _STYLE.encode()
        stream.codec_context.time_base = stream.time_base = Fraction(1, house.timescale)
        stream.metadata["language"] = track_language(track.language, house)
        if track.name:
            stream.metadata["title"] = stream.metadata["handler_name"] = track.name
        streams.append(stream)
    return streams


def track_language(code: str, house: HouseFormat) -> str:
    """The language of a track, a code of ISO 639-2/T, as the muxer of the film's container knows it."""
    return _OF_QUICKTIME.get(code, code) if house.suffix == ".mov" else code


def text_packets(
    tracks: Sequence[TextTrack], streams: Sequence[SubtitleStream], frames: int, house: HouseFormat
) -> Iterator[tuple[Packet[Any], int]]:
    """The packets of all tracks in the order of their times, each with its time in ticks.

    What is between two texts is an empty one, so that each track is without gaps from the first frame to the last.
    """
    samples = [
        (sample.first, number, sample) for number, track in enumerate(tracks) for sample in _samples(track, frames)
    ]
    for first, number, sample in sorted(samples):
        text = sample.text.encode()
        packet: Packet[Any] = Packet(len(text).to_bytes(2, "big") + text)
        packet.stream, packet.time_base = streams[number], Fraction(1, house.timescale)
        packet.pts = packet.dts = first * house.frame_ticks
        packet.duration = (sample.end - first) * house.frame_ticks
        yield packet, first * house.frame_ticks


def index_size(tracks: Sequence[TextTrack], frames: int) -> int:
    """Bytes that the tracks take in the index of the film, at most: see `mux`."""
    named = sum(2 * len(track.name.encode()) + 2_000 for track in tracks)
    return named + 44 * sum(1 for track in tracks for _ in _samples(track, frames))


def _samples(track: TextTrack, frames: int) -> Iterator[TimedLines]:
    at = 0
    for text in track.texts:
        if at < text.first:
            yield TimedLines(at, text.first, "")
        yield text
        at = text.end
    if at < frames:
        yield TimedLines(at, frames, "")
