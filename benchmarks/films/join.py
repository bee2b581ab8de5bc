"""The cost of joining clips: this project's `assemble` beside other ways, in one run on one machine.

    uv run --group bench python -m benchmarks.films.join            20 and 200 clips of 5 s, about five minutes
    uv run --group bench python -m benchmarks.films.join --quick    8 clips of 2 s, under a minute

Prints a table in Markdown. Clips are 1280×720 at 24 fps, H.264 with one keyframe each and AAC. Every way makes a whole
film with picture and sound; what differs in what they promise stands in the last column.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import ffmpeg
import psutil

from storyreel.specs.cut import Cut, Event, edit_points
from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.assemble import Composition, assemble_film
from storyreel.tasks.join.conform import Conforming, HouseClip, conform_clip
from storyreel.tasks.join.dissolve import DissolveClip, dissolve_clips
from storyreel.tasks.join.mux import FileMetadata
from storyreel.tasks.join.pieces import HouseCache
from storyreel.tasks.join.sound.clips import ClipsSound
from storyreel.tasks.join.sound.encode import encode_sound
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.house_format import HouseFormat

HOUSE = HouseFormat(width=1280, height=720, rate=FrameRate(Fraction(24)))
DISTINCT = 20
"""Clips that are made; 200 are these ten times."""
DISSOLVE = 12
"""Frames."""
DEADLINE = 3600
"""Seconds after which the run ends; what was not measured until then is said to be missing."""


@dataclass(frozen=True, slots=True)
class Result:
    """One way's figures for so many clips."""

    way: str
    clips: int
    clock: float | None
    """Seconds. None when it was not run; `note` says why."""
    processor: float = 0
    """Seconds, with those of all children. Ratios are of these: other work on the machine changes them less."""
    megabytes: float = 0
    """Most memory that its processes held, beyond what this one held before."""
    note: str = ""


class Memory:
    """Watches how much memory this process and its children hold."""

    def __enter__(self) -> Memory:
        self._before, self.most = self._held(), 0.0
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._done.wait(0.2):
            self.most = max(self.most, self._held() - self._before)

    def _held(self) -> float:
        total = 0
        this = psutil.Process()
        for process in (this, *this.children(recursive=True)):
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total / 1e6


