"""Owners and leases: who works on a purchase, and when it counts as abandoned."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, make_url, text

from storyreel.tasks import studio
from storyreel.tasks.ledger.database import Database
from storyreel.tasks.ledger.ledger import Ledger, LedgerError, State
from storyreel.tasks.ledger.owner import this_process
from storyreel.tasks.ledger.purchase import LEASE
from storyreel.tasks.threads import in_own_thread
from tests import postgres
from tests.pauses import PATIENCE
from tests.tasks.ledger.conftest import Open
from tests.tasks.ledger.ordering import an_order, row
from tests.tasks.ledger.racing import killed_at_work, ordering_for_ever


def test_a_run_on_another_host_owns_its_row_for_one_lease(ledger: Ledger, open_ledger: Open) -> None:
    assert timedelta(seconds=60) >= LEASE
    far = open_ledger("far-away")
    far.intend(an_order())
    seen = row(ledger)
    assert seen.lease_until is not None
    assert not seen.is_abandoned()
    assert not seen.is_abandoned(seen.lease_until)
    assert seen.is_abandoned(seen.lease_until + timedelta(seconds=1))


def test_renewing_extends_the_leases_of_a_run(ledger: Ledger, open_ledger: Open) -> None:
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


async def test_no_error_ends_the_renewing_of_leases(
    ledger: Ledger, open_ledger: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once they had run out, another host would call what is being ordered here unknown."""
    far = open_ledger("far-away")
    far.intend(an_order())
    before = row(ledger).lease_until
    errors = [LedgerError("locked"), OSError(28, "no space left on device"), RuntimeError("can't start new thread")]

    async def failing(work: Callable[[], None]) -> None:
        if errors:
            raise errors.pop()
        await in_own_thread(work)

    monkeypatch.setattr(studio, "_RENEW_SECONDS", 0)
    monkeypatch.setattr(studio, "in_own_thread", failing)
    renewing = asyncio.create_task(studio._renew_leases(far))
    async with asyncio.timeout(PATIENCE):
        while row(ledger).lease_until == before:
            assert not renewing.done()
            await asyncio.sleep(0.01)
    renewing.cancel()


def test_renewing_extends_no_lease_of_another_run(ledger: Ledger, open_ledger: Open) -> None:
    far = open_ledger("far-away")
    far.intend(an_order())
    before = row(ledger).lease_until
    ledger.renew_leases()
    assert row(ledger).lease_until == before


def test_a_purchase_whose_lease_was_renewed_meanwhile_is_not_taken_over(
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


def test_an_abandoned_purchase_is_taken_over_once(
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


def test_closing_the_ledger_releases_the_rows_of_the_run(ledger: Ledger, open_ledger: Open) -> None:
    for host in (None, "far-away"):
        other = open_ledger(host)
        other.intend(an_order(str(host)))
        other.close()
        assert row(ledger, str(host)).is_abandoned(), "nobody needs to wait for it"


def test_reading_the_ledger_changes_nothing(ledger: Ledger, open_ledger: Open) -> None:
    ledger.intend(an_order())
    reader = open_ledger()
    reader.find("k")
    reader.close()
    assert row(ledger).is_ours()


def test_the_rows_of_a_killed_process_are_abandoned(ledger: Ledger, url: str) -> None:
    orders = [an_order(f"k{number}") for number in range(100)]
    answers = killed_at_work(ordering_for_ever, (url, orders), after=20)
    noted = ledger.find_all(order.key for order in orders)
    assert set(answers) <= set(noted), "an answered key had been committed"
    assert all(purchase.is_abandoned() for purchase in noted.values())
    assert {purchase.state for purchase in noted.values()} <= {State.INTENDED, State.SUBMITTED}
    for key, purchase in noted.items():
        if purchase.state is State.SUBMITTED:
            assert ledger.take_over(purchase)
        else:
            assert ledger.mark_unknown(key, "its run was killed")
            assert not ledger.intend(an_order(key)), "it is never ordered again by itself"


def test_other_runs_mark_only_abandoned_purchases_as_unknown(ledger: Ledger, open_ledger: Open) -> None:
    ledger.intend(an_order())
    assert not open_ledger().mark_unknown("k", "perhaps")
    assert row(ledger).state is State.INTENDED


def test_a_running_process_that_has_long_not_renewed_has_abandoned_its_row(ledger: Ledger, open_ledger: Open) -> None:
    ledger.intend(an_order())
    seen = row(open_ledger())
    assert not seen.is_abandoned(seen.read + timedelta(minutes=5)), "its machine may have slept"
    assert seen.is_abandoned(seen.read + timedelta(minutes=15))


def test_the_lease_limits_when_an_order_can_have_been_sent(ledger: Ledger, open_ledger: Open) -> None:
    far = open_ledger("far-away")
    far.intend(an_order())
    left = row(ledger)
    assert left.sent_between == (left.intended, left.lease_until)
    far.mark_unknown("k", "reset")
    begin, end = row(ledger).sent_between
    assert begin == left.intended and end == row(ledger).changed, "from then on it was not under way"


def test_times_are_the_databases(ledger: Ledger, url: str) -> None:
    if not url.startswith("postgresql"):
        pytest.skip("SQLite has no time of its own")
    ledger.intend(an_order())
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        now: Any = connection.execute(text("select clock_timestamp()")).scalar_one()
    engine.dispose()
    assert row(ledger).changed <= now <= row(ledger).read


def _options_of_libpq(connection: Connection) -> dict[str, str]:
    opened: Any = connection.connection.driver_connection
    return dict(opened.info.get_parameters())


@pytest.mark.parametrize(("asked", "idle"), [({}, 10), ({"keepalives_idle": "7"}, 7)])
def test_a_connection_that_was_lost_without_a_word_is_noticed_within_a_lease(asked: dict[str, str], idle: int) -> None:
    url = make_url(postgres.running().fresh()).update_query_dict(asked)
    database = Database(url.render_as_string(hide_password=False))
    options = database.read(_options_of_libpq)
    database.close()
    assert options["keepalives_idle"] == str(idle), "an address may have options of its own"
    silent = idle + int(options["keepalives_interval"]) * int(options["keepalives_count"])
    assert max(silent, int(options["tcp_user_timeout"]) / 1000) < LEASE.total_seconds() / 2


def test_the_owner_of_a_new_row_is_this_process(ledger: Ledger) -> None:
    ledger.intend(an_order())
    owner = row(ledger).owner
    assert (owner.host, owner.pid, owner.started) == (
        this_process().host,
        this_process().pid,
        this_process().started,
    )
    assert owner.is_here() and owner.is_alive()
