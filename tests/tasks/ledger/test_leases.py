"""Who is at work on a purchase, and when it counts as left."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from storyreel.tasks.ledger.ledger import Ledger, State
from storyreel.tasks.ledger.owner import this_process
from storyreel.tasks.ledger.purchase import LEASE
from tests.tasks.ledger.conftest import Open
from tests.tasks.ledger.ordering import an_order, row
from tests.tasks.ledger.racing import killed_at_work, ordering_for_ever


def test_a_run_elsewhere_holds_its_row_for_one_lease(ledger: Ledger, open_ledger: Open) -> None:
    assert timedelta(seconds=60) >= LEASE
    far = open_ledger("far-away")
    far.intend(an_order())
    seen = row(ledger)
    assert seen.lease_until is not None
    assert not seen.is_abandoned()
    assert not seen.is_abandoned(seen.lease_until)
    assert seen.is_abandoned(seen.lease_until + timedelta(seconds=1))


def test_a_run_that_shows_life_holds_its_rows_longer(ledger: Ledger, open_ledger: Open) -> None:
    far = open_ledger("far-away")
    far.intend(an_order())
    far.intend(an_order("done"))
    far.mark_failed("done", "refused")
    before, over = row(ledger), row(ledger, "done").lease_until
    far.renew_leases()
    after = row(ledger)
    assert before.lease_until and after.lease_until and after.lease_until > before.lease_until
    assert after.changed == before.changed, "nothing has become of it"
    assert row(ledger, "done").lease_until == over
    assert len(ledger.history("k")) == 1


def test_showing_life_holds_no_row_of_another_run(ledger: Ledger, open_ledger: Open) -> None:
    far = open_ledger("far-away")
    far.intend(an_order())
    before = row(ledger).lease_until
    ledger.renew_leases()
    assert row(ledger).lease_until == before


def test_a_lease_that_was_renewed_meanwhile_is_not_taken(
    ledger: Ledger, open_ledger: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = open_ledger("far-away")
    with monkeypatch.context() as short:
        short.setattr("storyreel.tasks.ledger.transaction.LEASE", timedelta(0))
        far.intend(an_order())
        far.mark_submitted("k", "task-7", None)
    seen = row(ledger)
    assert seen.is_abandoned()
    far.renew_leases()
    assert not ledger.take_over(seen)
    assert row(far).is_ours()


def test_what_a_run_elsewhere_left_is_taken_over_once(
    ledger: Ledger, open_ledger: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    far, third = open_ledger("far-away"), open_ledger()
    with monkeypatch.context() as short:
        short.setattr("storyreel.tasks.ledger.transaction.LEASE", timedelta(0))
        far.intend(an_order())
        far.mark_submitted("k", "task-7", None)
    seen = row(ledger)
    assert ledger.take_over(seen)
    assert ledger.take_over(row(ledger)), "it is ours already"
    assert not third.take_over(seen)
    assert (row(ledger).task, row(ledger).is_ours()) == ("task-7", True)


def test_a_run_that_ends_in_order_lets_go_at_once(ledger: Ledger, open_ledger: Open) -> None:
    for host in (None, "far-away"):
        other = open_ledger(host)
        other.intend(an_order(str(host)))
        other.close()
        assert row(ledger, str(host)).is_abandoned(), "nobody needs to wait for it"


def test_a_look_at_the_ledger_changes_nothing(ledger: Ledger, open_ledger: Open) -> None:
    ledger.intend(an_order())
    looking = open_ledger()
    looking.find("k")
    looking.close()
    assert row(ledger).is_ours()


def test_a_process_that_was_killed_has_left_its_rows(ledger: Ledger, url: str) -> None:
    orders = [an_order(f"k{number}") for number in range(100)]
    told = killed_at_work(ordering_for_ever, (url, orders), after=20)
    noted = ledger.find_all(order.key for order in orders)
    assert set(told) <= set(noted), "what was told had been committed"
    assert all(purchase.is_abandoned() for purchase in noted.values())
    assert {purchase.state for purchase in noted.values()} <= {State.INTENDED, State.SUBMITTED}
    for key, purchase in noted.items():
        if purchase.state is State.SUBMITTED:
            assert ledger.take_over(purchase)
        else:
            assert ledger.mark_unknown(key, "its run was killed")
            assert not ledger.intend(an_order(key)), "it is never ordered again by itself"


def test_only_what_is_left_can_be_called_unknown_by_others(ledger: Ledger, open_ledger: Open) -> None:
    ledger.intend(an_order())
    assert not open_ledger().mark_unknown("k", "perhaps")
    assert row(ledger).state is State.INTENDED


def test_a_living_process_that_has_long_said_nothing_has_left_its_row(ledger: Ledger, open_ledger: Open) -> None:
    ledger.intend(an_order())
    seen = row(open_ledger())
    assert not seen.is_abandoned(seen.read + timedelta(minutes=5)), "its machine may have slept"
    assert seen.is_abandoned(seen.read + timedelta(minutes=15))


def test_when_an_order_was_sent_is_told_by_its_lease(ledger: Ledger, open_ledger: Open) -> None:
    far = open_ledger("far-away")
    far.intend(an_order())
    left = row(ledger)
    assert left.sent_between == (left.intended, left.lease_until)
    far.mark_unknown("k", "reset")
    begin, end = row(ledger).sent_between
    assert begin == left.intended and end == row(ledger).changed, "from then on it was not under way"


def test_the_time_is_the_databases(ledger: Ledger, url: str) -> None:
    if not url.startswith("postgresql"):
        pytest.skip("SQLite has no time of its own")
    ledger.intend(an_order())
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        told: Any = connection.execute(text("select clock_timestamp()")).scalar_one()
    engine.dispose()
    assert row(ledger).changed <= told <= row(ledger).read


def test_this_process_is_at_work_where_it_says(ledger: Ledger) -> None:
    ledger.intend(an_order())
    owner = row(ledger).owner
    assert (owner.host, owner.pid, owner.started) == (
        this_process().host,
        this_process().pid,
        this_process().started,
    )
    assert owner.is_here() and owner.is_alive()
