"""Is a finished film what was planned? Asked of the file itself, before anybody gets to see it."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from storyreel.specs.timing import SAMPLE_RATE
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.media.pcm import AAC_FRAME
from storyreel.tasks.media.probe import open_clip, picture_stream


def verify_master(film: Path, frames: int, house: HouseFormat) -> int:
    """Count every packet and decode the first and last frames. Gives the samples that are heard.

    Pictures must be as many as planned and each exactly one frame after the one before; the sound must end within a
    frame of the picture. Raises MediaError, which says what is wrong instead.
    """
    with open_clip(film) as file:
        picture = picture_stream(file, film)
        sound = file.streams.audio[0]
        shown, heard = _counted(file, picture, sound)
        if len(shown) != frames:
            _refuse(f"it has {len(shown)} frames, planned are {frames}")
        assert picture.time_base is not None
        step = 1 / (house.rate.exact * picture.time_base)
        wrong = next((n for n, pts in enumerate(sorted(shown)) if pts != n * step), None)
        if wrong is not None:
            _refuse(f"frame {wrong} does not come one frame after frame {wrong - 1}")
        if abs(heard - house.rate.sample_at(frames)) * house.rate.exact > SAMPLE_RATE:
            _refuse(f"its sound has {heard} samples, its picture lasts {house.rate.sample_at(frames)}")
        picture.thread_type = "AUTO"
        _decode(file, picture, "first", 0)
        _decode(file, picture, "last", max(shown))
    return heard


def _counted(file: InputContainer, picture: VideoStream, sound: AudioStream) -> tuple[list[int], int]:
    """Display times of all pictures, and how many samples are heard.

    Players leave out the priming before time 0, and what the last packet holds beyond its duration.
    """
    shown: list[int] = []
    heard = 0
    for packet in file.demux(picture, sound):
        if packet.pts is None or not packet.size:
            continue
        if packet.stream.index == picture.index:
            shown.append(packet.pts)
        else:
            heard = max(heard, packet.pts + (packet.duration or AAC_FRAME))
    return shown, heard


def _decode(file: InputContainer, picture: VideoStream, which: str, pts: int) -> None:
    try:
        file.seek(pts, stream=picture, backward=True)
        if any(frame.pts == pts and not frame.is_corrupt for frame in file.decode(picture)):
            return
    except FFmpegError as error:
        _refuse(f"its {which} frame does not decode: {error.strerror}")
    _refuse(f"its {which} frame does not decode")


def _refuse(why: str) -> NoReturn:
    raise MediaError(f"the film came out wrong and was not kept: {why}", "render again; say so if it stays")
