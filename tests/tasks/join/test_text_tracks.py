"""Subtitles are tracks of the film: each text at its frames, in its language, and the rest of the film as it was."""

from __future__ import annotations

import subprocess
from itertools import accumulate, pairwise
from pathlib import Path

import av
from hypothesis import given
from hypothesis import strategies as st

from storyreel.tasks.join.text_tracks import TextTrack, TimedLines
from storyreel.tasks.media.binary import find_ffmpeg
from tests.properties import one_in
from tests.tasks.generated_clips import flash_and_beep
from tests.tasks.join.test_assemble import Film, cut_of

TRACKS = (
    TextTrack("eng", "English", (TimedLines(3, 20, "Who's <there>?\nIt is dark."), TimedLines(20, 33, "& so am I"))),
    TextTrack("zho", "繁體中文", (TimedLines(0, 48, "誰在那裡？"),)),
    TextTrack("und", "", ()),
)


def film(folder: Path) -> Film:
    source = flash_and_beep(folder / "0.mp4", 12, 5)
    return Film(folder, cut_of([12] * 4, {2: 4}), lambda _: source)


def packets(file: Path, stream: int) -> list[tuple[int | None, int | None, int | None, bytes]]:
    """Times and content of the packets of a stream, in whole ticks."""
    with av.open(str(file)) as opened:
        found = opened.demux(opened.streams[stream])
        return [(one.pts, one.dts, one.duration, bytes(one)) for one in found if one.size]


def texts(file: Path, stream: int, frames: int = 48) -> list[TimedLines]:
    """The texts of a track by the frames at which they are shown, read from its samples."""
    found = []
    with av.open(str(file)) as opened:
        track = opened.streams[stream]
        step = float(1 / (24 * track.time_base)) if track.time_base else 0
        for packet in opened.demux(track):
            content = bytes(packet)
            if packet.pts is not None and content[2:]:
                times = packet.pts / step, (packet.pts + packet.duration) / step
                assert all(time == int(time) for time in times), "a text is between two frames"
                found.append(TimedLines(int(times[0]), int(times[1]), content[2:].decode()))
    return found


async def test_a_film_with_tracks_is_the_film_without_and_its_texts_at_their_frames(tmp_path: Path) -> None:
    made = film(tmp_path)
    bare = await made.assembled(tmp_path / "bare.mp4")
    with_texts = await made.assembled(tmp_path / "texts.mp4", texts=TRACKS)
    for stream in (0, 1):
        assert packets(bare.path, stream) == packets(with_texts.path, stream)
    assert [tuple(texts(with_texts.path, 2 + n)) for n in range(3)] == [track.texts for track in TRACKS]
    with av.open(str(with_texts.path)) as opened:
        told = [(one.language, one.metadata.get("handler_name", "")) for one in opened.streams.subtitles]
        assert told[:2] == [("eng", "English"), ("zho", "繁體中文")] and told[2][0] in (None, "und")
    content = with_texts.path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat"), "a player would have to load all of it first"


async def test_other_texts_are_another_film_and_equal_ones_the_same(tmp_path: Path) -> None:
    made = film(tmp_path)
    out = tmp_path / "film.mp4"
    first = await made.assembled(out, texts=TRACKS)
    kept = out.stat().st_mtime_ns
    assert (await made.assembled(out, texts=TRACKS)).digest == first.digest and out.stat().st_mtime_ns == kept
    other = await made.assembled(out, texts=TRACKS[1:])
    assert other.digest != first.digest and len(texts(out, 2)) == 1
    assert (await made.assembled(tmp_path / "again.mp4", texts=TRACKS)).digest == first.digest


async def test_ffmpeg_extracts_the_subtitles_as_they_were_given(tmp_path: Path) -> None:
    made = await film(tmp_path).assembled(texts=TRACKS)
    command = [str(find_ffmpeg().path), "-v", "error", "-i", str(made.path), "-map", "0:s:0", "-f", "srt", "-"]
    found = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert found.split("\n\n")[:2] == [
        "1\n00:00:00,125 --> 00:00:00,833\nWho's <there>?\nIt is dark.",
        "2\n00:00:00,833 --> 00:00:01,375\n& so am I",
    ]


@one_in(12)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9), st.text(max_size=9)), max_size=9))
async def test_any_texts_are_read_as_they_were_written(tmp_path: Path, parts: list[tuple[int, int, str]]) -> None:
    ends = list(accumulate(gap + length for gap, length, _ in parts))
    starts = [end - length for end, (_, length, _) in zip(ends, parts, strict=True)]
    shown = tuple(
        TimedLines(start, end, text)
        for start, end, (_, _, text) in zip(starts, ends, parts, strict=True)
        if text and end <= 48
    )
    assert all(before.end <= after.first for before, after in pairwise(shown))
    (folder := tmp_path / "film").mkdir(exist_ok=True)
    made = await film(folder).assembled(texts=(TextTrack("eng", "English", shown),))
    assert tuple(texts(made.path, 2)) == shown
