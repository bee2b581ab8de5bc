"""Prints the deliverables of a planned film and of a finished one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storyreel.flows.planning.summary import amounts_of
from storyreel.flows.terminal import Column, Row, Terminal, print_rows, styled
from storyreel.specs.problems.phrases import abridged, counted

if TYPE_CHECKING:
    from storyreel.flows.planning.finishing.deliverables import PlannedDeliverable
    from storyreel.flows.planning.model import Plan
    from storyreel.flows.production.report import Rendering

_COLUMNS = (Column("deliverable"), Column("picture"), Column("codec"), Column("made from", is_text=True))


def print_deliverables(console: Terminal, plan: Plan) -> None:
    """Print a row for each deliverable of a film; nothing for a film without any."""
    if plan.deliverables:
        rows = [Row([each.name, each.picture, each.encoding, _made_from(plan, each)]) for each in plan.deliverables]
        print_rows(console, _COLUMNS, rows)


def print_finished(console: Terminal, rendering: Rendering) -> None:
    """Print a line for each deliverable that a run has made."""
    for each in rendering.deliverables:
        console.print(f"  {each.name}: {each.file}, {each.in_words}", soft_wrap=True)
        if each.level and each.level.shortfall:
            console.print(styled(("  sound:", "yellow"), f" {each.name}: {each.level.shortfall}"), soft_wrap=True)


def _made_from(plan: Plan, deliverable: PlannedDeliverable) -> str:
    """The takes that a deliverable is made from, and what they cost; of one that is left out, how to make it."""
    if deliverable.problem:
        return f"cannot be made: {deliverable.problem}"
    again = deliverable.shot_again
    drawn = deliverable.redrawn
    shared = len(plan.cut.events) - len(again) - drawn
    parts = [f"the takes of the film: {counted(shared, 'shot')}"] if shared else []
    parts += [f"drawn in its shape: {counted(drawn, 'shot')}"] if drawn else []
    parts += [f"made again in its shape: {abridged(again)}{_price(deliverable)}"] if again else []
    parts += [] if deliverable.is_made else [f"not made by this run; `--deliverable {deliverable.name}` makes it"]
    return "; ".join(parts)


def _price(deliverable: PlannedDeliverable) -> str:
    """A clause about what is still to be bought for it: `, for 0.60 USD`."""
    if not deliverable.to_buy:
        return ""
    return f", for {' and '.join(amounts_of(deliverable.to_buy, 'more at an unknown price'))}"