class Bench:
    """The clips, the folder and the clock of one run."""

    def __init__(self, folder: Path, frames: int) -> None:
        self.folder, self.frames = folder, frames
        self.started = time.monotonic()
        self.results: list[Result] = []

    @property
    def out(self) -> Path:
        return self.folder / "film.mp4"

    async def measure(
        self, way: str, clips: int, work: Callable[[], Awaitable[object]], note: str = "", times: int = 1
    ) -> None:
        """Run a way so many times and note the median."""
        say(f"{way}, {clips} clips …")
        took, before = [], processor_seconds()
        with Memory() as memory:
            try:
                async with asyncio.timeout(max(0, DEADLINE - (time.monotonic() - self.started))):
                    for _ in range(times):
                        began = time.perf_counter()
                        await work()
                        took.append(time.perf_counter() - began)
            except TimeoutError:
                self.results.append(Result(way, clips, None, note="not finished: time was up"))
                return
        each = (processor_seconds() - before) / times
        self.results.append(Result(way, clips, statistics.median(took), each, memory.most, note))

    async def make_clips(self, count: int) -> list[Path]:
        """Distinct clips in house format, with AAC, as a service would deliver them: about 4 Mb/s."""
        await asyncio.gather(*(self._make_clip(number, into) for number, into in enumerate(self.clips(count))))
        return self.clips(count)

    def clips(self, count: int) -> list[Path]:
        """The files of distinct clips."""
        return [self.folder / f"source-{number:02}.mp4" for number in range(count)]

    @property
    def music(self) -> Path:
        return self.folder / "music.mp3"

    async def make_music(self) -> None:
        """Four minutes of music."""
        noise = ffmpeg.input("anoisesrc=duration=240:color=brown:amplitude=0.6:seed=99:sample_rate=44100", f="lavfi")
        await run(ffmpeg.output(noise.audio, str(self.music), **{"b:a": "192k"}))

    async def _make_clip(self, number: int, into: Path) -> None:
        seconds = float(HOUSE.rate.seconds(self.frames))
        picture = ffmpeg.input(
            f"testsrc2=size=1280x720:rate=24,noise=alls=7:allf=t:all_seed={number},hue=h={number * 18}", f="lavfi"
        )
        sound = ffmpeg.input(
            f"anoisesrc=duration={seconds}:color=pink:seed={number}:amplitude=0.2:sample_rate=48000,"
            "aformat=channel_layouts=stereo",
            f="lavfi",
        )
        options = HOUSE.picture_options() | {"crf": 23, "c:a": "aac", "b:a": "128k", "frames:v": self.frames}
        await run(ffmpeg.output(HOUSE.tagged(picture.video), sound.audio, str(into), **options))

    def cut(self, clips: int, dissolve: int) -> Cut:
        """Shots of one length, with dissolves between all of them or none."""
        shown = self.frames - dissolve
        events = [
            Event(str(n), n * shown, shown, dissolve if n else 0, dissolve if n + 1 < clips else 0)
            for n in range(clips)
        ]
        return Cut(HOUSE.rate, tuple(events))

    async def conformed(self, sources: Sequence[Path], cut: Cut) -> list[HouseClip]:
        """Each source conformed for each place that it has in the cut; equal ones once."""
        places = {}
        for number, event in enumerate(cut.events):
            places[self._house(sources[number % len(sources)], event)] = (sources[number % len(sources)], event)

        async def make(into: Path, source: Path, event: Event) -> tuple[Path, HouseClip]:
            edit = edit_points(event, self.frames, "free")
            return into, await conform_clip(source, Conforming(edit, HOUSE), into=into)

        made = dict(await asyncio.gather(*(make(into, *place) for into, place in places.items())))
        return [made[self._house(sources[n % len(sources)], event)] for n, event in enumerate(cut.events)]

    def _dissolve(self, event: Event) -> Path:
        return self.folder / "dissolves" / event.shot

    def _house(self, source: Path, event: Event) -> Path:
        return self.folder / "house" / f"{source.stem}-{event.head}-{event.frames}-{event.tail}"

    async def dissolves(self, cut: Cut, clips: Sequence[HouseClip]) -> dict[str, DissolveClip]:
        """All dissolves; those that are there already are used."""

        async def make(number: int, event: Event) -> tuple[str, DissolveClip]:
            into = self._dissolve(event)
            pair = clips[number - 1], clips[number]
            return event.shot, await dissolve_clips(*pair, event.dissolve_in, HOUSE, into)

        return dict(await asyncio.gather(*(make(n, event) for n, event in enumerate(cut.events) if n)))


async def byte_copy(files: Sequence[Path], out: Path) -> None:
    """The bytes of all clips into one file: no film, but the least that could be done."""
    with out.open("wb") as target:
        for file in files:
            with file.open("rb") as source:
                if hasattr(os, "sendfile"):
                    target.flush()
                    offset, size = 0, file.stat().st_size
                    while offset < size:
                        offset += os.sendfile(target.fileno(), source.fileno(), offset, size - offset)
                else:
                    shutil.copyfileobj(source, target, 1 << 20)


async def concat_demuxer(files: Sequence[Path], out: Path) -> None:
    """ffmpeg's own join of like files by packets, sound included."""
    listing = out.with_suffix(".txt")
    listing.write_text("ffconcat version 1.0\n" + "".join(f"file '{file}'\n" for file in files))
    await _ffmpeg("-f", "concat", "-safe", "0", "-i", str(listing), "-c", "copy", "-movflags", "+faststart", str(out))


