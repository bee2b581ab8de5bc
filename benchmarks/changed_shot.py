"""The cost of one changed shot: its share of the whole film, with dissolves between all shots, in one run.

    uv run --group bench python -m benchmarks.changed_shot               40 clips of 5 s, about five minutes
    uv run --group bench python -m benchmarks.changed_shot --clips 200   half an hour

Prints a table in Markdown. The whole is conforming, dissolves, sound and join of clips that are there already. Seconds
of the clock, and of the processor with those of all ffmpegs, which other work on the machine changes less.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from benchmarks.join import DISSOLVE, HOUSE, Bench, machine, say
from storyreel.specs.cut import Cut, Event, edit_points
from storyreel.tasks.join.assemble import assemble_film
from storyreel.tasks.join.conform import HouseClip, conform_clip
from storyreel.tasks.join.dissolve import DissolveClip, dissolve_clips

DISTINCT = 40
"""Sources that are made; a film of more shots shows them again, each shot conformed for itself."""


class Cost(NamedTuple):
    """The time of one render, in seconds."""

    clock: float
    processor: float


class Renderer:
    """A film whose pieces are kept in a folder as the house cache keeps them."""

    def __init__(self, bench: Bench, cut: Cut) -> None:
        self._bench, self._cut = bench, cut

    async def render(self, sources: Sequence[Path]) -> Cost:
        """Make the film of these sources, one a shot, from what is there already."""
        before, began = os.times(), time.perf_counter()
        clips = await asyncio.gather(*map(self._conform, sources, self._cut.events))
        pairs = zip(pairwise(sources), pairwise(clips), self._cut.events[1:], strict=True)
        dissolves = await asyncio.gather(*(self._dissolve(*pair) for pair in pairs))
        await assemble_film(
            self._cut, clips, dict(dissolves), HOUSE, self._bench.out, cache=self._bench.folder / "sound", title="Film"
        )
        after = os.times()
        return Cost(time.perf_counter() - began, sum(after[:4]) - sum(before[:4]))

    async def _conform(self, source: Path, event: Event) -> HouseClip:
        edit = edit_points(event, self._bench.frames, "free")
        into = self._bench.folder / "house" / f"{event.shot}-{source.stem}"
        return await conform_clip(source, edit, HOUSE, keep_sound=True, into=into, accept=None)

    async def _dissolve(
        self, sources: tuple[Path, Path], clips: tuple[HouseClip, HouseClip], event: Event
    ) -> tuple[str, DissolveClip]:
        into = self._bench.folder / "dissolves" / "-".join((event.shot, *(source.stem for source in sources)))
        return event.shot, await dissolve_clips(*clips, event.dissolve_in, HOUSE, into)


async def measure(clips: int, seconds: int) -> str:
    """The table."""
    began = machine()
    with tempfile.TemporaryDirectory(prefix="storyreel-bench-") as folder:
        bench = Bench(Path(folder), frames=24 * seconds)
        say("making clips …")
        *sources, spare = await bench.make_clips(min(clips, DISTINCT) + 1)
        shots = [sources[number % len(sources)] for number in range(clips)]
        renderer = Renderer(bench, bench.cut(clips, DISSOLVE))
        costs = {}
        changed = [*shots[: clips // 2], spare, *shots[clips // 2 + 1 :]]
        for name, of in (("the whole", shots), ("one shot changed", changed), ("nothing changed", changed)):
            say(f"{name} …")
            costs[name] = await renderer.render(of)
    whole = costs["the whole"]
    lines = [
        f"| {name} | {cost.clock:.2f} | {cost.clock / whole.clock:.1%} "
        f"| {cost.processor:.2f} | {cost.processor / whole.processor:.1%} |"
        for name, cost in costs.items()
    ]
    head = f"| {clips} clips of {seconds} s | seconds | of the whole | seconds of processor | of the whole |"
    return "\n".join((began, "", head, "|---|---:|---:|---:|---:|", *lines))


def main() -> None:
    """The command line."""
    options = argparse.ArgumentParser(description="What one changed shot costs.")
    options.add_argument("--clips", type=int, default=40)
    options.add_argument("--seconds", type=int, default=5, help="length of a clip")
    chosen = options.parse_args()
    sys.stdout.write(asyncio.run(measure(chosen.clips, chosen.seconds)) + "\n")


if __name__ == "__main__":
    main()
