"""Whatever happens to orders, the sums are those of a plain account of them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.money import Money
from storyreel.tasks.ledger.budget import BudgetExceeded, Limit
from storyreel.tasks.ledger.ledger import Ledger, Order, Purchase, State
from storyreel.tasks.ledger.purchase import GIVEN_UP
from tests.properties import one_in
from tests.tasks.ledger.ordering import CLIP, an_order

MONEY = st.builds(
    Money,
    amount=st.sampled_from(["0", "0.1", "0.25", "0.084", "1.5", "2"]).map(Decimal),
    currency=st.sampled_from(["USD", "CNY"]),
)


class Entry:
    """One order in a plain account."""

    def __init__(self, order: Order) -> None:
        self.order, self.state, self.task = order, State.INTENDED, ""
        self.cost: Money | None = None
        self.given_up = self.taken_back = False

    @property
    def amount(self) -> Money | None:
        """The amount that may have to be paid; None for nothing, or if it is unknown."""
        if self.cost:
            return self.cost
        return self.order.price if self.may_be_paid else None

    @property
    def other_price(self) -> Money | None:
        """The price, if the charge is in another currency and not nothing; a budget counts both."""
        price, cost = self.order.price, self.cost
        return price if price and cost and cost.amount and price.currency != cost.currency else None

    @property
    def may_be_paid(self) -> bool:
        return not self.taken_back and (self.state is not State.FAILED or self.given_up)


class Account:
    """All orders there ever were, and which of them the row of each key stands for."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.standing: dict[str, Entry] = {}

    def order(self, order: Order) -> None:
        self.standing[order.key] = Entry(order)
        self.entries.append(self.standing[order.key])

    def take_back(self, key: str, undone: tuple[State, ...]) -> None:
        gone = self.standing.pop(key)
        gone.taken_back = True
        ended = [e for e in self.entries if e.order.key == key and not e.taken_back and e.state not in undone]
        if ended:
            self.standing[key] = ended[-1]

    def sums(self, which: Callable[[Entry], bool]) -> dict[str, Decimal]:
        """One a currency; without those that come to nothing."""
        totals: defaultdict[str, Decimal] = defaultdict(Decimal)
        for entry in self.entries:
            if which(entry) and entry.amount:
                totals[entry.amount.currency] += entry.amount.amount
        return {currency: amount for currency, amount in totals.items() if amount}

    def committed(self, which: Callable[[Entry], bool]) -> dict[str, Decimal]:
        """The sums that budgets count, by currency."""
        totals = defaultdict(Decimal, self.sums(which))
        for entry in self.entries:
            if which(entry) and (price := entry.other_price):
                totals[price.currency] += price.amount
        return {currency: amount for currency, amount in totals.items() if amount}

    def fits(self, order: Order, limit: Limit) -> bool:
        """Whether there is room for one more order."""
        if order.price is None or (order.price.amount and order.price.currency != limit.most.currency):
            return False
        within = {
            "run": lambda e: e.order.run == order.run,
            "shot": lambda e: (e.order.film, e.order.slate) == (order.film, order.slate),
            "month": lambda e: e.order.film == order.film,
        }[limit.scope]
        committed = self.committed(within).get(limit.most.currency, Decimal(0))
        return not order.price.amount or committed + order.price.amount <= limit.most.amount


def amounts(money: tuple[Money, ...]) -> dict[str, Decimal]:
    return {each.currency: each.amount for each in money if each.amount}


@one_in(10)
@given(data=st.data())
def test_the_ledger_adds_up_as_a_plain_account_does(ledger: Ledger, data: st.DataObject) -> None:
    mark, account = uuid.uuid4().hex[:12], Account()
    for number in range(data.draw(st.integers(6, 20), label="moves")):
        key = mark + data.draw(st.sampled_from("ab"), label="key")
        move(ledger, account, data, key, mark, number)
    for film in (f"{mark}-F", f"{mark}-G"):
        assert amounts(ledger.committed("month", film=film)) == account.committed(
            lambda e, film=film: e.order.film == film
        )
        for slate in ("1A", "1B"):
            name = (film, slate)
            committed = ledger.committed("shot", film=film, slate=slate)
            assert amounts(committed) == account.committed(lambda e, name=name: (e.order.film, e.order.slate) == name)
    for run in (f"{mark}-1", f"{mark}-2"):
        assert amounts(ledger.committed("run", run=run)) == account.committed(lambda e, run=run: e.order.run == run)
    is_spent_as_in(account, ledger, mark)