async def one_graph(files: Sequence[Path], frames: int, out: Path) -> None:
    """One graph of xfade and acrossfade for picture and sound, as it is written by hand; ffmpeg's own threads."""
    inputs = [ffmpeg.input(str(file)) for file in files]
    fade, length = DISSOLVE / 24, frames / 24
    picture, sound = inputs[0].video, inputs[0].audio
    for number, following in enumerate(inputs[1:], 1):
        offset = number * (length - fade)
        picture = ffmpeg.filter(
            [picture, following.video], "xfade", transition="fade", duration=fade, offset=f"{offset:.6f}"
        )
        sound = ffmpeg.filter([sound, following.audio], "acrossfade", d=fade)
    encoder = {"c:v": "libx264", "preset": "veryfast", "crf": 18, "c:a": "aac", "b:a": "192k", "movflags": "+faststart"}
    await _ffmpeg(*ffmpeg.get_args(ffmpeg.output(picture, sound, str(out), **encoder)))


def moviepy_join(files: Sequence[Path], out: Path) -> None:
    """The usual answer in Python."""
    from moviepy import VideoFileClip, concatenate_videoclips  # type: ignore[import-not-found, unused-ignore]

    clips = [VideoFileClip(str(file)) for file in files]
    film = concatenate_videoclips(clips)
    film.write_videofile(
        str(out), codec="libx264", preset="veryfast", audio_codec="aac", audio_bitrate="192k",
        ffmpeg_params=["-crf", "18"], temp_audiofile_path=str(out.parent), logger=None,
    )  # fmt: skip
    for clip in clips:
        clip.close()


async def _ffmpeg(*arguments: str) -> None:
    await _program(str(find_ffmpeg().path), "-nostdin", "-v", "error", "-y", *arguments)


