"""The cost of the commands that only look, and of reading and planning a storyboard.

The commands are measured in processor time of whole processes, each between two of both rivals, so that a machine that
has other work slows all. The one imports pydantic, yaml, typer and rich and does nothing: most of what these do is
imported when it is first used. The other uses them once: a command that reads a line of YAML into a model and prints it
as a table. `--before FOLDER` measures another checkout in the same turns.

Reading and planning are measured in one process, against the bare YAML parser on the same text. The plan is made once
with an empty ledger, and once beside a ledger of 100,000 purchases in which every take of the film was bought before in
another form, so that the reason for each is looked up. `narrated` is the plan of the same film with a spoken line a
shot, on whose length the shot depends.

uv run python -m benchmarks.runs.planning [--before FOLDER]
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import yaml
from sqlalchemy import create_engine, insert, select

from storyreel.flows.planning.history import History, open_history
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.plan import make_plan
from storyreel.specs.reading import read
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Order
from storyreel.tasks.ledger.schema import PURCHASES

_HEAD = """
storyboard: 1
title: Long
look: {prompt: grey light, avoid: text}
cast:
  ana: {name: Ana, description: a baker, references: [https://example.org/ana.png]}
locations:
  shop: {description: a small shop, references: [https://example.org/shop.png]}
defaults: {cast: [ana], location: shop, duration: 3s, provider: dashscope}
shots:
"""
_BARE = "import pydantic, yaml, typer, rich"
_IN_USE = """
import typer, yaml
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

class Film(BaseModel):
    title: str

def show(title: str, shots: int = 1) -> None:
    film = Film.model_validate(yaml.load(f"title: {title}", yaml.SafeLoader))
    table = Table("title")
    table.add_row(film.title)
    Console().print(table)

typer.run(show)
"""
_ORDER = """
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Order
ledger = Home.of().ledger()
for number in range(20):
    ledger.intend(Order(key=f"{number:064}", provider="dashscope", model="m", request="{}", film="Other",
                        slate=f"S{number}", take=1))
ledger.close()
"""
_COMMANDS = {
    "`--help`": "--help",
    "`validate`, 3 shots": "validate 3.yaml",
    "`plan`, 3 shots": "plan 3.yaml",
    "`validate`, 1,000 shots": "validate 1000.yaml",
    "`plan`, 1,000 shots": "plan 1000.yaml",
    "`ledger`, 20 orders": "ledger",
}
_TURNS = 9
_NOTHING = History(purchases=lambda _: {}, holds=lambda _: False)
_ROWS = 100_000


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--before", type=Path, help="another checkout with its own .venv")
    before: Path | None = parser.parse_args().before
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()}\n")
    _commands([Path(sys.executable).parent, *([before / ".venv" / "bin"] if before else [])])
    _reading_and_planning()


def _commands(checkouts: list[Path]) -> None:
    """Print the processor time of each command, as a multiple of that of the rivals right before and after it.

    The median of some turns: on a busy machine a process takes half as much again at one moment as at another.
    """
    with tempfile.TemporaryDirectory() as folder:
        for shots in (3, 1000):
            (Path(folder) / f"{shots}.yaml").write_text(_film(shots, "does"))
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"STORYREEL_HOME": f"{folder}/home", "COLUMNS": "120"}
        subprocess.run([checkouts[0] / "python", "-c", _ORDER], env=environment, check=True)

        def seconds(*line: str | Path) -> float:
            return _processor_seconds(list(line), folder, environment)

        def rivals() -> tuple[float, float]:
            python = checkouts[0] / "python"
            return seconds(python, "-c", _BARE), seconds(python, "-c", _IN_USE, "Long")

        every: list[tuple[float, float]] = []
        ratios: dict[tuple[str, int], list[float]] = {}
        for _ in range(_TURNS):
            for name, words in _COMMANDS.items():
                before = rivals()
                taken = [seconds(bin_ / "storyreel", *words.split()) for bin_ in checkouts]
                bare, in_use = ((one + two) / 2 for one, two in zip(before, rivals(), strict=True))
                every.append((bare, in_use))
                for column, ratio in enumerate((*(each / bare for each in taken), taken[0] / in_use)):
                    ratios.setdefault((name, column), []).append(ratio)
    bare, in_use = (median(times) for times in zip(*every, strict=True))
    print(f"bare imports: {bare:.3f} s of the processor; the same libraries, used once: {in_use:.3f} s\n")
    columns = ["to the bare imports", *["before"] * (len(checkouts) - 1), "to the libraries in use"]
    print(f"| command | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    for name in _COMMANDS:
        print(f"| {name} | {' | '.join(f'{median(ratios[name, n]):.1f}' for n in range(len(columns)))} |")
    print()


def _processor_seconds(line: list[str | Path], folder: str, environment: dict[str, str]) -> float:
    begun = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(line, cwd=folder, env=environment, check=True, capture_output=True)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime - begun.ru_utime + ended.ru_stime - begun.ru_stime


def _reading_and_planning() -> None:
    """Print a table; each figure is the best of three."""
    print("| shots | YAML parser s | read s | plan s | narrated s | plan beside 100,000 purchases s | read ÷ parser |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "film.yaml"
        for shots in (100, 1000, 10_000):
            file.write_text(_film(shots, "does"))
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
            parsing = _best(lambda loader=loader: yaml.load(file.read_text(), loader))
            reading = _best(lambda: read(file))
            film = read(file)
            planning = _best(lambda film=film: make_plan(film, _NOTHING))
            file.write_text(_film(shots, "does", spoken=True))
            spoken = read(file)
            narrated = _best(lambda film=spoken: make_plan(film, _NOTHING))
            home = Home.of({"STORYREEL_HOME": f"{folder}/{shots}"})
            file.write_text(_film(shots, "did"))
            _fill(home, make_plan(read(file), _NOTHING))

            def beside(film=film, home=home) -> None:
                with open_history(home) as history:
                    plan = make_plan(film, history)
                assert all(take.reason == "changed: action" for take in plan.takes)

            print(
                f"| {shots} | {parsing:.3f} | {reading:.3f} | {planning:.3f} | {narrated:.3f} | {_best(beside):.3f} "
                f"| {reading / parsing:.1f} |"
            )


def _film(shots: int, word: str, *, spoken: bool = False) -> str:
    """A film; `spoken`, if a service speaks a line of each shot, which is as long as that."""
    said = ", duration: speech, narration: Ana does {n}." if spoken else ""
    rows = (
        f"  - {{shot: S{n}, action: Ana {word} {n}., size: wide, camera: push in{said.format(n=n)}}}"
        for n in range(shots)
    )
    return _HEAD.replace("shots:", "speech: {provider: dashscope}\nshots:" if spoken else "shots:") + "\n".join(rows)


def _fill(home: Home, plan: Plan) -> None:
    """A ledger in which each take of the plan was bought again and again, under keys of other versions."""
    ledger = home.ledger()
    for take in plan.takes:
        request = take.request
        ledger.intend(
            Order(
                key=take.key, provider=request.provider, model=request.model, request=request.canonical(),
                film=plan.title, scene=take.scene, slate=take.shot, take=take.take, brief=take.chosen.brief.dump(),
                price=take.price,
            )
        )  # fmt: skip
    ledger.close()
    engine = create_engine(f"sqlite:///{home.root / 'ledger.sqlite'}")
    with engine.begin() as connection:
        rows = [dict(row) for row in connection.execute(select(PURCHASES)).mappings()]
        for version in range(_ROWS // len(rows) - 1):
            older = {"intended": f"2026-{version:04d}"}
            again = [row | older | {"key": f"{version:08d}{row['key'][:56]}"} for row in rows]
            connection.execute(insert(PURCHASES), again)
    engine.dispose()


def _best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


if __name__ == "__main__":
    main()
