"""The cost of a grade: a clip that is conformed with it, against the same without, in CPU seconds.

    uv run python -m benchmarks.clips.grading [--rounds 3]

A clip of 5 s at 1080p with grain becomes 720p, as in `conforming`. The ways alternate; CPU seconds of the
children are counted, which other work on the machine changes little.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.clips.conforming import HOUSE, make_clip
from benchmarks.clips.turns import print_by_turns
from storyreel.specs.cut import EditPoints
from storyreel.tasks.join.conform import Conforming, conform_clip
from storyreel.tasks.media.grading.grade import Grading
from storyreel.tasks.storage.digests import file_digest


def _table(into: Path, points: int) -> Grading:
    """A grade by a table that changes nothing, of so many points an axis."""
    values = [point / (points - 1) for point in range(points)]
    rows = [f"{red:.6f} {green:.6f} {blue:.6f}" for blue in values for green in values for red in values]
    into.write_text(f"LUT_3D_SIZE {points}\n" + "\n".join(rows) + "\n")
    return Grading(lut=into, lut_digest=file_digest(into))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = make_clip(folder / "clip.mp4")
        table = _table(folder / "33.cube", 33)
        ways = {
            "without a grade": None,
            "exposure, temperature and contrast": Grading(exposure=0.3, temperature=5200, contrast=1.1),
            "these and saturation": Grading(exposure=0.3, temperature=5200, contrast=1.1, saturation=0.9),
            "a table of 33 points": table,
            "all of it": table.model_copy(update={"exposure": 0.3, "contrast": 1.1, "saturation": 0.9}),
        }
        edit, into = EditPoints(0, 150), folder / "house"

        def conform(grading: Grading | None) -> None:
            how = Conforming(edit, HOUSE, keep_sound=False, accept="", grading=grading)
            asyncio.run(conform_clip(clip, how, into=into))

        print_by_turns({way: partial(conform, grading) for way, grading in ways.items()}, rounds, into)


if __name__ == "__main__":
    main()
