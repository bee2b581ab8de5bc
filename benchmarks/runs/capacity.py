"""Resources for a number of takes a day, from the cost of one take: the table in deployments/README.md.

    uv run python -m benchmarks.runs.capacity [--film-cpu 1.0] [--server-cpu 0.4] …

The costs of a take are what `scale` printed for films of 80 to 120 shots; the services' limits are the
published ones. It measures nothing; every figure is one of the formulas below.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, fields

from storyreel.tasks.polling import PastDurations, next_poll

DAY = 86_400.0
DAYS = (100, 10_000, 1_000_000)


@dataclass(frozen=True)
class Costs:
    """Of one take."""

    film_cpu: float = 0.42
    """CPU seconds of the film's process and ffmpeg."""
    server_cpu: float = 0.2
    """CPU seconds of Prefect's server and services, PostgreSQL and Redis."""
    rows: float = 113.0
    """Rows in Prefect's database."""
    row_bytes: float = 1220.0
    """Of one of them, with its indexes."""
    events: float = 11.0
    """Prefect events."""
    ledger_bytes: float = 3000.0
    """In the ledger: its row and its history."""
    seconds: float = 180.0
    """At the service."""
    clip_mb: float = 5.0
    """A clip of 5 s at 720p and 8 Mbit a second."""
    peak: float = 3.0
    """Times that the busiest hour is busier than the average."""

    @property
    def polls(self) -> int:
        """At the task until its clip is there, once the model is known from takes before."""
        known = PastDurations(fastest=self.seconds * 0.7, median=self.seconds)
        elapsed, polls = 0.0, 0
        while elapsed < self.seconds:
            elapsed, polls = elapsed + next_poll(elapsed, 2, known, 15), polls + 1
        return polls


Formula = Callable[[float, Costs], float]

LINES: tuple[tuple[str, str, Formula], ...] = (
    ("takes at services at once, on the average", "N × seconds ÷ 86,400", lambda n, c: n * c.seconds / DAY),
    ("the same in the busiest hour", "× peak", lambda n, c: c.peak * n * c.seconds / DAY),
    ("orders a second, busiest hour", "peak × N ÷ 86,400", lambda n, c: c.peak * n / DAY),
    ("polls a second, busiest hour", "peak × N × polls ÷ 86,400", lambda n, c: c.peak * n * c.polls / DAY),
    ("DashScope accounts by its 5 tasks at once", "⌈busiest at once ÷ 5⌉", lambda n, c: _up(n * c.seconds / 5, c)),
    ("DashScope accounts by its 20 polls a second", "⌈polls ÷ 20⌉", lambda n, c: _up(n * c.polls / 20, c)),
    ("DashScope accounts by its 5 orders a second", "⌈orders ÷ 5⌉", lambda n, c: _up(n / 5, c)),
    ("APIYI accounts by its 10 tasks at once", "⌈busiest at once ÷ 10⌉", lambda n, c: _up(n * c.seconds / 10, c)),
    ("Freepik keys by its 10 calls a second", "⌈(polls + orders) ÷ 10⌉", lambda n, c: _up(n * (c.polls + 1) / 10, c)),
    ("cores for films, busiest hour", "peak × N × film CPU ÷ 86,400", lambda n, c: c.peak * n * c.film_cpu / DAY),
    ("workers of 2 cores, half loaded", "⌈cores⌉, at least 2", lambda n, c: max(2, _up(n * c.film_cpu, c))),
    ("cores for Prefect, busiest hour", "peak × N × server CPU ÷ 86,400", lambda n, c: c.peak * n * c.server_cpu / DAY),
    ("Prefect events a second, busiest hour", "peak × N × events ÷ 86,400", lambda n, c: c.peak * n * c.events / DAY),
    ("rows a day in Prefect's database", "N × rows", lambda n, c: n * c.rows),
    ("GB a day in it", "rows × bytes of a row", lambda n, c: n * c.rows * c.row_bytes / 1e9),
    ("GB a year in the ledger", "365 × N × ledger bytes", lambda n, c: 365 * n * c.ledger_bytes / 1e9),
    ("commits a second in the ledger, busiest hour", "3 × orders", lambda n, c: 3 * c.peak * n / DAY),
    ("GB a day into the bucket", "N × 2 clips: as it came, and conformed", lambda n, c: n * 2 * c.clip_mb / 1000),
    ("GB a day out of it, at most", "N × 2 clips, joined elsewhere", lambda n, c: n * 2 * c.clip_mb / 1000),
    ("Mbit a second of it, busiest hour", "both × peak", lambda n, c: c.peak * n * 4 * c.clip_mb * 8 / DAY),
)  # fmt: skip


def _up(work: float, costs: Costs) -> float:
    """So many, each of which does one unit of work a second, for what comes in a day."""
    return math.ceil(costs.peak * work / DAY)


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for each in fields(Costs):
        options.add_argument(f"--{each.name.replace('_', '-')}", type=float, default=each.default)
    costs = Costs(**vars(options.parse_args()))
    print("a take: " + ", ".join(f"{each.name} {getattr(costs, each.name):g}" for each in fields(Costs)))
    print(f"polls: {costs.polls}\n\n| takes a day (N) | formula | " + " | ".join(f"{n:,}" for n in DAYS) + " |")
    print("|---|---|" + "---:|" * len(DAYS))
    for name, formula, value in LINES:
        print(f"| {name} | {formula} | " + " | ".join(_written(value(n, costs)) for n in DAYS) + " |")


def _written(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 or number == int(number) else f"{number:.2g}"


if __name__ == "__main__":
    main()
