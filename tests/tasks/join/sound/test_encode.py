"""Sound that is encoded in pieces is the sound that is encoded as a whole, and only what changed is encoded again."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import av
import pytest

from storyreel.specs.cut import Cut, Event
from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.pieces import HouseCache, SharedPieces, SoundPiece
from storyreel.tasks.join.sound import encode as sound_pieces
from storyreel.tasks.join.sound.clips import ClipSound, ClipsSound
from storyreel.tasks.join.sound.encode import Stretch, encode_sound, stretches
from storyreel.tasks.media.pcm import AAC_FRAME, RAW_OUTPUT
from storyreel.tasks.progress import Progress
from storyreel.tasks.storage.bucket import Bucket
from tests.tasks.generated_clips import ffmpeg
from tests.tasks.raw_samples import RawSamples

SECONDS = 9
SIGNALS = {
    "a swept tone": "aevalsrc=0.4*sin(2*PI*(40*t+800*t*t))|0.4*sin(2*PI*(60*t+750*t*t)):s=48000:d=9",
    "noise": "anoisesrc=color=pink:amplitude=0.5:seed=1:r=48000:d=9",
    "tones that begin and end": "aevalsrc=0.3*sin(2*PI*440*t)*lt(mod(t\\,0.7)\\,0.5)|0.3*sin(2*PI*300*t):s=48000:d=9",
}


@pytest.fixture
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of 64 packets, so that a short film has many seams."""
    monkeypatch.setattr(sound_pieces, "_PACKETS", 64)


