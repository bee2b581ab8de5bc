"""The cost of one changed shot: its share of the whole film, with dissolves between all shots, in one run.

    uv run --group bench python -m benchmarks.films.changed_shot              40 clips of 5 s, about five minutes
    uv run --group bench python -m benchmarks.films.changed_shot --clips 200  half an hour
    uv run --group bench python -m benchmarks.films.changed_shot --music      music that gives way to every third shot

Prints a table in Markdown. The whole is conforming, dissolves, sound and join of clips that are there already. Each
render is a process of its own, as it is for a user: it remembers nothing, and checks each piece that it finds. Seconds
of the clock, and of the processor with those of all ffmpegs, which other work on the machine changes less; both from
when its imports are done.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from benchmarks.films.join import DISSOLVE, HOUSE, Bench, machine, processor_seconds, say
from storyreel.specs.cut import Event, edit_points
from storyreel.tasks.join.assemble import Composition, assemble_film
from storyreel.tasks.join.conform import Conforming, HouseClip, conform_clip
from storyreel.tasks.join.dissolve import DissolveClip, dissolve_clips
from storyreel.tasks.join.mux import FileMetadata
from storyreel.tasks.join.pieces import HouseCache
from storyreel.tasks.join.sound.layers import PLAIN, FilmSound, SoundLayer

DISTINCT = 40
"""Sources that are made; a film of more shots shows them again, each shot conformed for itself."""


class Cost(NamedTuple):
    """The time of one render, in seconds."""

    clock: float
    processor: float


class Film(NamedTuple):
    """A film of clips that are all as long, with dissolves between them, and the folder of its pieces."""

    folder: Path
    clips: int
    frames: int
    changed: tuple[int, ...] = ()
    """The shots that are replaced."""
    music: bool = False

    def render(self) -> Cost:
        """Make it in a process of its own, from what is there already."""
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            return process.submit(_render, self).result()


def _render(film: Film) -> Cost:
    return asyncio.run(Renderer(film).render())


class Renderer:
    """A film whose pieces are kept in a folder as the house cache keeps them."""

    def __init__(self, film: Film) -> None:
        self._film, self._bench = film, Bench(film.folder, film.frames)
        self._cut = self._bench.cut(film.clips, DISSOLVE)

    async def render(self) -> Cost:
        """Make the film."""
        before, began = processor_seconds(), time.perf_counter()
        *sources, spare = self._bench.clips(distinct(self._film.clips) + 1)
        shots = [sources[number % len(sources)] for number in range(self._film.clips)]
        for number in self._film.changed:
            shots[number] = spare
        clips = await asyncio.gather(*map(self._conform, shots, self._cut.events))
        pairs = zip(pairwise(shots), pairwise(clips), self._cut.events[1:], strict=True)
        dissolves = await asyncio.gather(*(self._dissolve(*pair) for pair in pairs))
        spoken = tuple((event.start, event.end) for event in self._cut.events[::3])
        music = SoundLayer(file=self._bench.music, gain=-12, start=0, end=self._cut.frames, duck="dialogue")
        sound = FilmSound(layers=(music,), dialogue=spoken) if self._film.music else PLAIN
        composition = Composition(self._cut, HOUSE, clips, dict(dissolves), FileMetadata("Film"), sound=sound)
        await assemble_film(composition, self._bench.out, cache=HouseCache(self._bench.folder / "sound"))
        return Cost(time.perf_counter() - began, processor_seconds() - before)

    async def _conform(self, source: Path, event: Event) -> HouseClip:
        edit = edit_points(event, self._bench.frames, "free")
        into = self._bench.folder / "house" / f"{event.shot}-{source.stem}"
        return await conform_clip(source, Conforming(edit, HOUSE), into=into)

    async def _dissolve(
        self, sources: tuple[Path, Path], clips: tuple[HouseClip, HouseClip], event: Event
    ) -> tuple[str, DissolveClip]:
        into = self._bench.folder / "dissolves" / "-".join((event.shot, *(source.stem for source in sources)))
        return event.shot, await dissolve_clips(*clips, event.dissolve_in, HOUSE, into)


def distinct(clips: int) -> int:
    """The sources that a film of so many shots has, without the one that replaces another."""
    return min(clips, DISTINCT)


def measure(clips: int, seconds: int, music: bool) -> str:
    """The table."""
    began = machine()
    with tempfile.TemporaryDirectory(prefix="storyreel-bench-") as folder:
        bench = Bench(Path(folder), frames=24 * seconds)
        say("making clips …")
        asyncio.run(bench.make_clips(distinct(clips) + 1))
        if music:
            asyncio.run(bench.make_music())
        film = Film(bench.folder, clips, bench.frames, music=music)
        changed = film._replace(changed=(clips // 2,))
        costs = {}
        for name, of in (("the whole", film), ("one shot changed", changed), ("nothing changed", changed)):
            say(f"{name} …")
            costs[name] = of.render()
    whole = costs["the whole"]
    lines = [
        f"| {name} | {cost.clock:.2f} | {cost.clock / whole.clock:.1%} "
        f"| {cost.processor:.2f} | {cost.processor / whole.processor:.1%} |"
        for name, cost in costs.items()
    ]
    under = " under music" if music else ""
    head = f"| {clips} clips of {seconds} s{under} | seconds | of the whole | seconds of processor | of the whole |"
    return "\n".join((began, "", head, "|---|---:|---:|---:|---:|", *lines))


def main() -> None:
    """The command line."""
    options = argparse.ArgumentParser(description="What one changed shot costs.")
    options.add_argument("--clips", type=int, default=40)
    options.add_argument("--seconds", type=int, default=5, help="length of a clip")
    options.add_argument("--music", action="store_true", help="with music that gives way to dialogue")
    chosen = options.parse_args()
    sys.stdout.write(measure(chosen.clips, chosen.seconds, chosen.music) + "\n")


if __name__ == "__main__":
    main()