async def _program(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if code := await process.wait():
            raise RuntimeError(f"{command[0]} failed with exit code {code}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def compare(bench: Bench, sources: Sequence[Path], counts: Sequence[int]) -> None:
    """All ways for all counts of clips."""
    for count in counts:
        files = [sources[number % len(sources)] for number in range(count)]
        await _cuts(bench, files, sources)
        await _dissolves(bench, files, sources, chain=count <= DISTINCT)
        if count <= DISTINCT:
            await _moviepy(bench, files)


async def _moviepy(bench: Bench, files: Sequence[Path]) -> None:
    if find_spec("moviepy") is None:
        why = "not run: not installed, `uv run --group bench`"
        bench.results.append(Result("cuts: MoviePy", len(files), None, note=why))
        return
    # A process of its own, so that it can be stopped.
    command = [sys.executable, "-m", "benchmarks.films.join", "--moviepy", *map(str, (bench.out, *files))]
    await bench.measure("cuts: MoviePy", len(files), lambda: _program(*command))


async def _cuts(bench: Bench, files: Sequence[Path], sources: Sequence[Path]) -> None:
    count, cut = len(files), bench.cut(len(files), 0)
    await bench.measure("byte copy", count, lambda: byte_copy(files, bench.out), "no film", times=3)
    await bench.measure(
        "cuts: concat demuxer, `-c copy`", count, lambda: concat_demuxer(files, bench.out),
        "its sound drifts", times=3,
    )  # fmt: skip
    clips = await bench.conformed(sources, cut)
    sound, cache = ClipsSound(cut, [clip.raw_sound for clip in clips]), HouseCache(bench.folder / "sound")
    await bench.measure("the sound in AAC, in pieces", count, lambda: encode_sound(sound, cache), "no film")

    composition = Composition(cut, HOUSE, clips, {}, FileMetadata("Film"))

    async def assemble() -> None:
        await assemble_film(composition, bench.out, cache=cache)

    again = "exact, verified, synced to disk; the sound was encoded before"
    await bench.measure("**cuts: assemble again**", count, assemble, again)
    shutil.rmtree(cache.folder)
    await bench.measure("**cuts: assemble**", count, assemble, "exact, verified, synced to disk")
    shutil.rmtree(cache.folder)


async def _dissolves(bench: Bench, files: Sequence[Path], sources: Sequence[Path], chain: bool) -> None:
    count, cut = len(files), bench.cut(len(files), DISSOLVE)
    name = "dissolves: one graph of xfade and acrossfade"
    if chain:
        await bench.measure(name, count, lambda: one_graph(files, bench.frames, bench.out))
    else:
        bench.results.append(Result(name, count, None, note="not run: would need more than 24 GB of memory"))
    began = time.perf_counter()
    await bench.conformed(sources, cut)
    note = f"clips conformed before, in {time.perf_counter() - began:.1f} s"

    async def render() -> None:
        ready = await bench.conformed(sources, cut)
        composition = Composition(cut, HOUSE, ready, await bench.dissolves(cut, ready), FileMetadata("Film"))
        await assemble_film(composition, bench.out, cache=HouseCache(bench.folder / "sound"))

    shutil.rmtree(bench.folder / "dissolves", ignore_errors=True)
    await bench.measure("**dissolves: dissolve and assemble**", count, render, note)


def table(results: Sequence[Result]) -> str:
    """The figures in Markdown, each way against the byte copy of as many clips, and dissolves against the chain."""
    lines = ["| way | clips | seconds | of processor | × byte copy | × one graph | memory, MB | note |",
             "|---|---:|---:|---:|---:|---:|---:|---|"]  # fmt: skip
    for result in results:
        if result.clock is None:
            lines.append(f"| {result.way} | {result.clips} | – | – | – | – | – | {result.note} |")
            continue
        of = {other.way: other.processor for other in results if other.clips == result.clips}
        copy, graph = of.get("byte copy"), of.get("dissolves: one graph of xfade and acrossfade")
        ratio = f"{result.processor / copy:.1f}" if copy else "–"
        share = f"{result.processor / graph:.2f}" if graph and "dissolves" in result.way else "–"
        took = f"{result.clock:.2f} | {result.processor:.2f}"
        rest = f"{result.megabytes:.0f} | {result.note}"
        lines.append(f"| {result.way} | {result.clips} | {took} | {ratio} | {share} | {rest} |")
    return "\n".join(lines)


def machine() -> str:
    """Of the machine that it was measured on."""
    load = f", load {os.getloadavg()[0]:.1f} when it began" if hasattr(os, "getloadavg") else ""
    return (
        f"{platform.system()} {platform.machine()}, {psutil.cpu_count()} cores, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GB, Python {platform.python_version()}, "
        f"ffmpeg {find_ffmpeg().version}{load}."
    )


def processor_seconds() -> float:
    """Of this process so far, with those of all children that have ended."""
    return time.process_time() + sum(os.times()[2:4])


def say(text: str) -> None:
    """Tell what goes on, beside the table."""
    sys.stderr.write(text + "\n")


def main() -> None:
    """The command line."""
    options = argparse.ArgumentParser(description="How fast clips are joined.")
    options.add_argument("--quick", action="store_true", help="8 clips of 2 s instead of 20 and 200 of 5 s")
    options.add_argument("--moviepy", nargs="+", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--clips", type=int, nargs="+", help="how many clips, instead of 20 and 200")
    chosen = options.parse_args()
    if chosen.moviepy:
        return moviepy_join(chosen.moviepy[1:], chosen.moviepy[0])
    counts = chosen.clips or ([8] if chosen.quick else [20, 200])
    return asyncio.run(bench_all(counts, frames=48 if chosen.quick else 120))


async def bench_all(counts: Sequence[int], frames: int) -> None:
    """Measure all and print the table."""
    began = machine()
    with tempfile.TemporaryDirectory(prefix="storyreel-bench-") as folder:
        bench = Bench(Path(folder), frames)
        say("making clips …")
        sources = await bench.make_clips(min(DISTINCT, max(counts)))
        await compare(bench, sources, counts)
        megabits = sum(file.stat().st_size for file in sources) * 8 / 1e6 / (len(sources) * bench.frames / 24)
    sys.stdout.write(f"{began} Clips of {bench.frames // 24} s, {megabits:.1f} Mb/s.\n\n{table(bench.results)}\n")


if __name__ == "__main__":
    main()
