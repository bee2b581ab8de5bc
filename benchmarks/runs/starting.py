"""From the command to the first task: `uv run python -m benchmarks.runs.starting [--before CHECKOUT] [--rounds N]`.

A film of three shots in an empty home (the first run), then all cached with a server of the run's own, and with the one
that the run before has left. The rival is Prefect alone: a flow of one empty task, with the temporary server that
Prefect starts for it. With `--before` another checkout is measured in turn. Times are those until the first line that
tells of a take; processor time is that of all processes, without a server that stays.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

FILM = """storyboard: 1
title: Beginning
defaults: {duration: 2s}
shots:
  - {shot: 1A, action: A lamp is lit.}
  - {shot: 1B, action: A door opens.}
  - {shot: 1C, action: It is dark again.}
"""
BARE = """
from prefect import flow, task

@task
def first() -> None:
    print("take", flush=True)

@flow
def film() -> None:
    first()

film()
"""
COMMAND = "from storyreel.flows.commands.main import main; main()"
HERE = Path(__file__).parents[2]


def measure(program: list[str], home: Path, checkout: Path = HERE, **more: str) -> tuple[float, float]:
    """Seconds until the first line with the word `take`, and processor seconds of all processes until the end."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "STORYREEL_"))}
    environment = {**kept, "HOME": str(home), "PYTHONPATH": str(checkout), "DO_NOT_TRACK": "1", **more}
    environment["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] = "600"
    before, begun, first = os.times(), time.perf_counter(), 0.0
    with subprocess.Popen(
        [sys.executable, "-u", *program],
        cwd=home, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        assert process.stdout
        for line in process.stdout:
            if not first and "take" in line.split():
                first = time.perf_counter() - begun
    assert process.returncode == 0 and first
    after = os.times()
    return first, after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Print the medians of all rounds, and their ratios to Prefect alone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--before", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    checkouts = {"Storyreel": HERE} | ({"before": options.before.absolute()} if options.before else {})
    loads = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            bare = home / "bare.py"
            bare.write_text(BARE)
            for what in ("first run", "later run"):
                found[what, "Prefect alone"].append(measure([str(bare)], home))
                loads.append(os.getloadavg()[0])
        for name, checkout in checkouts.items():
            with tempfile.TemporaryDirectory() as folder:
                home = Path(folder)
                (home / "film.yaml").write_text(FILM)
                film = ["-c", COMMAND, "render", "film.yaml"]
                kept = {"STORYREEL_KEEP_MINUTES": "5"}
                found["first run", name].append(measure(film, home, checkout))
                found["later run", name].append(measure(film, home, checkout))
                if checkout == HERE:
                    measure(film, home, checkout, **kept)
                    found["later run", f"{name}, server kept"].append(measure(film, home, checkout, **kept))
                    stop = ["-c", COMMAND, "ui", "--stop"]
                    environment = {**os.environ, "HOME": str(home)}
                    subprocess.run([sys.executable, *stop], env=environment, check=True, stdout=subprocess.DEVNULL)
                loads.append(os.getloadavg()[0])
    print(f"load of the machine {min(loads):.0f} to {max(loads):.0f}, {os.cpu_count()} cores")
    print("| | to the first take | to Prefect alone | processor time |\n|---|---:|---:|---:|")
    for (what, name), times in found.items():
        first, processor = (statistics.median(each) for each in zip(*times, strict=True))
        rival = statistics.median(each for each, _ in found[what, "Prefect alone"])
        print(f"| {what}, {name} | {first:.1f} s | {first / rival:.2f} | {processor:.1f} s |")


if __name__ == "__main__":
    main()
