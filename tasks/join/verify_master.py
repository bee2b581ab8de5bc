"""Verify that a finished film is what was planned, by reading the file itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from storyreel.specs.language.finishing.codecs import Codec
from storyreel.specs.timing import SAMPLE_RATE
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.media.pcm import AAC_FRAME
from storyreel.tasks.media.probe import open_clip, picture_stream

_CODECS: Mapping[Codec, str] = {
    "h264": "h264", "h265": "hevc", "av1": "av1", "prores-422-hq": "prores", "dnxhr-hq": "dnxhd",
}  # fmt: skip
"""ffmpeg's names of the codecs."""


def verify_master(film: Path, frames: int, house: HouseFormat) -> int:
    """The number of samples that a player plays. Counts all packets, and decodes the first and the last frame.

    Raises MediaError unless the film has `frames` frames of the house's size, each exactly one frame after the one
    before, in the codec that is asked for, and its sound ends within a frame of its picture.
    """
    with open_clip(film) as file:
        picture = picture_stream(file, film)
        sound = file.streams.audio[0]
        if (size := (picture.width, picture.height)) != (house.width, house.height):
            _fail(f"its picture has {size[0]}×{size[1]} pixels instead of {house.width}×{house.height}")
        found = picture.codec_context.codec.canonical_name, picture.pix_fmt
        # Of a film in the usual encoding, takes that fit are copied, whatever encoded them.
        if not house.is_usual and found != (wanted := (_CODECS[house.codec], house.pixels)):
            _fail(f"its picture is {' in '.join(map(str, found))} instead of {' in '.join(wanted)}")
        if sound.codec_context.name != house.sound_codec:
            _fail(f"its sound is encoded as {sound.codec_context.name} instead of {house.sound_codec}")
        times, samples = _count(file, picture, sound)
        if len(times) != frames:
            _fail(f"it has {len(times)} frames instead of {frames}")
        assert picture.time_base is not None
        step = 1 / (house.rate.exact * picture.time_base)
        wrong = next((n for n, pts in enumerate(sorted(times)) if pts != n * step), None)
        if wrong is not None:
            _fail(f"frame {wrong} is not exactly one frame after frame {wrong - 1}")
        if abs(samples - house.rate.sample_at(frames)) * house.rate.exact > SAMPLE_RATE:
            _fail(f"its sound has {samples} samples, its picture lasts {house.rate.sample_at(frames)}")
        picture.thread_type = "AUTO"
        _decode(file, picture, "first", 0)
        _decode(file, picture, "last", max(times))
    return samples


def _count(file: InputContainer, picture: VideoStream, sound: AudioStream) -> tuple[list[int], int]:
    """Presentation times of all frames, and the number of samples that a player plays.

    Players drop the priming before time 0, and samples of the last packet beyond its duration.
    """
    times: list[int] = []
    samples = 0
    for packet in file.demux(picture, sound):
        if packet.pts is None or not packet.size:
            continue
        if packet.stream.index == picture.index:
            times.append(packet.pts)
        else:
            samples = max(samples, packet.pts + (packet.duration or AAC_FRAME))
    return times, samples


def _decode(file: InputContainer, picture: VideoStream, which: str, pts: int) -> None:
    try:
        file.seek(pts, stream=picture, backward=True)
        if any(frame.pts == pts and not frame.is_corrupt for frame in file.decode(picture)):
            return
    except FFmpegError as error:
        _fail(f"its {which} frame cannot be decoded: {error.strerror}")
    _fail(f"its {which} frame cannot be decoded")


def _fail(why: str) -> NoReturn:
    raise MediaError(
        f"the film is not what was planned and was discarded: {why}", hint="render again; report it if it happens again"
    )
