"""Many processes at one ledger, all at the same moment."""

from __future__ import annotations

from collections import Counter

from storyreel.tasks.ledger.ledger import Ledger, State
from tests.tasks.ledger.ordering import an_order
from tests.tasks.ledger.racing import killed_at_work, opened, ordering_for_ever, taken_over, together, won


def test_ten_processes_create_one_ledger_at_once(url: str) -> None:
    assert together(opened, [(url,)] * 10) == ["opened"] * 10


def test_of_ten_processes_that_want_the_same_takes_each_take_goes_to_one(url: str) -> None:
    orders = [an_order(f"k{number}") for number in range(20)]
    each = together(won, [(url, orders[turn:] + orders[:turn]) for turn in range(0, 20, 2)])
    wins = Counter(key for keys in each for key in keys)
    assert wins == {order.key: 1 for order in orders}
    ledger = Ledger(url)
    assert {purchase.state for purchase in ledger.list()} == {State.SUBMITTED}
    assert all(len(ledger.history(order.key)) == 2 for order in orders)
    ledger.close()


def test_of_eight_processes_one_takes_over_an_abandoned_purchase(url: str) -> None:
    killed_at_work(ordering_for_ever, (url, [an_order("k0"), an_order("k1")]), after=2)
    taken = together(taken_over, [(url, "k0")] * 8)
    assert sorted(taken) == [False] * 7 + [True]
