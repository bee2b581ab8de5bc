from __future__ import annotations

import asyncio
import hashlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from storyreel.specs.cut import Cut, EditPoints, Event, edit_points
from storyreel.specs.timing import FrameRate
from storyreel.tasks.join import assemble as join
from storyreel.tasks.join.assemble import Composition, FilmFile, assemble_film
from storyreel.tasks.join.conform import Conforming, HouseClip, conform_clip, conform_key
from storyreel.tasks.join.dissolve import DissolveClip, dissolve_clips, dissolve_key
from storyreel.tasks.join.mux import Chapter, FileMetadata
from storyreel.tasks.join.pieces import HouseCache, PicturePiece
from storyreel.tasks.join.sound.layers import FilmSound, SoundLayer
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.frames import write_last_frame
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.media.probe import probe
from storyreel.tasks.progress import Progress
from tests.tasks.generated_clips import TINY, ffmpeg, flash_and_beep, lumas, make_clip, names, samples


def cut_of(lengths: list[int], dissolves: Mapping[int, int] = {}, rate: str = "24") -> Cut:
    """A cut of shots named by number, with dissolves into some of them."""
    events, start = [], 0
    for number, frames in enumerate(lengths):
        joins = dissolves.get(number, 0), dissolves.get(number + 1, 0)
        events.append(Event(str(number), start, frames, *joins))
        start += frames
    return Cut(FrameRate.parse(rate), tuple(events))


class Film:
    """A cut on its way to a sequence; every shot is conformed from a source of its number."""

    def __init__(self, folder: Path, cut: Cut, source: Callable[[int], Path], *, keep_sound: bool = True) -> None:
        self.folder, self.cut, self.source, self.keep_sound = folder, cut, source, keep_sound
        self.house = HouseFormat(width=TINY.width, height=TINY.height, rate=cut.rate)

    async def clips(self) -> list[HouseClip]:
        """One an event; equal ones are made once."""
        under_way: dict[str, asyncio.Task[HouseClip]] = {}
        keys = [self._begin(self.source(number), event, under_way) for number, event in enumerate(self.cut.events)]
        return [await under_way[key] for key in keys]

    def _begin(self, source: Path, event: Event, under_way: dict[str, asyncio.Task[HouseClip]]) -> str:
        edit = edit_points(event, self.available(source), "first")
        how = Conforming(edit, self.house, keep_sound=self.keep_sound, accept="")
        key = conform_key(source.name, how, "")
        if key not in under_way:
            under_way[key] = asyncio.create_task(conform_clip(source, how, into=self.folder / key))
        return key

    @lru_cache  # noqa: B019
    def available(self, source: Path) -> int:
        return probe(source).frames_at(self.cut.rate)

    async def dissolves(self, clips: list[HouseClip]) -> dict[str, DissolveClip]:
        return {
            event.shot: await dissolve_clips(
                before, after, event.dissolve_in, self.house, self.folder / f"d{event.shot}"
            )
            for (before, after), event in zip(pairwise(clips), self.cut.events[1:], strict=True)
            if event.dissolve_in
        }

    async def assembled(self, out: Path | None = None, **parts: Any) -> FilmFile:
        clips = await self.clips()
        return await self.joined(clips, await self.dissolves(clips), out, **parts)

    async def joined(
        self, clips: Sequence[HouseClip], dissolves: Mapping[str, DissolveClip] = {}, out: Path | None = None, *,
        title: str = "Film", chapters: Sequence[Chapter] = (), tags: Mapping[str, str] = {},
        progress: Progress | None = None, **parts: Any,
    ) -> FilmFile:  # fmt: skip
        """The film of these clips; `parts` are more fields of its composition."""
        composition = Composition(self.cut, self.house, clips, dissolves, FileMetadata(title, chapters, tags), **parts)
        out = out or self.folder / "sequence.mp4"
        return await assemble_film(composition, out, cache=HouseCache(self.folder), progress=progress)


def beginnings(heard: list[int]) -> list[int]:
    """The samples where a beep begins."""
    loud = [n for n, value in enumerate(heard) if abs(value) > 6_000]
    return [n for n, before in zip(loud, [-10_000, *loud], strict=False) if n - before > 1_500]


def beeps_by_pts(film: Path, rate: FrameRate) -> list[float]:
    """When beeps begin, in frames, by the times that packets carry."""
    found, before = [], -1e9
    with av.open(str(film)) as file:
        for frame in file.decode(audio=0):
            assert frame.pts is not None
            values = array("f", bytes(frame.planes[0]))[: frame.samples]
            if max(values) < 0.1:
                continue
            for number, value in enumerate(values):
                if abs(value) > 0.18:
                    when = float((frame.pts + number) * rate.exact / 48_000)
                    if when - before > 1.2:
                        found.append(when)
                    before = when
    return found


