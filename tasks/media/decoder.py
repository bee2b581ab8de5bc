"""A clip as the input of an ffmpeg graph: picture as a player shows it, and sound."""

from __future__ import annotations

from typing import Any

import ffmpeg
from ffmpeg.nodes import FilterableStream, OutputStream

from storyreel.tasks.media.colour import on_black
from storyreel.tasks.media.probe import Probe
from storyreel.tasks.media.shape.orientation import turned


def opened(clip: Probe, **options: Any) -> FilterableStream:
    """The file of a clip as ffmpeg's input. Equal options make one input of several calls.

    Versions of ffmpeg turn mirrored pictures differently, so `picture_of` does it. If the picture changes its size in
    mid-stream, ffmpeg would begin the graph anew, and count frames from 0 again.
    """
    return ffmpeg.input(str(clip.path), threads=1, noautorotate=None, reinit_filter=0, **options)


def picture_of(clip: Probe, file: FilterableStream) -> FilterableStream:
    """The picture of a clip from time 0, as a player shows it; evenly spaced if its times cannot be followed."""
    picture = file[str(clip.stream)]
    times = f"PTS-STARTPTS+{float(clip.late):.9f}/TB" if clip.late else "PTS-STARTPTS"
    picture = picture.filter("setpts", times if clip.has_times else f"N/({clip.rate})/TB")
    if clip.interlaced:
        picture = picture.filter("bwdif", mode="send_frame", deint="interlaced")
    picture = on_black(picture, clip.pix_fmt)
    # Else ffmpeg writes the matrix of the clip into the new file, and it would be turned twice.
    picture = picture.filter("sidedata", mode="delete")
    return turned(picture, clip.orientation)


def sound_of(clip: Probe, file: FilterableStream) -> FilterableStream:
    """The sound of a clip. The first frame of the picture is time 0; earlier sound has times below."""
    times = f"PTS-{float(clip.start):.9f}/TB" if clip.has_times else "N/SR/TB"
    return file[str(clip.sound)].filter("asetpts", times)


def tolerant(output: OutputStream) -> OutputStream:
    """The output, written also if most packets cannot be decoded: what can be is used."""
    return output.global_args("-max_error_rate", "1")


def strict(output: OutputStream) -> OutputStream:
    """The output, given up at the first packet that cannot be decoded, and at a frame with an error hidden in it."""
    return output.global_args("-xerror")
