"""Many processes at one ledger, all at the same moment."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from storyreel.tasks.ledger.ledger import Ledger, OrderedElsewhere, State
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


def test_of_two_runs_that_want_a_take_from_two_services_one_orders_it(url: str) -> None:
    first, second = Ledger(url), Ledger(url)

    def ordered(start: Barrier, ledger: Ledger, key: str, other: str) -> bool:
        start.wait()
        try:
            return ledger.intend(an_order(key, slate=f"{key[1:]}A", provider=key[0]), (), lambda: True, (other,))
        except OrderedElsewhere as elsewhere:
            assert elsewhere.service == other[0]
            return False

    with ThreadPoolExecutor(2) as pool:
        for number in range(20):
            start, x, y = Barrier(2), f"x{number}", f"y{number}"
            one, two = pool.submit(ordered, start, first, x, y), pool.submit(ordered, start, second, y, x)
            assert sorted((one.result(), two.result())) == [False, True]
    assert len(first.list()) == 20
    (won, *_) = (purchase for purchase in first.list(slate="0A"))
    lost = an_order("y0" if won.order.key == "x0" else "x0", slate="0A")
    for run in (first, second):
        run.mark_failed(won.order.key, "refused")
    assert second.intend(lost, (), lambda: True, (won.order.key,)), "what has failed yields nothing"
    failed = first.find(won.order.key)
    assert failed
    with pytest.raises(OrderedElsewhere):
        first.intend_again(failed, won.order, (), lambda: True, (lost.key,))
    after = first.find(won.order.key)
    assert after and after.changed == failed.changed
    first.close()
    second.close()
