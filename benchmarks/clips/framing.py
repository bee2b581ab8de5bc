"""The cost of another shape: a clip that is conformed into 9:16, cut or whole, against bars and a graph of ffmpeg.

    uv run python -m benchmarks.clips.framing [--rounds 3]

Two seconds of a clip of 16:9 at 1080p with grain, as in `conforming`, become 720 × 1280. The ways alternate;
CPU seconds of the children are counted, which other work on the machine changes little.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import ffmpeg

from benchmarks.clips.conforming import HOUSE, make_clip
from benchmarks.clips.turns import print_by_turns
from storyreel.specs.cut import EditPoints
from storyreel.tasks.join.conform import Conforming, conform_clip
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.shape.framing import Framing

_TALL = HOUSE.model_copy(update={"width": 720, "height": 1280})
_FRAMES = 60


def _in_one_graph(clip: Path, into: Path) -> None:
    """Scale the picture until it fills the frame, then cut it, as is usual."""
    picture = ffmpeg.input(str(clip), threads=1).video.filter("scale", -2, _TALL.height, flags="bicubic")
    picture = _TALL.tagged(picture.filter("crop", _TALL.width, _TALL.height))
    options = {**_TALL.picture_options(), "frames:v": _FRAMES}
    into.mkdir()
    ffmpeg.run(ffmpeg.output(picture, str(into / "picture.mp4"), **options), cmd=str(find_ffmpeg().path), quiet=True)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip, into = make_clip(folder / "clip.mp4"), folder / "house"

        def conform(framing: Framing) -> None:
            how = Conforming(EditPoints(0, _FRAMES), _TALL, keep_sound=False, accept="", framing=framing)
            asyncio.run(conform_clip(clip, how, into=into))

        ways: dict[str, Callable[[], None]] = {
            "bars": partial(conform, Framing()),
            "cut": partial(conform, Framing(how="crop")),
            "cut, scaled before by one graph": partial(_in_one_graph, clip, into),
            "blurred sides": partial(conform, Framing(how="blur")),
        }
        print_by_turns(ways, rounds, into)


if __name__ == "__main__":
    main()
