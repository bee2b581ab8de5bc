"""The cost of a deliverable in another shape and rate, against the film itself and a copy of the master, in one run.

    uv run --group bench python -m benchmarks.films.deliverables              12 clips of 4 s, about three minutes
    uv run --group bench python -m benchmarks.films.deliverables --clips 40

Prints a table in Markdown: seconds of the processor, those of all ffmpegs with them, each render from pieces that are
there already or not, by turns; and how near each picture is to the clips themselves, scaled and not encoded again.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable
from itertools import pairwise
from pathlib import Path

import ffmpeg

from benchmarks.films.join import DISSOLVE, HOUSE, Bench, machine, processor_seconds, say
from storyreel.specs.cut import Cut, edit_points
from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.assemble import Composition, assemble_film
from storyreel.tasks.join.conform import Conforming, HouseClip, conform_clip
from storyreel.tasks.join.dissolve import dissolve_clips
from storyreel.tasks.join.mux import FileMetadata
from storyreel.tasks.join.pieces import HouseCache
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.house_format import HouseFormat

PHONE = HOUSE.model_copy(update={"width": 720, "height": 406, "rate": FrameRate.parse(25)})
"""Smaller and at another rate: every frame of it is scaled and encoded again."""
SAME = HOUSE.model_copy(update={"width": 720, "height": 406})
"""At the film's rate, so that its frames can be compared with those of the clips."""


async def joined(bench: Bench, files: list[Path], cut: Cut, house: HouseFormat, pieces: str, dissolve: bool) -> Path:
    """A film of clips in a house format, with its pieces in a folder of this name."""
    folder = bench.folder / pieces

    async def conformed(number: int, file: Path) -> HouseClip:
        event = cut.events[number]
        edit = edit_points(event, house.rate.frame_at(HOUSE.rate, bench.frames), "free")
        into = folder / f"{event.shot}-{file.stem}"
        return await conform_clip(file, Conforming(edit, house, accept=""), into=into)

    clips = await asyncio.gather(*(conformed(*each) for each in enumerate(files)))
    names = [f"{event.shot}-{file.stem}" for event, file in zip(cut.events, files, strict=True)]
    made = {}
    for (before, after), event, (one, other) in zip(pairwise(clips), cut.events[1:], pairwise(names), strict=True):
        if dissolve:
            into = folder / f"{one}-{other}"
            made[event.shot] = await dissolve_clips(before, after, event.dissolve_in, house, into)
    out = bench.folder / f"{pieces}.mp4"
    composition = Composition(cut, house, clips, made, FileMetadata("Film"))
    await assemble_film(composition, out, cache=HouseCache(folder / "sound"))
    return out


async def copied(master: Path, house: HouseFormat, into: Path) -> Path:
    """The master encoded again in a house format, with the same options as each piece of a deliverable."""
    source = ffmpeg.input(str(master))
    picture = source.video.filter("fps", str(house.rate.exact)).filter("scale", house.width, house.height)
    options = {**house.picture_options(), "c:a": "aac"}
    await run(ffmpeg.output(house.tagged(picture), source.audio, str(into), **options))
    return into


def nearness(film: Path, files: list[Path], house: HouseFormat, frames: int) -> float:
    """The mean PSNR, in dB, of a film of whole clips against the clips themselves."""
    scaled = "".join(
        f"[{number}:v]trim=end_frame={frames},setpts=PTS-STARTPTS,scale={house.width}:{house.height}[v{number}];"
        for number in range(1, len(files) + 1)
    )
    joined = "".join(f"[v{number}]" for number in range(1, len(files) + 1))
    graph = f"{scaled}{joined}concat=n={len(files)}:v=1:a=0,settb=1/24,setpts=N[whole];"
    graph += "[0:v]settb=1/24,setpts=N[film];[film][whole]psnr"
    inputs = [word for file in (film, *files) for word in ("-i", str(file))]
    done = subprocess.run(
        [find_ffmpeg().path, *inputs, "-filter_complex", graph, "-f", "null", "-"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(re.findall(r"average:([0-9.]+)", done.stderr)[-1])


async def measure(clips: int, seconds: int, rounds: int) -> str:
    """The table."""
    began = machine()
    with tempfile.TemporaryDirectory(prefix="storyreel-bench-") as folder:
        bench = Bench(Path(folder), frames=24 * seconds)
        say("making clips …")
        *files, spare = await bench.make_clips(clips + 1)
        changed = [*files[: clips // 2], spare, *files[clips // 2 + 1 :]]
        cut, plain = bench.cut(clips, DISSOLVE), bench.cut(clips, 0)
        other = cut.at_rate(PHONE.rate)
        costs: dict[str, list[float]] = {}

        async def timed(name: str, work: Awaitable[Path]) -> Path:
            say(f"{name} …")
            before = processor_seconds()
            made = await work
            costs.setdefault(name, []).append(processor_seconds() - before)
            return made

        for turn in range(rounds):
            one, two = f"film-{turn}", f"phone-{turn}"
            film = await timed("the film", joined(bench, files, cut, HOUSE, one, True))
            await timed("a deliverable, 720×406 at 25 fps", joined(bench, files, other, PHONE, two, True))
            await timed("the same, one shot changed", joined(bench, changed, other, PHONE, two, True))
            await timed("the same, nothing changed", joined(bench, changed, other, PHONE, two, True))
            into = bench.folder / f"copy-{turn}.mp4"
            await timed("a copy of the master", copied(film, PHONE, into))
        master = await joined(bench, files, plain, HOUSE, "plain", False)
        small = await joined(bench, files, plain, SAME, "small", False)
        again = await copied(master, SAME, bench.folder / "again.mp4")
        near = {each.stem: nearness(each, files, SAME, bench.frames) for each in (small, again)}
    whole = statistics.median(costs["the film"])
    lines = [
        f"| {name} | {statistics.median(took):.2f} | {statistics.median(took) / whole:.2f} "
        f"| {(max(took) - min(took)) / statistics.median(took):.0%} |"
        for name, took in costs.items()
    ]
    head = f"| {clips} clips of {seconds} s | seconds of processor | to the film | spread |"
    quality = f"Nearness to the clips: the deliverable {near['small']:.1f} dB, the copy {near['again']:.1f} dB."
    return "\n".join((began, "", head, "|---|---:|---:|---:|", *lines, "", quality))


def main() -> None:
    """The command line."""
    options = argparse.ArgumentParser(description="What a deliverable costs.")
    options.add_argument("--clips", type=int, default=12)
    options.add_argument("--seconds", type=int, default=4, help="length of a clip")
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    sys.stdout.write(asyncio.run(measure(chosen.clips, chosen.seconds, chosen.rounds)) + "\n")


if __name__ == "__main__":
    main()
