"""The codecs of deliverables: CPU, bytes and likeness of a conformed clip in each, against a film's H.264.

    uv run python -m benchmarks.clips.codecs [--rounds 3]

Two seconds of a clip at 1080p with grain become 720p, as in `conforming`. The ways alternate; CPU seconds of the
children are counted, which other work on the machine changes little. Likeness is SSIM in dB to the clip in the size of
the house, without loss.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.clips.conforming import HOUSE, likeness, make_clip
from benchmarks.clips.examining import cpu_seconds
from storyreel.specs.cut import EditPoints
from storyreel.tasks.join.conform import Conforming, HouseClip, conform_clip
from storyreel.tasks.media.house_format import HouseFormat

FRAMES = 2 * HOUSE.rate.nominal
_CHANGES: dict[str, dict[str, object]] = {
    "**h264, high**": {},
    "h264, standard": {"quality": "standard"},
    "h264, draft": {"quality": "draft"},
    "h264, 8 Mbit/s": {"bit_rate": 8_000_000},
    "h265, high": {"codec": "h265"},
    "h265, standard": {"codec": "h265", "quality": "standard"},
    "h265, 8 Mbit/s": {"codec": "h265", "bit_rate": 8_000_000},
    "av1, high": {"codec": "av1"},
    "av1, standard": {"codec": "av1", "quality": "standard"},
    "av1, 8 Mbit/s": {"codec": "av1", "bit_rate": 8_000_000},
    "prores-422-hq": {"codec": "prores-422-hq"},
    "dnxhr-hq": {"codec": "dnxhr-hq"},
}
WAYS: dict[str, HouseFormat] = {name: HOUSE.model_copy(update=change) for name, change in _CHANGES.items()}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    facts: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        clip = make_clip(Path(name) / "clip.mp4", 2)
        for _ in range(rounds):
            for way, house in WAYS.items():
                into, made = Path(name) / "house", list[HouseClip]()
                how = Conforming(EditPoints(0, FRAMES), house, keep_sound=False, accept="")
                work = partial(conform_clip, clip, how, into=into)
                taken[way].append(cpu_seconds(lambda work=work, made=made: made.append(asyncio.run(work()))))  # type: ignore[misc]
                picture = made[0].picture
                if way not in facts:
                    rate = picture.stat().st_size * 8 * float(house.rate.exact) / FRAMES / 1e6
                    facts[way] = rate, likeness(picture, clip)
                shutil.rmtree(into)
    plain = median(taken["**h264, high**"])
    print("| | CPU | to the film's | Mbit/s | likeness | spread |\n|---|---:|---:|---:|---:|---:|")
    for way, seconds in taken.items():
        rate, like = facts[way]
        spread = (max(seconds) - min(seconds)) / median(seconds)
        cost = f"{median(seconds):.2f} s | {median(seconds) / plain:.2f}"
        print(f"| {way} | {cost} | {rate:.1f} | {like:.1f} dB | {spread:.0%} |")


if __name__ == "__main__":
    main()
