"""Rows of the ledger as they are written: adding events, models as column values. `reading` reads them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, literal, null, select

from storyreel.specs.money import Money
from storyreel.tasks.ledger.owner import Owner
from storyreel.tasks.ledger.purchase import Order
from storyreel.tasks.ledger.schema import EVENTS, PURCHASES


def add_event(
    connection: Connection, key: str, *, taken_back: str | None = None, at: ColumnElement[str] | None = None
) -> None:
    """Add an event with the present values of a row; `taken_back` is why its order was undone, `at` when."""
    gone = taken_back is not None
    copied = ("key", "task", "clip", "cost", "currency", "owner_host", "owner_pid")
    values = {name: PURCHASES.c[name] for name in copied} | {
        "at": at if at is not None else PURCHASES.c.changed,
        "state": null() if gone else PURCHASES.c.state,
        "reason": literal(taken_back, EVENTS.c.reason.type) if gone else PURCHASES.c.reason,
    }
    source = select(*values.values()).where(PURCHASES.c.key == key)
    connection.execute(insert(EVENTS).from_select(list(values), source))


def is_owned_by(owner: Owner) -> ColumnElement[bool]:
    """The condition on rows that a run owns."""
    return and_(*(PURCHASES.c[name] == value for name, value in owner_columns(owner).items()))


def owner_columns(owner: Owner) -> dict[str, Any]:
    """Column values of an owner."""
    return {"owner_host": owner.host, "owner_pid": owner.pid, "owner_started": owner.started, "owner_run": owner.run}


def order_columns(order: Order) -> dict[str, Any]:
    """Column values of an order."""
    price = order.price
    priced = {"price": str(price.amount) if price else None, "price_currency": price.currency if price else None}
    return order.model_dump(exclude={"price"}) | priced


def cost_columns(cost: Money | None) -> dict[str, Any]:
    """Column values of a charged cost, none if it is unknown, so that a stored cost stays."""
    return {"cost": str(cost.amount), "currency": cost.currency} if cost else {}
