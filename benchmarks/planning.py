"""How long a storyboard takes to read and to plan, against the bare YAML parser on the same text.

The plan is made once with an empty ledger, and once beside a ledger of 100,000 purchases in which every take of the
film was bought before in another form, so that the reason for each is looked up.

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
from sqlalchemy import create_engine, insert, select

from storyreel.flows.planning.history import open_history
from storyreel.flows.planning.model import History, Plan
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
_NOTHING = History(purchases=lambda _: {}, holds=lambda _: False)
_ROWS = 100_000


def main() -> None:
    """Measure and print a table; each figure is the best of three."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| shots | YAML parser s | read s | plan s | plan beside 100,000 purchases s | read ÷ parser |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "film.yaml"
        for shots in (100, 1000, 10_000):
            file.write_text(_film(shots, "does"))
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
            parsing = _best(lambda loader=loader: yaml.load(file.read_text(), loader))
            reading = _best(lambda: read(file))
            film = read(file)
            planning = _best(lambda film=film: make_plan(film, _NOTHING))
            home = Home.of({"STORYREEL_HOME": f"{folder}/{shots}"})
            file.write_text(_film(shots, "did"))
            _fill(home, make_plan(read(file), _NOTHING))

            def beside(film=film, home=home) -> None:
                with open_history(home) as history:
                    plan = make_plan(film, history)
                assert all(take.reason == "changed: action" for take in plan.takes)

            print(
                f"| {shots} | {parsing:.3f} | {reading:.3f} | {planning:.3f} | {_best(beside):.3f} "
                f"| {reading / parsing:.1f} |"
            )


def _film(shots: int, word: str) -> str:
    rows = (f"  - {{shot: S{n}, action: Ana {word} {n}., size: wide, camera: push in}}" for n in range(shots))
    return _HEAD + "\n".join(rows)


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
