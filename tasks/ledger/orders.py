"""Ordering: from the intent, which comes before the order, to what came of it.

Every change looks at the row as it is now, in a transaction that no other writer comes between, and leaves an event.
What a service has said (an id, a clip) is taken in even when the row has gone on meanwhile; nothing else is.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError

from storyreel.specs.money import Money
from storyreel.tasks.ledger import budget, rows, totals
from storyreel.tasks.ledger.book import Book
from storyreel.tasks.ledger.budget import Limit, Scope
from storyreel.tasks.ledger.errors import LedgerError
from storyreel.tasks.ledger.purchase import LEASE, Order, Purchase, State
from storyreel.tasks.ledger.transaction import Page, same

_UNDER_WAY = (State.INTENDED, State.SUBMITTED)


class Ordering(Book):
    """What a run says of the takes that it orders."""

    def intend(self, order: Order, limits: Sequence[Limit] = ()) -> bool:
        """Note that this run is about to order. False when the key has a row already: then it must not.

        Raises BudgetExceeded, with nothing noted, when the order would pass a limit.
        """
        attempts = 0

        def note(page: Page) -> bool:
            nonlocal attempts
            attempts += 1
            if limits:
                page.line_up()
            page.insert(order)
            _hold(page, order, limits)
            return True

        self._ordered[order.key], self._has_held = order, True
        try:
            return self._write(note)
        except IntegrityError:
            # The first attempt may have been committed although its answer was lost.
            return attempts > 1 and self._read(lambda page: _is_noted(page.rows.one(order.key)))

    def intend_again(self, seen: Purchase, order: Order, limits: Sequence[Limit] = ()) -> bool:
        """Order anew what has failed, what is gone, or what is free and was left. False when the row has moved since.

        The order has the same key; all else that it says of itself may be new. An unknown must be settled before:
        ValueError. Raises BudgetExceeded, with nothing changed, when the order would pass a limit.
        """
        if seen.state is State.UNKNOWN:
            raise ValueError(f"nobody knows what became of {seen.order.name}; it must be settled before it is ordered")
        if seen.order.key != order.key:
            raise ValueError(f"{order.name} is another request than the one that is ordered anew")
        attempts = 0

        def note(page: Page) -> bool:
            nonlocal attempts
            attempts += 1
            if limits:
                page.line_up()
            row = page.row(order.key)
            if attempts > 1 and _is_noted(row):
                return True
            if not same(row, seen) or (row.state in _UNDER_WAY and not (row.is_ours() or row.is_abandoned())):
                return False
            page.insert_again(order)
            _hold(page, order, limits)
            return True

        self._ordered[order.key], self._has_held = order, True
        return self._write(note)

    def take_over(self, seen: Purchase) -> bool:
        """Go on with a purchase whose owner is gone. False when the row has moved since it was seen."""

        def take(page: Page) -> bool:
            row = page.row(seen.order.key)
            if row.is_ours() and (row.state, row.task) == (seen.state, seen.task):
                return True
            return same(row, seen) and row.is_abandoned() and page.change(row.order.key, **page.held())

        self._has_held = True
        return self._write(take)

    def renew(self) -> None:
        """Show that this run is still at work on what it holds; to be called well within every LEASE."""
        self._write(lambda page: page.set_mine(lease_until=page.now(LEASE)))

    # What came of it

    def mark_submitted(self, key: str, task: str, cost: Money | None) -> bool:
        """The service has accepted the order and calls it `task`. False when another order stands in the row by now.

        Even then the order, its id and its cost are kept. A row that was taken back meanwhile is there again.
        """
        try:
            return self._write(lambda page: self._submitted(page, key, task, cost))
        except LedgerError as trouble:
            raise LedgerError(
                f"the service has accepted the order as {task}, and that could not be noted: {trouble.message}",
                f"when the ledger can be used again: storyreel reconcile --key {key[:12]} --attach {task}",
            ) from trouble

    def _submitted(self, page: Page, key: str, task: str, cost: Money | None) -> bool:
        row, order = page.rows.one(key), self._ordered.get(key)
        if row is None and order:
            # Somebody settled it as never made while its order was under way after all.
            row = page.insert(order)
        row = row or page.row(key)
        if row.task == task:
            return True
        was_given_up = row.task is None and row.state in (State.UNKNOWN, State.FAILED)
        if not was_given_up and not (row.is_ours() and row.state is State.INTENDED):
            page.note_stray(row, order or row.order, task, cost)
            return False
        if was_given_up and order:
            page.give_way(order)
        said = {"state": State.SUBMITTED, "task": task, "reason": "", "submitted": page.now()}
        return page.change(key, **said, **rows.costing(cost), **page.held())

    def mark_finished(self, key: str, clip: str, cost: Money | None = None) -> bool:
        """The clip is in the store, under this digest. A cost replaces one that was told before.

        False when the row is another run's by now, which will come to the same end. Twice is the same as once.
        """

        def finish(page: Page) -> bool:
            row = page.row(key)
            if row.state is State.FINISHED:
                # Fetched once more, because the store had lost it: a service may encode it anew.
                return row.clip == clip or page.change(key, clip=clip, **rows.costing(cost))
            done = {"state": State.FINISHED, "clip": clip, "reason": "", "finished": page.now()}
            return row.is_ours() and page.change(key, **done, **rows.costing(cost))

        return self._write(finish)

    def mark_failed(self, key: str, reason: str) -> bool:
        """The service's final verdict; unless it told a cost, it is not to be paid.

        False when the row is another run's by now, or has its clip.
        """

        def fail(page: Page) -> bool:
            row = page.row(key)
            may = row.is_ours() and row.state in _UNDER_WAY
            return may and page.change(key, state=State.FAILED, reason=reason, owed=False)

        return self._write(fail)

    def mark_unknown(self, key: str, reason: str) -> bool:
        """Nobody can tell whether the order was accepted. False when another run is at work on it, or somebody can."""

        def wonder(page: Page) -> bool:
            row = page.row(key)
            may = row.state in _UNDER_WAY and (row.is_ours() or row.is_abandoned())
            return may and page.change(key, state=State.UNKNOWN, reason=reason)

        return self._write(wonder)

    def withdraw(self, key: str) -> bool:
        """Take back an intent of this run that surely nobody has accepted; anything further stays.

        A key that was ordered before is again what it was.
        """

        def take_back(page: Page) -> bool:
            row = page.rows.one(key)
            if row is None or row.state is not State.INTENDED or not row.is_ours():
                return False
            return page.undo(row, "taken back: surely not accepted", (State.INTENDED,))

        return self._write(take_back)


def _is_noted(row: Purchase | None) -> bool:
    """Whether this run's intent is in the row."""
    return row is not None and row.is_ours() and row.state is State.INTENDED


def _hold(page: Page, order: Order, limits: Sequence[Limit]) -> None:
    """Raise BudgetExceeded when an order that was just noted passes a limit."""

    def committed(scope: Scope) -> tuple[Money, ...]:
        return totals.committed(page.connection, scope, order.film, order.slate, order.run, page.now())

    budget.hold(order, limits, committed)