@pytest.mark.parametrize(("rate", "shots"), [("24", 50), ("29.97", 200)])
async def test_many_shots_do_not_drift(tmp_path: Path, rate: str, shots: int) -> None:
    """Of odd sounds: too long, too short, 44.1 kHz. Every flash and every beep stands at its frame, the last too."""
    exact = str(FrameRate.parse(rate).exact)
    sources = [
        flash_and_beep(tmp_path / "0.mp4", 12, 5, fps=exact),
        flash_and_beep(tmp_path / "1.mp4", 12, 5, fps=exact, sound_seconds=0.7),
        flash_and_beep(tmp_path / "2.mp4", 12, 5, fps=exact, sound_seconds=0.35),
        flash_and_beep(tmp_path / "3.mp4", 12, 5, fps=exact, rate=44_100),
    ]
    cut = cut_of([12] * shots, rate=rate)
    film = await Film(tmp_path, cut, lambda number: sources[number % 4]).assembled()
    wanted = [12 * number + 5 for number in range(shots)]
    assert film.frames == 12 * shots
    assert [frame for frame, luma in enumerate(lumas(film.path)) if luma > 128] == wanted
    heard = samples(film.path)
    assert len(heard) == film.samples == cut.rate.sample_at(12 * shots)
    by_samples = [float(sample * cut.rate.exact / 48_000) for sample in beginnings(heard)]
    assert by_samples == pytest.approx(wanted, abs=0.1)
    assert beeps_by_pts(film.path, cut.rate) == pytest.approx(wanted, abs=0.1)


async def test_dissolves_leave_every_frame_and_beep_in_its_place(tmp_path: Path) -> None:
    source = flash_and_beep(tmp_path / "a.mp4", 40, 12)
    cut = cut_of([24] * 6, {1: 1, 2: 5, 3: 8, 5: 10})
    film = await Film(tmp_path, cut, lambda _: source).assembled()
    wanted = [24 * number + 12 for number in range(6)]
    shown = lumas(film.path)
    assert len(shown) == 144
    assert [frame for frame, luma in enumerate(shown) if luma > 128] == wanted
    by_samples = [sample / 2000 for sample in beginnings(samples(film.path))]
    assert by_samples == pytest.approx(wanted, abs=0.1)


async def test_shots_of_one_or_two_frames_are_in_their_places(tmp_path: Path) -> None:
    """Shorter than what the encoder reorders; in the last, dissolves leave a body of one frame."""
    sources = [_grey(tmp_path / f"{n}.mp4", 40 + 20 * n) for n in range(8)]
    cut = cut_of([1, 2, 1, 3, 24, 1, 2, 9], {7: 1})
    made = await Film(tmp_path, cut, lambda number: sources[number]).assembled()
    wanted = [0, 1, 1, 2, 3, 3, 3, *[4] * 24, 5, 6, 6, 6.5, *[7] * 8]
    assert _shots(made.path) == pytest.approx(wanted, abs=0.2)
    between = cut_of([12, 13, 12], {1: 12, 2: 12})
    made = await Film(tmp_path, between, lambda number: sources[number]).assembled(tmp_path / "between.mp4")
    wanted = [*[0] * 6, *(k / 13 for k in range(1, 13)), 1, *(1 + k / 13 for k in range(1, 13)), *[2] * 6]
    assert _shots(made.path) == pytest.approx(wanted, abs=0.2)


def _grey(into: Path, luma: int) -> Path:
    return make_clip(into, frames=40, picture="color=black", filters=f"geq=lum={luma}:cb=128:cr=128,format=yuv420p",
                     options=("-crf", "4"))  # fmt: skip


def _shots(film: Path) -> list[float]:
    """The number of each frame's shot, 40 + 20 n being the luma of shot n; a mixture lies between two."""
    return [(luma * 219 / 255 + 16 - 40) / 20 for luma in lumas(film)]


async def test_copied_frames_are_the_same_to_the_bit(tmp_path: Path) -> None:
    sources = [make_clip(tmp_path / f"{n}.mp4", frames=30, picture=p) for n, p in enumerate(("testsrc2", "testsrc"))]
    cut = cut_of([24, 24], {1: 6})
    film = Film(tmp_path, cut, lambda number: sources[number])
    made = await film.assembled()
    clips = await film.clips()
    shown = _frame_digests(made.path)
    assert shown[:21] == _frame_digests(clips[0].picture)[:21]
    assert shown[27:] == _frame_digests(clips[1].picture)[6:]
    assert len(shown) == 48


