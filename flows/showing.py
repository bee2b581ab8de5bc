"""How a plan and a finished film are shown to people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from specs.cut import Cut
from specs.storyboard import Storyboard

if TYPE_CHECKING:
    from flows.plan import Plan, PlannedTake
    from flows.report import Rendering

_COLOURS = {"new": "yellow", "cached": "green", "resuming": "cyan", "unknown": "red"}


def print_valid(console: Console, film: Storyboard, cut: Cut) -> None:
    """A storyboard in which nothing is wrong."""
    shots = _counted(len(cut.events), "shot")
    console.print(
        f"{film.title}: {shots}, {cut.rate.timecode(cut.frames)} at {cut.rate} fps; nothing is wrong.",
        highlight=False,
        markup=False,
    )


def summary(plan: Plan) -> str:
    """A plan in a line: `7 shots, 28 s; 5 takes to make, 2 there already`."""
    states = Counter(take.state for take in plan.takes)
    parts = [f"{states['new']} to make"]
    parts += [f"{states['cached']} there already"] if states["cached"] else []
    parts += [f"{states['resuming']} under way"] if states["resuming"] else []
    parts += [f"{states['unknown']} unknown"] if states["unknown"] else []
    seconds = float(plan.cut.rate.seconds(plan.cut.frames))
    shots, takes = _counted(len(plan.cut.events), "shot"), _counted(len(plan.takes), "take")
    return f"{shots}, {seconds:.4g} s; {takes}: {', '.join(parts)}"


def print_plan(console: Console, plan: Plan) -> None:
    """A row a take, then the totals and what is worth knowing before. What is the same in all rows stands below."""
    columns = [column for column in _COLUMNS if column.name in _ALWAYS or _differs(column, plan)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=plan.title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column.name, justify=column.justify, no_wrap=column.name != "why", overflow="fold")
    for take in plan.takes:
        table.add_row(*(column.cell(take) for column in columns))
    console.print(table)
    shared = [f"{column.name} {column.cell(plan.takes[0])}" for column in _COLUMNS if column not in columns]
    console.print(". ".join([summary(plan), *([f"All {', '.join(shared)}"] if shared else [])]), highlight=False)
    if plan.longest_chain > 1:
        console.print(f"Longest chain of shots that continue each other: {plan.longest_chain}.", highlight=False)
    for warning in plan.warnings:
        console.print(f"[yellow]note[/yellow] {warning}", highlight=False)


@dataclass(frozen=True)
class _Column:
    """One column of the plan."""

    name: str
    cell: Callable[[PlannedTake], str | Text]
    justify: Literal["left", "right"] = "left"


def _price(take: PlannedTake) -> str:
    if take.price is None:
        return "unknown"
    return str(take.price) if take.price.amount else "free"


_COLUMNS = (
    _Column("take", lambda take: f"{take.shot} take {take.take}" + ("" if take.circled else " (not in the cut)")),
    _Column("from", lambda take: take.request.provider),
    _Column("as", lambda take: take.request.mode.value),
    _Column("cut", lambda take: f"{float(take.cut_seconds):.4g} s", "right"),
    _Column("made", lambda take: f"{float(take.request.seconds):.4g} s", "right"),
    _Column("price", _price, "right"),
    _Column("state", lambda take: Text(take.state, style=_COLOURS[take.state])),
    _Column("why", lambda take: take.reason),
)
_ALWAYS = ("take", "cut", "made", "state", "why")


def _differs(column: _Column, plan: Plan) -> bool:
    return len({str(column.cell(take)) for take in plan.takes}) > 1


def print_made(console: Console, made: Rendering, looked_at: str) -> None:
    """A finished film: where it is, and where its run can be looked at."""
    cached = sum(shot.cached for shot in made.shots)
    console.print(
        f"[green]✓[/green] [bold]{made.sequence}[/bold]\n"
        f"  {made.frames} frames at {made.fps} fps, {float(made.seconds):.4g} s; "
        f"{_counted(len(made.shots), 'take')}, {cached} there before; spent {made.spent}",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"  {looked_at}", highlight=False, markup=False, soft_wrap=True)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
