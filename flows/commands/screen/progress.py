"""Shows the progress of a run: live rows on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from rich import box
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from storyreel.flows.output import legible
from storyreel.flows.planning.model import Plan
from storyreel.flows.terminal import Terminal
from storyreel.tasks.progress import Stage, StageListener, StageReport

_COLOURS: dict[Stage, str] = {"done": "green", "cached": "green", "failed": "red", "unknown": "red", "waiting": "dim",
                                "stopped": "dim"}  # fmt: skip
_FINAL = ("done", "cached", "failed", "unknown", "stopped")
_ROWS = 24
"""Rows shown at most; of a longer film only takes under way and failed ones are shown."""


@dataclass
class _Row:
    """The latest stage of one take, or of the film as a whole."""

    name: str
    stage: Stage = "waiting"
    fraction: float = 0.0
    detail: str = ""
    waits: bool = False
    """Whether it waits because something is wrong."""
    last_wait: str = ""
    begun: float | None = None
    ended: float | None = None

    def update(self, report: StageReport, now: float) -> bool:
        """Take over a report, and return whether its stage, or what it waits for, is new. `now` is in monotonic
        seconds."""
        changed = report.stage != self.stage or report.waits_for not in ("", self.last_wait)
        if report.stage == "stopped":  # Not shown for a take that had not begun.
            changed = self.begun is not None
        self.stage, self.fraction, self.detail = report.stage, report.fraction, report.detail
        self.waits, self.last_wait = bool(report.waits_for), report.waits_for or self.last_wait
        if report.stage != "waiting" and self.begun is None:
            self.begun = now
        self.ended = now if report.stage in _FINAL else None
        return changed

    def seconds(self, now: float) -> float:
        return (self.ended or now) - self.begun if self.begun is not None else 0.0


@dataclass
class _Board:
    """All rows of a run, keyed by slate and take; the film itself is `("", 0)`, its deliverables count from 1."""

    rows: dict[tuple[str, int], _Row]

    def __rich__(self) -> RenderableType:
        now = time.monotonic()
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=False)
        for row in self._shown_rows():
            table.add_row(
                row.name,
                Text(row.stage, style=_COLOURS.get(row.stage, "yellow")),
                ProgressBar(total=1.0, completed=1.0 if row.stage in ("done", "cached") else row.fraction, width=24),
                f"{row.seconds(now):.0f} s" if row.begun is not None else "",
                Text(legible(row.detail), style="dim", overflow="ellipsis"),
            )
        takes = [row for (slate, _), row in self.rows.items() if slate]
        finished = sum(row.stage in ("done", "cached") for row in takes)
        return Group(table, Text(f"{finished} of {len(takes)} takes are finished", style="dim"))

    def _shown_rows(self) -> list[_Row]:
        rows = list(self.rows.values())
        if len(rows) <= _ROWS:
            return rows
        hidden = ("waiting", "done", "cached")
        return [row for row in rows if row.waits or row.stage not in hidden][:_ROWS]


@contextmanager
def show_progress(plan: Plan, console: Terminal) -> Iterator[StageListener]:
    """Yield a listener that shows the stages of a run on the console."""
    made = (take for take in plan.takes if not (take.waits_for or take.is_redrawn))
    rows = {(take.shot, take.take): _Row(f"{take.shot} take {take.take}") for take in made}
    deliverables = enumerate(plan.deliverables, 1)
    others = {("", number): _Row(f"deliverable {each.name}") for number, each in deliverables if each.is_made}
    board = _Board({**rows, ("", 0): _Row("film"), **others})

    def listener(report: StageReport) -> None:
        row = board.rows.get((report.slate, report.take))
        if row and row.update(report, time.monotonic()) and not console.is_terminal:
            _print_line(console, row)

    with Live(board, console=console, refresh_per_second=6) if console.is_terminal else nullcontext():
        yield listener


def _print_line(console: Terminal, row: _Row) -> None:
    took = f" ({row.seconds(time.monotonic()):.1f} s)" if row.stage in _FINAL and row.begun is not None else ""
    detail = f": {row.detail}" if row.detail else ""
    console.print(f"{row.name}: {row.stage}{took}{detail}", soft_wrap=True)
