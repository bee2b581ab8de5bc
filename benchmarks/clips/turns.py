"""Measures several ways of making the same, by turns, and prints them as a table."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

from benchmarks.clips.examining import cpu_seconds


def print_by_turns(ways: Mapping[str, Callable[[], object]], rounds: int, into: Path) -> None:
    """Print the CPU seconds of each way, to the first of them. Each writes the folder `into`, which is removed."""
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, work in ways.items():
            taken[way].append(cpu_seconds(work))
            shutil.rmtree(into)
    first = next(iter(ways))
    print(f"| | CPU | to {first} | spread |\n|---|---:|---:|---:|")
    for way, seconds in taken.items():
        spread = (max(seconds) - min(seconds)) / median(seconds)
        print(f"| {way} | {median(seconds):.2f} s | {median(seconds) / median(taken[first]):.2f} | {spread:.0%} |")
