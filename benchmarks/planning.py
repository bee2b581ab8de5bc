"""How long a storyboard takes to read and to plan, against the bare YAML parser on the same text.

uv run python benchmarks/planning.py
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from flows.plan import History, make
from specs.reading import read

_HEAD = """
storyboard: 1
title: Long
look: {prompt: grey light, avoid: text}
cast:
  ana: {name: Ana, description: a baker, references: [https://example.org/ana.png]}
locations:
  shop: {description: a small shop, references: [https://example.org/shop.png]}
defaults: {cast: [ana], location: shop, duration: 3s}
shots:
"""
_NOTHING = History(purchases=lambda _: {}, holds=lambda _: False)


def main() -> None:
    """Measure and print a table; each figure is the best of three."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| shots | YAML parser s | read s | plan s | read ÷ parser |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "film.yaml"
        for shots in (100, 1000):
            rows = (f"  - {{shot: S{n}, action: Ana does {n}., size: wide, camera: push in}}" for n in range(shots))
            file.write_text(_HEAD + "\n".join(rows))
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
            parsing = _best(lambda loader=loader: yaml.load(file.read_text(), loader))
            reading = _best(lambda: read(file))
            film = read(file)
            planning = _best(lambda film=film: make(film, _NOTHING))
            print(f"| {shots} | {parsing:.3f} | {reading:.3f} | {planning:.3f} | {reading / parsing:.1f} |")


def _best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


if __name__ == "__main__":
    main()
