"""The cost of words over the picture: their share of the join of the whole film, from clips to sequence, in one run.

    uv run --group bench python -m benchmarks.films.titles               120 clips of 5 s, half an hour
    uv run --group bench python -m benchmarks.films.titles --clips 12    some minutes

Prints a table in Markdown. The whole is conforming, dissolves, sound and join of clips that are there already; every
other row is a render that finds all of that. A film whose name alone is changed is written again, as it is for any
change: what words cost beyond that row is theirs. Each render is a process of its own. Seconds of the processor, with
those of all ffmpegs, from when its imports are done.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw

from benchmarks.films.changed_shot import distinct
from benchmarks.films.join import DISSOLVE, HOUSE, Bench, machine, processor_seconds, say
from storyreel.specs.cut import Event, edit_points
from storyreel.tasks.join.assemble import Composition, assemble_film, picture_ranges
from storyreel.tasks.join.conform import Conforming, HouseClip, conform_clip
from storyreel.tasks.join.mux import FileMetadata
from storyreel.tasks.join.overlay import OverlaidClip, Overlay, Stretch, lay_over, overlay_key, place_overlay, stretches
from storyreel.tasks.join.pieces import HouseCache, PicturePiece

_SECOND = 24


class Film(NamedTuple):
    """A film of clips of 5 s, and the words over it."""

    folder: Path
    clips: int
    dissolve: int
    name: str = "Film"
    words: tuple[tuple[str, int, int], ...] = ()
    """Text, first frame, end."""


class Cost(NamedTuple):
    """The cost of one render."""

    processor: float
    """Seconds."""
    words: float
    """Seconds of it for the pieces with words over them."""
    frames: int
    """Frames that were encoded for them."""


def _rendered(film: Film) -> Cost:
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(_render, film).result()


def _render(film: Film) -> Cost:
    return asyncio.run(Renderer(film).render())


class Renderer:
    """A film whose pieces are kept in a folder as the house cache keeps them."""

    def __init__(self, film: Film) -> None:
        self._film, self._bench = film, Bench(film.folder, 5 * _SECOND)
        self._cut = self._bench.cut(film.clips, film.dissolve)
        self._cache = film.folder / "cache"

    async def render(self) -> Cost:
        """Make the film."""
        began = processor_seconds()
        sources = self._bench.clips(distinct(self._film.clips))
        shots = [sources[number % len(sources)] for number in range(self._film.clips)]
        clips = await asyncio.gather(*map(self._conform, shots, self._cut.events))
        dissolves = await self._bench.dissolves(self._cut, clips) if self._film.dissolve else {}
        ranges = list(picture_ranges(self._cut, clips, dissolves))
        by_file: dict[Path, PicturePiece] = {piece.picture: piece for piece in (*clips, *dissolves.values())}
        before = processor_seconds()
        words = [_drawn(*each) for each in self._film.words]
        found = [each for part in ranges for each in stretches(by_file[part.file], part, words)]
        anew = sum(each.last - each.first for each in found if not self._piece(each).exists())
        laid = dict(await asyncio.gather(*map(self._laid, found)))
        took = processor_seconds() - before
        metadata = FileMetadata(self._film.name)
        composition = Composition(self._cut, HOUSE, clips, dissolves, metadata, overlaid=laid)
        await assemble_film(composition, self._bench.out, cache=HouseCache(self._cache))
        return Cost(processor_seconds() - began, took, anew)

    async def _conform(self, source: Path, event: Event) -> HouseClip:
        edit = edit_points(event, self._bench.frames, "free")
        into = self._film.folder / "house" / event.shot
        return await conform_clip(source, Conforming(edit, HOUSE, accept=""), into=into)

    async def _laid(self, stretch: Stretch) -> tuple[int, OverlaidClip]:
        return stretch.at, await lay_over(stretch, HOUSE, self._piece(stretch))

    def _piece(self, stretch: Stretch) -> Path:
        return self._cache / overlay_key(stretch, HOUSE, "")


def _drawn(text: str, start: int, end: int) -> Overlay:
    picture = Image.new("RGBA", (HOUSE.width, HOUSE.height))
    ImageDraw.Draw(picture).text(
        (160, 480), text, (255, 255, 255, 255), font_size=72, stroke_width=3, stroke_fill="#000"
    )
    words = place_overlay(picture, (0, 0), (start, end), (12, 12))
    assert words
    return words


def measure(clips: int, dissolve: int) -> list[str]:
    """The rows of the table for one kind of film."""
    with tempfile.TemporaryDirectory(prefix="storyreel-bench-") as folder:
        bench = Bench(Path(folder), frames=5 * _SECOND)
        say("making clips …")
        asyncio.run(bench.make_clips(distinct(clips)))
        film = Film(bench.folder, clips, dissolve)
        # Of 3 s: over a cut; and from the first to the last frame of shots, every 10 s, as burnt-in subtitles.
        at = clips // 2 * (5 * _SECOND - dissolve) - 36
        title = (("The Keeper of the Light", at, at + 3 * _SECOND),)
        lines = tuple((f"Line {n}", start, start + 2 * _SECOND) for n, start in enumerate(_places(clips)))
        costs = {
            name: (say(f"{name} …"), _rendered(of))[1]
            for name, of in (
                ("the whole, without words", film),
                ("its name changed", film._replace(name="Movie")),
                ("a title over 3 s", film._replace(words=title)),
                ("the title in other words", film._replace(words=(("The Keepers", *title[0][1:]),))),
                ("a line of 2 s every 5 s", film._replace(words=lines)),
                ("one of these lines changed", film._replace(words=(("Another", *lines[0][1:]), *lines[1:]))),
            )
        }
    whole, again = costs["the whole, without words"].processor, costs["its name changed"].processor
    kind = f"{clips} clips, {'dissolves' if dissolve else 'cuts'}"
    return [
        f"| {kind}: {name} | {cost.processor:.2f} | {cost.processor / whole:.1%} | {cost.words:.2f} "
        f"| {cost.words / whole:.1%} | {cost.words / again:.2f} | {cost.frames} |"
        for name, cost in costs.items()
    ]


def _places(clips: int) -> Sequence[int]:
    return range(_SECOND, clips * (5 * _SECOND - DISSOLVE) - 3 * _SECOND, 5 * _SECOND)


def main() -> None:
    """The command line."""
    options = argparse.ArgumentParser(description="What words over the picture cost.")
    options.add_argument("--clips", type=int, default=120)
    options.add_argument("--dissolves", action="store_true", help="with dissolves between all shots")
    chosen = options.parse_args()
    began = machine()
    rows = measure(chosen.clips, DISSOLVE if chosen.dissolves else 0)
    head = "| | processor, s | of the whole | words, s | of the whole | to a film written again | frames encoded |"
    sys.stdout.write("\n".join((began, "", head, "|---|---:|---:|---:|---:|---:|---:|", *rows, "")))


if __name__ == "__main__":
    main()
