"""Clips that are unlike those of any service, all of the same 24 frames: in frame n a band of luma 20 + 6 n."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import av

from tests.tasks.generated_clips import ffmpeg, make_clip

FRAMES = 24


def plain(into: Path, frames: int = FRAMES, **how: object) -> Path:
    """The clip as a service would make it."""
    how = {"options": (), "filters": "null"} | how
    options = ("-crf", "4", *how.pop("options"))  # type: ignore[misc]
    filters = f"geq=lum='20+6*N':cb=128:cr=128,{how.pop('filters')}"
    return make_clip(into, frames=frames, picture="color=black", filters=filters, options=options, **how)  # type: ignore[arg-type]


def _copied(into: Path, *options: str | Path) -> Path:
    source = plain(into.with_name("plain.mp4"))
    ffmpeg("-i", source, *options, into)
    return into


def with_cover_first(into: Path) -> Path:
    """The first stream is a larger picture of the cover: the metadata are before the tracks."""
    source, cover = plain(into.with_name("plain.mp4")), into.with_name("cover.png")
    ffmpeg("-f", "lavfi", "-i", "color=red:size=640x360", "-frames:v", "1", cover)
    ffmpeg("-i", source, "-i", cover, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:1", "attached_pic", into)
    content = into.read_bytes()
    index = content.index(b"moov") - 4
    boxes, at = [], index + 8
    while at < len(content):
        boxes.append(content[at : at + int.from_bytes(content[at : at + 4], "big")])
        at += len(boxes[-1])
    boxes.sort(key=lambda box: box[4:8] != b"udta")
    into.write_bytes(content[: index + 8] + b"".join(boxes))
    with av.open(str(into)) as file:
        assert file.streams.video[0].codec_context.name == "png"
    return into


def sound_first(into: Path) -> Path:
    return _copied(into, "-map", "0:a", "-map", "0:v", "-c", "copy")


def two_pictures(into: Path) -> Path:
    """The second video stream is larger, which ffmpeg would choose; the first is what a player shows."""
    source = plain(into.with_name("plain.mp4"))
    ffmpeg("-i", source, "-f", "lavfi", "-i", "color=white:size=640x360:rate=24", "-map", "0:v", "-map", "1:v",
           "-map", "0:a", "-frames:v:1", "24", "-c:v:0", "copy", "-c:v:1", "libx264", "-c:a", "copy",
           "-disposition:v:0", "default", "-disposition:v:1", "0", into)  # fmt: skip
    return into


def with_timecode(into: Path) -> Path:
    """A QuickTime file with a data stream."""
    return _copied(into, "-c", "copy", "-timecode", "01:00:00:00", "-f", "mov")


def late_start(into: Path) -> Path:
    """All times begin at 90 s."""
    return _copied(into, "-c", "copy", "-output_ts_offset", "90", "-f", "matroska")


def transport_stream(into: Path) -> Path:
    return _copied(into, "-c", "copy", "-f", "mpegts")


def times_that_go_back(into: Path) -> Path:
    """Two halves in one transport stream, each with a clock that begins at the same time."""
    source = plain(into.with_name("plain.mp4"), options=("-g", "12", "-bf", "0"))
    halves = []
    for part, cut in enumerate((("-frames:v", "12"), ("-ss", "0.5"))):
        half = into.with_name(f"{part}.ts")
        ffmpeg(*(cut if part else ()), "-i", source, *(() if part else cut), "-c", "copy", "-f", "mpegts", half)
        halves.append(half.read_bytes())
    into.write_bytes(b"".join(halves))
    return into


def times_with_a_jump(into: Path) -> Path:
    """The second half begins an hour after the first."""
    source = plain(into.with_name("plain.mp4"), options=("-bf", "0"))
    ffmpeg("-i", source, "-c", "copy", "-bsf:v", "setts=ts=TS+gte(N\\,12)*3600/TB", "-f", "matroska", into)
    return into


def without_times(into: Path) -> Path:
    """The bare stream of the encoder."""
    return _copied(into, "-c", "copy", "-an", "-f", "h264")


def avi(into: Path) -> Path:
    """A file with decoding times only."""
    return _copied(into, "-c:v", "mpeg4", "-q:v", "1", "-bf", "2", "-c:a", "mp3", "-f", "avi")


def webm(into: Path) -> Path:
    return _copied(into, "-c:v", "libvpx-vp9", "-lossless", "1", "-cpu-used", "8", "-c:a", "libopus", "-f", "webm")


def gif(into: Path) -> Path:
    return _copied(into, "-an", "-f", "gif")


def edit_list(into: Path) -> Path:
    """Twelve frames before the first are in the file, and an edit list leaves them out."""
    whole = make_clip(
        into.with_name("long.mp4"), frames=36, picture="color=black", filters="geq=lum='20+6*(N-12)':cb=128:cr=128",
        options=("-crf", "4", "-bf", "0"),
    )  # fmt: skip
    ffmpeg("-ss", "0.5", "-i", whole, "-c", "copy", into)
    return into


def odd_size(into: Path) -> Path:
    return _copied(into, "-vf", "scale=127:71", "-c:v", "libx264", "-crf", "4", "-pix_fmt", "yuv444p", "-c:a", "copy")


def odd_size_subsampled(into: Path) -> Path:
    return _copied(into, "-vf", "scale=127:71", "-c:v", "libvpx-vp9", "-crf", "4", "-b:v", "0", "-cpu-used", "8",
                   "-pix_fmt", "yuv420p", "-an", "-f", "webm")  # fmt: skip


def changing_size(into: Path) -> Path:
    """The second half is twice as large, in mid-stream."""
    source = plain(into.with_name("plain.mp4"), options=("-g", "12", "-bf", "0"))
    halves = []
    for part, size in enumerate(("128:72", "256:144")):
        half = into.with_name(f"{part}.ts")
        ffmpeg("-i", source, "-an", "-vf", f"trim=start_frame={part * 12}:end_frame={part * 12 + 12},scale={size}",
               "-c:v", "libx264", "-crf", "4", "-bf", "0", "-copyts", "-f", "mpegts", half)  # fmt: skip
        halves.append(half.read_bytes())
    into.write_bytes(b"".join(halves))
    return into


def interlaced(into: Path) -> Path:
    return plain(into, options=("-flags", "+ildct+ilme", "-x264-params", "tff=1"))


def transparent(into: Path) -> Path:
    """White where it is transparent."""
    return _copied(into, "-vf", "format=yuva444p,geq=lum='if(gt(X,W/2),235,lum(X,Y))':cb=128:cr=128:"
                                "a='if(gt(X,W/2),0,255)'", "-c:v", "qtrle", "-c:a", "copy", "-f", "mov")  # fmt: skip


def grey(into: Path) -> Path:
    return plain(into, options=("-pix_fmt", "gray", "-profile:v", "high"))


def grey_full_range(into: Path) -> Path:
    return _copied(into, "-c:v", "ffv1", "-pix_fmt", "gray", "-c:a", "copy", "-f", "matroska")


def unknown_sound(into: Path) -> Path:
    """A codec of sound that no decoder knows."""
    content = _copied(into, "-c", "copy", "-f", "matroska").read_bytes()
    assert content.count(b"A_AAC") == 1
    into.write_bytes(content.replace(b"A_AAC", b"A_XYZ"))
    return into


def empty_sound(into: Path) -> Path:
    """A track of sound without a single packet."""
    source = plain(into.with_name("plain.mp4"))
    ffmpeg("-i", source, "-c:v", "copy", "-af", "aselect=0", "-c:a", "pcm_s16le", "-f", "matroska", into)
    with av.open(str(into)) as file:
        assert len(file.streams.audio) == 1
    return into


def broken_sound(into: Path) -> Path:
    """All packets of sound are noise."""
    return overwritten(plain(into), "audio", range(1000))


def broken_frames(into: Path) -> Path:
    """Three frames in the middle are noise."""
    return overwritten(plain(into, options=("-g", "6", "-bf", "0")), "video", range(13, 16))


def broken_start(into: Path) -> Path:
    """The first frame cannot be decoded."""
    return overwritten(plain(into, options=("-g", "3", "-bf", "0")), "video", range(1))


def broken_end(into: Path) -> Path:
    """The last six frames, with their keyframe, are noise."""
    return overwritten(plain(into, options=("-g", "6", "-bf", "0")), "video", range(18, 24))


def overwritten(clip: Path, kind: str, numbers: range) -> Path:
    """The clip, with these packets of its picture or sound overwritten in place."""
    content = bytearray(clip.read_bytes())
    with av.open(str(clip)) as file:
        packets = [packet for packet in file.demux(**{kind: 0}) if packet.size]  # type: ignore[arg-type]
        for number in numbers:
            if number < len(packets):
                at, size = packets[number].pos, packets[number].size
                assert at is not None
                content[at : at + size] = bytes((7 * n) % 251 for n in range(size))
    clip.write_bytes(bytes(content))
    return clip


def cut_short(into: Path) -> Path:
    """The index is whole, and promises 24 frames; the file ends after some."""
    plain(into, options=("-movflags", "+faststart", "-g", "1"), sound=None)
    content = into.read_bytes()
    into.write_bytes(content[: len(content) * 3 // 4])
    return into


def oriented(source: Path, into: Path, orientation: int) -> Path:
    """A copy of a clip whose display matrix says how it is to be shown, in the numbers of Exif."""
    a, b, c, d = {1: (1, 0, 0, 1), 2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1),
                  5: (0, 1, 1, 0), 6: (0, 1, -1, 0), 7: (0, -1, -1, 0), 8: (0, -1, 1, 0)}[orientation]  # fmt: skip
    content = bytearray(source.read_bytes())
    upright = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    matrix = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    at = content.index(upright, content.index(b"tkhd"))
    content[at : at + len(matrix)] = matrix
    into.write_bytes(bytes(content))
    return into


WHOLE: dict[str, Callable[[Path], Path]] = {
    made.__name__.replace("_", " "): made
    for made in (
        with_cover_first, sound_first, two_pictures, with_timecode, late_start, transport_stream, times_that_go_back,
        times_with_a_jump, without_times, avi, webm, gif, edit_list, odd_size, odd_size_subsampled, changing_size,
        interlaced, transparent, grey, grey_full_range, unknown_sound, empty_sound, broken_sound,
    )
}  # fmt: skip
"""Clips that have all their frames."""
