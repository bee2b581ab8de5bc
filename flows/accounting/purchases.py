"""Purchases from the ledger, as a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

from rich.text import Text

from storyreel.flows.accounting.spending import approximately, sentence
from storyreel.flows.terminal import Column, Row, Terminal, print_rows, styled
from storyreel.specs.frozen import Frozen
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.purchase import Event, Purchase, PurchaseFilter, State
from storyreel.tasks.ledger.reading.totals import Spend

_COLOURS = {
    State.INTENDED: "yellow",
    State.SUBMITTED: "cyan",
    State.FINISHED: "green",
    State.FAILED: "red",
    State.UNKNOWN: "bold red",
}
_COLUMNS = (
    Column("when"),
    Column("film", most=24),
    Column("slate"),
    Column("take", "right"),
    Column("service"),
    Column("state"),
    # A service's id may be long; --json prints it whole.
    Column("task", most=9),
    Column("cost", "right"),
    Column("reason", is_text=True),
)


class Purchases(Frozen):
    """The newest of the selected purchases, and what all of the selected ones cost."""

    shown: tuple[Purchase, ...]
    spent: Spend
    more: bool
    histories: dict[str, tuple[Event, ...]]
    """Events by key; empty unless they were asked for."""
    unnoted: tuple[str, ...] = ()
    """Keys of shown purchases of which this host has a clip that is not noted yet."""

    def as_json(self, full: bool) -> list[dict[str, Any]]:
        """The form that `ledger --json` prints; with the request and the brief if `full`."""
        return [
            _as_json(purchase, full, self.histories.get(purchase.order.key))
            | {"has_unnoted_clip": purchase.order.key in self.unnoted}
            for purchase in self.shown
        ]


def look_up(home: Home, wanted: PurchaseFilter, limit: int, with_history: bool) -> Purchases:
    """The newest `limit` of the selected purchases. Does not create a ledger if there is none."""
    if not home.has_ledger:
        return Purchases(shown=(), spent=Spend(), more=False, histories={})
    with closing(home.ledger_to_read()) as ledger:
        found = ledger.list(limit=limit + 1, **wanted)
        keys = [purchase.order.key for purchase in found[:limit]] if with_history else []
        unnoted = {receipt.key for receipt in home.clips().unnoted()}
        return Purchases(
            shown=found[:limit],
            unnoted=tuple(one.order.key for one in found[:limit] if one.order.key in unnoted),
            spent=ledger.spent(**wanted),
            more=len(found) > limit,
            histories={key: ledger.history(key) for key in keys},
        )


def print_purchases(console: Terminal, purchases: Purchases) -> None:
    """Print a row for each purchase, then what was spent."""
    if not purchases.shown:
        console.print("There are no such purchases.")
        return
    has_reasons = purchases.histories or any(purchase.reason for purchase in purchases.shown)
    columns = _COLUMNS if has_reasons else _COLUMNS[:-1]
    rows: list[Row] = []
    for purchase in purchases.shown:
        order, at = purchase.order, when(purchase.changed)
        title = f"{order.name}, {at}"
        rows.append(Row(_cells(purchase)[: len(columns)], title=title, told=4))
        events = purchases.histories.get(order.key, ())
        # No service knows the id of a take that was drawn here: it is the take's key.
        task = "" if purchase.is_free else None
        rows += (Row(_event_cells(event, task), title=f"  {when(event.at)}", told=4) for event in events)
    print_rows(console, columns, rows)
    more = " There are more: --limit shows them." if purchases.more else ""
    console.print(f"{sentence(purchases.spent)}{more}", soft_wrap=True)
    if any(map(_is_unknown, purchases.shown)):
        console.print("next: storyreel reconcile")
    if purchases.unnoted:
        takes = ", ".join(one.order.name for one in purchases.shown if one.order.key in purchases.unnoted)
        console.print(f"In the store and not noted here yet: {takes}; the next render does it.", soft_wrap=True)


def _is_unknown(purchase: Purchase) -> bool:
    """Whether only `reconcile` can find the outcome of an order."""
    is_left = purchase.state is State.INTENDED and purchase.is_abandoned()
    return (purchase.state is State.UNKNOWN or is_left) and not purchase.is_free


def _cells(purchase: Purchase) -> Sequence[str | Text]:
    order = purchase.order
    return (
        when(purchase.changed),
        order.film,
        order.slate,
        f"{order.take} draft" if order.is_draft else str(order.take),
        order.provider,
        Text(purchase.state, style=_COLOURS[purchase.state]),
        "" if purchase.is_free else purchase.task or "",
        _cost(purchase),
        purchase.reason,
    )


def _event_cells(event: Event, task: str | None) -> Sequence[str | Text]:
    """The cells of an event; `task` in place of its own, unless it is None."""
    state = event.state or "taken back"
    id = (event.task or "") if task is None else task
    cells = (when(event.at), "", "", "", "", state, id, str(event.cost or ""), event.reason)
    return [styled((cell, "dim")) for cell in cells]


def _cost(purchase: Purchase) -> str:
    """The cost of a purchase, with `≈` if it is an estimate."""
    if purchase.estimate:
        return "free" if purchase.is_free else approximately([purchase.estimate])
    return str(purchase.cost or ("unknown" if purchase.owed else ""))


def when(time: datetime) -> str:
    """A time in this machine's zone: `2026-11-29 12:00:00`."""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def _as_json(purchase: Purchase, full: bool, history: Sequence[Event] | None) -> dict[str, Any]:
    texts = {"request": purchase.order.request, "told": purchase.order.brief}
    order = purchase.order.model_dump(mode="json", exclude={"request", "brief"})
    rest = purchase.model_dump(mode="json", exclude={"order", "read", "reader"})
    whole = {name: json.loads(text) if text else None for name, text in texts.items()} if full else {}
    events = {"events": [event.model_dump(mode="json", exclude={"key"}) for event in history]} if history else {}
    return order | {"draft": purchase.order.is_draft} | rest | whole | events