async def test_untouched_clips_keep_their_bytes(tmp_path: Path) -> None:
    """As services deliver them: other ticks, one keyframe, no word about colour but a size that says it."""
    sources = [
        make_clip(tmp_path / f"{n}.mp4", frames=6, fps="30", size="1280x720", filters=look)
        for n, look in enumerate(("null", "hflip"))
    ]
    film = Film(tmp_path, cut_of([6, 6], rate="30"), lambda number: sources[number])
    film.house = HouseFormat(width=1280, height=720, rate=FrameRate.parse("30"))
    how = Conforming(EditPoints(0, 6), film.house)
    clips = [await conform_clip(source, how, into=tmp_path / f"house{n}") for n, source in enumerate(sources)]
    assert all(clip.untouched for clip in clips)
    made = await film.joined(clips)
    assert _frame_digests(made.path) == [*_frame_digests(sources[0]), *_frame_digests(sources[1])]


def _frame_digests(clip: Path) -> list[str]:
    with av.open(str(clip)) as file:
        frames = sorted(file.decode(video=0), key=lambda frame: frame.pts or 0)
        return [hashlib.sha256(b"".join(map(bytes, frame.planes))).hexdigest() for frame in frames]


async def test_the_same_film_has_the_same_bytes(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", frames=30)
    film = Film(tmp_path, cut_of([12, 12], {1: 4}), lambda _: source)
    chapters = [Chapter(0, 12, "one"), Chapter(12, 24, "two")]
    one, two = [await film.assembled(tmp_path / name, chapters=chapters) for name in ("one.mp4", "two.mp4")]
    assert one.digest == two.digest
    assert one.path.read_bytes() == two.path.read_bytes()
    assert one.digest == hashlib.sha256(one.path.read_bytes()).hexdigest()


async def test_a_film_in_which_nothing_changed_is_not_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But where anything that is in its bytes has changed, or its file, it is."""
    written: list[Path] = []
    make = join.mux

    def noted(ranges: Any, delay: int, sound: Any, house: Any, into: Path, **named: Any) -> None:
        written.append(into)
        make(ranges, delay, sound, house, into, **named)

    monkeypatch.setattr(join, "mux", noted)
    sources = [make_clip(tmp_path / f"{name}.mp4", frames=30, picture=name) for name in ("testsrc2", "testsrc")]
    film = Film(tmp_path / "made", cut_of([12, 12], {1: 4}), lambda number: sources[number])
    first = await film.assembled()
    assert await film.assembled() == first and len(written) == 1
    content = bytearray(first.path.read_bytes())
    content[-100] ^= 1
    first.path.write_bytes(content)
    assert await film.assembled() == first and len(written) == 2
    first.path.unlink()
    assert await film.assembled() == first and len(written) == 3
    assert (await film.assembled(title="Another")).digest != first.digest
    assert (await film.assembled(chapters=[Chapter(0, 24, "one")])).digest != first.digest
    other = Film(tmp_path / "made", film.cut, lambda number: sources[1 - number])
    assert (await other.assembled(tmp_path / "made" / "sequence.mp4")).digest != first.digest
    silent = Film(tmp_path / "made", film.cut, film.source, keep_sound=False)
    assert (await silent.assembled()).digest != first.digest and len(written) == 7
    assert await film.assembled() == first and len(written) == 8


async def test_silent_shots_leave_room_for_their_silence(tmp_path: Path) -> None:
    loud, mute = flash_and_beep(tmp_path / "a.mp4", 12, 5), make_clip(tmp_path / "b.mp4", frames=12, sound=None)
    film = await Film(tmp_path, cut_of([12] * 4), lambda number: (mute, loud)[number % 2]).assembled()
    assert [round(n / 2000) for n in beginnings(samples(film.path))] == [17, 41]
    dropped = await Film(tmp_path, cut_of([12] * 2), lambda _: loud, keep_sound=False).assembled(tmp_path / "d.mp4")
    assert set(samples(dropped.path)) == {0}
    assert dropped.samples == 48_000


async def test_a_film_opens_with_its_title_chapters_and_index(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", frames=30)
    chapters = [Chapter(12 * n, 12 * n + 12, f"Scene {n} – Ä" * (n + 1)) for n in range(4)]
    film = await Film(tmp_path, cut_of([12] * 4), lambda _: source).assembled(title="Ключник", chapters=chapters)
    with av.open(str(film.path)) as file:
        assert file.metadata["title"] == "Ключник"
        assert "creation_time" not in file.metadata
        found = file.chapters()
    assert [chapter["metadata"]["title"] for chapter in found] == [chapter.title for chapter in chapters]
    assert [chapter["start"] * chapter["time_base"] for chapter in found if chapter["time_base"]] == [0, 0.5, 1, 1.5]
    content = film.path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


async def test_progress_rises_to_one(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", frames=30)
    reported: list[float] = []
    await Film(tmp_path, cut_of([12] * 4), lambda _: source).assembled(progress=reported.append)
    assert reported == sorted(reported)
    assert reported[-1] == 1


async def test_a_film_in_place_is_kept_when_the_next_one_fails(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", frames=30)
    film = Film(tmp_path, cut_of([12] * 3), lambda _: source)
    before = (await film.assembled()).path.read_bytes()
    clips = await film.clips()
    content = bytearray(clips[2].picture.read_bytes())
    broken = tmp_path / "broken.mp4"
    ffmpeg("-i", clips[2].picture, "-c", "copy", "-frames:v", "7", broken)
    clips[2] = clips[2].model_copy(update={"picture": broken, "picture_digest": "of the broken one"})
    with pytest.raises(MediaError, match=r"broken\.mp4 has \d frames from 0 on instead of 12"):
        await film.joined(clips)
    assert (tmp_path / "sequence.mp4").read_bytes() == before
    assert content == (await film.clips())[2].picture.read_bytes()
    assert not [name for name in names(tmp_path) if name.startswith(".")]


async def test_a_last_frame_that_does_not_decode_is_found(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", frames=30)
    film = Film(tmp_path, cut_of([12, 12]), lambda _: source)
    clips = await film.clips()
    with av.open(str(clips[1].picture)) as file:
        places = [(packet.pos or 0, packet.size) for packet in file.demux(video=0) if packet.size]
    content = bytearray(clips[1].picture.read_bytes())
    for place, size in places[1:]:
        content[place : place + size] = bytes(size)
    (tmp_path / "broken.mp4").write_bytes(content)
    clips[1] = clips[1].model_copy(update={"picture": tmp_path / "broken.mp4", "picture_digest": "of the broken one"})
    with pytest.raises(MediaError, match="is not what was planned and was discarded"):
        await film.joined(clips)
    assert not (tmp_path / "sequence.mp4").exists()


async def test_sound_that_cannot_be_mixed_ends_the_work_with_its_own_error(tmp_path: Path) -> None:
    (tmp_path / "words.wav").write_text("la la la")
    source = make_clip(tmp_path / "a.mp4", frames=30)
    film = Film(tmp_path, cut_of([12, 12]), lambda _: source)
    with pytest.raises(MediaError, match=r"words\.wav cannot be read as sound"):
        words = SoundLayer(file=tmp_path / "words.wav", gain=0, start=0, end=24)
        await film.assembled(sound=FilmSound(layers=(words,)))
    assert not (tmp_path / "sequence.mp4").exists()


async def test_music_is_lowered_in_shots_with_dialogue(tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "aevalsrc=0.3*sin(2*PI*1000*t):s=48000:d=1", tmp_path / "music.wav")
    talk = make_clip(tmp_path / "a.mp4", frames=48, sound="sine=frequency=300:sample_rate=48000,volume=4")
    film = Film(tmp_path, cut_of([48] * 3), lambda _: talk)
    music = SoundLayer(file=tmp_path / "music.wav", gain=0, start=0, end=144, duck="dialogue")
    heard = {}
    for spoken in ((), ((48, 96),)):
        sound = FilmSound(layers=(music,), dialogue=spoken)
        made = await film.assembled(tmp_path / f"{len(spoken)}.mp4", sound=sound)
        heard[spoken] = samples(made.path)
    changed = [abs(a - b) for a, b in zip(heard[()], heard[(48, 96),], strict=True)]
    first, second, third = (max(changed[at : at + 24_000]) for at in (48_000, 144_000, 252_000))
    assert first < 1_000
    assert second > 4_000
    assert third < 1_000


async def test_clips_that_cannot_follow_each_other_are_refused(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", frames=30)
    film = Film(tmp_path, cut_of([12, 12]), lambda _: source)
    clips = await film.clips()
    clips[1] = clips[1].model_copy(update={"signature": "another"})
    with pytest.raises(MediaError, match="encoded differently"):
        await film.joined(clips)


async def test_clips_of_another_cut_are_refused(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", frames=30)
    film = Film(tmp_path, cut_of([12, 12]), lambda _: source)
    clips = await film.clips()
    for cut, word in (
        (cut_of([12, 13]), "the clip of shot 1 has 12 frames, the cut needs 13"),
        (cut_of([12]), "the cut has 1 shots, but there are 2 clips"),
    ):
        with pytest.raises(MediaError, match=word):
            await Film(tmp_path, cut, film.source).joined(clips)
    dissolved = Film(tmp_path, cut_of([12, 12], {1: 4}), lambda _: source)
    with pytest.raises(MediaError, match="the dissolve into shot 1 is missing"):
        await dissolved.joined(await dissolved.clips())
    assert not (tmp_path / "sequence.mp4").exists()


async def test_cancelling_keeps_the_previous_film(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", frames=48)
    film = Film(tmp_path, cut_of([48] * 60), lambda _: source)
    await film.clips()
    (tmp_path / "sequence.mp4").write_text("the film before")
    for stage in (0, 0.5):
        reached = asyncio.Event()

        def listen(done: float, stage: float = stage, reached: asyncio.Event = reached) -> None:
            if done >= stage:
                reached.set()

        work = asyncio.create_task(film.assembled(progress=listen))
        async with asyncio.timeout(60):
            await reached.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert (tmp_path / "sequence.mp4").read_text() == "the film before"
        assert not [name for name in names(tmp_path) if name.startswith(".")]


async def test_a_shot_that_continues_begins_with_the_very_frame_before(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", frames=12)
    film = await Film(tmp_path, cut_of([12]), lambda _: source).assembled()
    write_last_frame(film.path, tmp_path / "last.png")
    ffmpeg("-i", film.path, "-vf", "select=eq(n\\,11)", "-frames:v", "1", tmp_path / "wanted.png")
    ffmpeg("-i", tmp_path / "last.png", "-i", tmp_path / "wanted.png", "-filter_complex",
           "blend=all_mode=difference,blackframe=amount=100:threshold=3,metadata=print:file=" + str(tmp_path / "facts"),
           "-f", "null", "-")  # fmt: skip
    assert "blackframe.pblack=100" in (tmp_path / "facts").read_text()


def _recipes(cut: Cut, takes: list[str]) -> set[str]:
    """The cache keys of all conformed takes and dissolves of a film. A key stands for the bytes that it makes."""
    conformed = [
        conform_key(take, Conforming(edit_points(event, 120, "free"), TINY), "9.0")
        for take, event in zip(takes, cut.events, strict=True)
    ]
    clips = [
        HouseClip(picture=Path(key), picture_digest=key, frames=event.with_handles, delay=1, signature="",
                  sound=None, sound_digest=None, untouched=False)
        for key, event in zip(conformed, cut.events, strict=True)
    ]  # fmt: skip
    mixed = {
        dissolve_key(before, after, event.dissolve_in, TINY, "9.0")
        for (before, after), event in zip(pairwise(clips), cut.events[1:], strict=True)
        if event.dissolve_in
    }
    return {*conformed, *mixed}


def test_recutting_one_shot_of_forty_makes_that_shot_and_its_dissolves_anew() -> None:
    joins = dict.fromkeys(range(1, 40), 12)
    takes = [f"take {number}" for number in range(40)]
    before = _recipes(cut_of([96] * 40, joins), takes)
    assert len(before) == 79
    shorter = _recipes(cut_of([96] * 17 + [80] + [96] * 22, joins), takes)
    assert len(shorter - before) == 3
    retaken = _recipes(cut_of([96] * 40, joins), [*takes[:17], "take 17 again", *takes[18:]])
    assert len(retaken - before) == 3
    longer_dissolve = _recipes(cut_of([96] * 40, joins | {17: 24}), takes)
    assert len(longer_dissolve - before) == 5  # two shots, the dissolve between them, and one on either side
    reordered = _recipes(cut_of([96] * 40), takes[::-1])
    assert reordered == _recipes(cut_of([96] * 40), takes)


def test_a_piece_detects_changed_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"picture")
    digest = hashlib.sha256(b"picture").hexdigest()
    piece = PicturePiece(picture=tmp_path / "a", picture_digest=digest, frames=1, delay=0, signature="")
    assert piece.is_intact()
    (tmp_path / "a").write_bytes(b"pictures")
    assert not piece.is_intact()
    (tmp_path / "a").unlink()
    assert not piece.is_intact()