def move(ledger: Ledger, account: Account, data: st.DataObject, key: str, mark: str, number: int) -> None:
    """Let something happen to a key, in the ledger and in the account."""
    row, entry = ledger.find(key), account.standing.get(key)
    assert (row is None) == (entry is None)
    if row is None or entry is None:
        order_it(ledger, account, data, an_order_of(data, key, mark), None)
        return
    assert (row.state, row.task or "", row.order) == (entry.state, entry.task, entry.order)
    match data.draw(st.sampled_from(sorted(possible(row))), label="move"):
        case "order":
            order_it(ledger, account, data, an_order_of(data, key, mark), row)
        case "submit":
            cost = data.draw(st.none() | MONEY, label="cost")
            assert ledger.mark_submitted(key, f"{key}-{number}", cost)
            entry.state, entry.task, entry.cost = State.SUBMITTED, f"{key}-{number}", cost
        case "finish":
            cost = data.draw(st.none() | MONEY, label="cost")
            assert ledger.mark_finished(key, CLIP, cost)
            entry.state, entry.cost = State.FINISHED, cost or entry.cost
        case "fail":
            assert ledger.mark_failed(key, "refused")
            entry.state, entry.given_up = State.FAILED, False
            if entry.cost and entry.order.provider == "aimlapi":  # which charges nothing for it
                entry.cost = Money(amount=Decimal(0), currency=entry.cost.currency)
        case "lose":
            assert ledger.mark_unknown(key, "reset")
            entry.state = State.UNKNOWN
        case "give up":
            assert ledger.give_up(row, GIVEN_UP)
            entry.state, entry.given_up = State.FAILED, True
        case "withdraw":
            assert ledger.withdraw(key)
            account.take_back(key, (State.INTENDED,))
        case "never made":
            assert ledger.mark_never_made(row, "it is not there")
            account.take_back(key, (State.INTENDED, State.UNKNOWN))


def possible(row: Purchase) -> set[str]:
    """The names of the events that can happen to a row."""
    moves = {
        State.INTENDED: {"order", "submit", "fail", "lose", "withdraw"},
        State.SUBMITTED: {"order", "finish", "fail", "lose"},
        State.FINISHED: {"order", "give up"},
        State.FAILED: {"order", "submit"},
        State.UNKNOWN: {"submit", "give up", "never made"},
    }[row.state]
    if row.task:
        moves = moves - {"submit", "never made"}
    return moves if row.is_ours() else moves - {"finish", "fail", "lose"}


def an_order_of(data: st.DataObject, key: str, mark: str) -> Order:
    """An order of a key, of which all else may be other than before."""
    said: dict[str, Any] = {
        "provider": "aimlapi" if sum(map(ord, key)) % 2 else "dashscope",
        "film": data.draw(st.sampled_from([f"{mark}-F", f"{mark}-G"]), label="film"),
        "slate": data.draw(st.sampled_from(["1A", "1B"]), label="slate"),
        "scene": data.draw(st.sampled_from(["1", "2"]), label="scene"),
        "run": data.draw(st.sampled_from([f"{mark}-1", f"{mark}-2"]), label="run"),
    }
    price = data.draw(st.none() | MONEY, label="price")
    return an_order(key, **said).model_copy(update={"price": price})


def order_it(ledger: Ledger, account: Account, data: st.DataObject, order: Order, seen: Any) -> None:
    """Order under some limits; it is refused exactly when the account has no room."""
    limits = data.draw(st.lists(st.builds(Limit, scope=st.sampled_from(["run", "shot", "month"]), most=MONEY),
                                max_size=2), label="limits")  # fmt: skip
    passed = [limit for limit in limits if not account.fits(order, limit) and not _is_free(order)]
    try:
        assert ledger.intend_again(seen, order, limits) if seen else ledger.intend(order, limits)
    except BudgetExceeded as over:
        assert over.limit == passed[0]
        assert ledger.find(order.key) == seen or _unread(ledger.find(order.key)) == _unread(seen)
    else:
        assert not passed
        account.order(order)


def _is_free(order: Order) -> bool:
    return order.price is not None and not order.price.amount


def _unread(purchase: Any) -> Any:
    return purchase.model_dump(exclude={"read"})


def is_spent_as_in(account: Account, ledger: Ledger, mark: str) -> None:
    """The same by scene: charged costs apart from estimates, orders without a price counted, free orders left out."""
    counted = [entry for entry in account.entries if entry.cost or entry.may_be_paid]
    paid = [entry for entry in counted if entry.amount is None or entry.amount.amount]
    parts = ledger.spent_by("scene", key=mark)
    if counted and not paid:
        assert all(part.is_free for part in parts)
        paid = counted
    assert {(part.film, part.scene) for part in parts} == {(e.order.film, e.order.scene) for e in paid}
    for part in parts:
        those = [entry for entry in paid if (entry.order.film, entry.order.scene) == (part.film, part.scene)]
        assert part.takes == len({entry.order.key for entry in those})
        assert part.unpriced == sum(entry.amount is None for entry in those)
        assert amounts(part.charged) == account.sums(lambda e, those=those: e in those and e.cost is not None)
        assert amounts(part.estimated) == account.sums(lambda e, those=those: e in those and e.cost is None)
