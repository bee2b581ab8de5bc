"""How a plan and a finished film are shown to people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

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
    """A row a take, then the totals and what is worth knowing before."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=plan.title, title_justify="left", title_style="bold")
    table.add_column("take", no_wrap=True)
    table.add_column("from", no_wrap=True)
    table.add_column("asked for", no_wrap=True)
    table.add_column("cut", justify="right", no_wrap=True)
    table.add_column("bought", justify="right", no_wrap=True)
    table.add_column("price", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("why", overflow="fold")
    for take in plan.takes:
        table.add_row(*_row(take))
    console.print(table)
    console.print(f"{summary(plan)}. Longest chain: {_counted(plan.longest_chain, 'shot')}.", highlight=False)
    for warning in plan.warnings:
        console.print(f"[yellow]note[/yellow] {warning}", highlight=False)


def _row(take: PlannedTake) -> tuple[str | Text, ...]:
    price = "?" if take.price is None else ("free" if not take.price.amount else str(take.price))
    mark = "" if take.circled else " (not in the cut)"
    return (
        f"{take.shot} take {take.take}{mark}",
        take.request.provider,
        take.request.mode.value,
        f"{float(take.cut_seconds):.4g} s",
        f"{float(take.request.seconds):.4g} s",
        price,
        Text(take.state, style=_COLOURS[take.state]),
        take.reason,
    )


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