@pytest.fixture
def encodes(monkeypatch: pytest.MonkeyPatch) -> list[Stretch]:
    """The pieces that are encoded, as they are."""
    made: list[Stretch] = []
    encode = sound_pieces._encode

    def noted(samples: bytes, place: Stretch, into: Path, progress: Progress) -> None:
        made.append(place)
        encode(samples, place, into, progress)

    monkeypatch.setattr(sound_pieces, "_encode", noted)
    return made


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.usefixtures("short_pieces")
async def test_there_is_no_seam(tmp_path: Path, signal: str) -> None:
    """Around a seam the packets are those of a whole encode, and the error is not greater than elsewhere."""
    source = tmp_path / "source.s16"
    ffmpeg("-f", "lavfi", "-i", SIGNALS[signal], *chain(*((f"-{k}", str(v)) for k, v in RAW_OUTPUT.items())), source)
    sound = RawSamples(source.read_bytes())
    pieces = await encode_sound(sound, HouseCache(tmp_path / "cache"))
    packets = list(_packets(pieces))
    total = -(-sound.length // AAC_FRAME) + 1
    assert len(packets) == total and len(pieces) == -(-total // 64)
    everything = Stretch(0, sound.length, 0, total)
    sound_pieces._encode(sound.read(0, sound.length), everything, tmp_path / "whole.nut", lambda done: None)
    whole = [bytes(packet) for packet in _of(tmp_path / "whole.nut")]
    seams = range(64, total, 64)
    for seam in seams:
        assert packets[seam - 8 : seam + 8] == whole[seam - 8 : seam + 8]
    errors = _errors(array("h", sound.read(0, sound.length)), _decoded(tmp_path / "whole.nut", packets))
    at_seams = [errors[seam + near] for seam in seams for near in (-2, -1, 0)]
    assert _mean(at_seams) <= 1.1 * _mean(errors)


def _of(file: Path) -> Iterator[av.Packet]:
    with av.open(str(file)) as opened:
        yield from (packet for packet in opened.demux(audio=0) if packet.size)


def _packets(pieces: list[SoundPiece]) -> Iterator[bytes]:
    return (bytes(packet) for piece in pieces for packet in _of(piece.sound))


def _decoded(pattern: Path, packets: list[bytes]) -> array[float]:
    """The left channel, without the priming."""
    heard = array("f")
    with av.open(str(pattern)) as opened:
        decoder = opened.streams.audio[0].codec_context
        for packet in packets:
            for frame in decoder.decode(av.Packet(packet)):
                heard.frombytes(bytes(frame.planes[0])[: 4 * frame.samples])
    return heard[AAC_FRAME:]


def _errors(source: array[int], heard: array[float]) -> list[float]:
    """The mean square of the error of each packet's samples."""
    left = source[::2]
    return [
        sum((left[n] / 32_768 - heard[n]) ** 2 for n in range(start, start + AAC_FRAME)) / AAC_FRAME
        for start in range(0, len(left) - AAC_FRAME, AAC_FRAME)
    ]


def _mean(squares: list[float]) -> float:
    return math.sqrt(sum(squares) / len(squares))


def _film(folder: Path, *seeds: int) -> ClipsSound:
    """Shots of two seconds, each with a noise of its own, with dissolves between them."""
    events = [Event(str(n), 48 * n, 48, 6 if n else 0, 6 if n + 1 < len(seeds) else 0) for n in range(len(seeds))]
    cut = Cut(FrameRate.parse("24"), tuple(events))
    return ClipsSound(cut, [_noise(folder / f"{seed}.s16", seed) for seed in seeds])


def _noise(into: Path, seed: int) -> ClipSound:
    into.write_bytes(random.Random(seed).randbytes(4 * 2_000 * 60))
    return ClipSound(into, f"noise {seed}")


@pytest.mark.usefixtures("short_pieces")
async def test_only_pieces_in_which_a_changed_shot_is_heard_are_encoded_again(
    tmp_path: Path, encodes: list[Stretch]
) -> None:
    film, cache = _film(tmp_path, *range(8)), HouseCache(tmp_path / "cache")
    first = await encode_sound(film, cache)
    assert sorted(encodes) == list(stretches(film.length))
    encodes.clear()
    assert await encode_sound(film, cache) == first and not encodes
    changed = _film(tmp_path, 0, 1, 2, 99, 4, 5, 6, 7)
    second = await encode_sound(changed, cache)
    assert sorted(encodes) == [place for place in stretches(film.length) if 3 in film.clips(place.start, place.end)]
    assert [
        place for place, one, other in zip(stretches(film.length), first, second, strict=True) if one != other
    ] == sorted(encodes)
    assert 0 < len(encodes) < len(first) / 2


async def test_equal_pieces_are_encoded_once(tmp_path: Path, encodes: list[Stretch]) -> None:
    minute = Cut(FrameRate.parse("24"), (Event("1", 0, 24 * 60),))
    pieces = await encode_sound(ClipsSound(minute, [None]), HouseCache(tmp_path / "cache"))
    assert len(pieces) == 6 and len(encodes) == 3, "the first, the last and one for all between"


@pytest.mark.usefixtures("short_pieces")
async def test_sound_is_encoded_once_for_all_hosts(tmp_path: Path, bucket: str, encodes: list[Stretch]) -> None:
    one, other = (SharedPieces(Bucket(bucket + "house")) for _ in range(2))
    film = _film(tmp_path, 1, 2)
    first = await encode_sound(film, HouseCache(tmp_path / "one", one))
    encodes.clear()
    second = await encode_sound(film, HouseCache(tmp_path / "other", other))
    assert not encodes and [piece.sound_digest for piece in first] == [piece.sound_digest for piece in second]
    assert all(piece.sound.is_relative_to(tmp_path / "other") and piece.is_intact() for piece in second)


async def test_a_damaged_piece_is_encoded_again(tmp_path: Path, encodes: list[Stretch]) -> None:
    film, cache = _film(tmp_path, 1), HouseCache(tmp_path / "cache")
    first = await encode_sound(film, cache)
    first[0].sound.write_bytes(b"damaged")
    assert await encode_sound(film, cache) == first and len(encodes) == 2
    assert first[0].is_intact()


@pytest.mark.parametrize("samples", [1, 1023, 1024, 1025, 511 * 1024, 512 * 1024, 512 * 1024 + 1, 2_000_000])
def test_pieces_have_all_packets_of_a_film(samples: int) -> None:
    places = list(stretches(samples))
    assert sum(place.packets for place in places) == -(-samples // AAC_FRAME) + 1
    assert places[0].start == 0 and places[-1].end == samples
    assert all(0 <= place.start < place.end <= samples for place in places)
