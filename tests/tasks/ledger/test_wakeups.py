"""Wakeups: stored once or often, taken once, by the run that waits for that task."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from storyreel.tasks.ledger import wakeups
from storyreel.tasks.ledger.ledger import Ledger
from tests.tasks.ledger.conftest import Open


def test_a_wakeup_reaches_another_run_and_is_taken_once(ledger: Ledger, open_ledger: Open) -> None:
    assert not ledger.take_wakeup("freepik", "text-to-video/1")
    open_ledger().wake("freepik", "text-to-video/1")
    assert ledger.take_wakeup("freepik", "text-to-video/1")
    assert not ledger.take_wakeup("freepik", "text-to-video/1")


def test_a_wakeup_is_for_one_task_of_one_service(ledger: Ledger) -> None:
    ledger.wake("freepik", "1")
    assert not ledger.take_wakeup("freepik", "2")
    assert not ledger.take_wakeup("dashscope", "1")
    assert ledger.take_wakeup("freepik", "1")


def test_many_wakeups_at_once_are_one(ledger: Ledger, open_ledger: Open) -> None:
    others = [open_ledger() for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: others[n % 4].wake("freepik", "1"), range(32)))
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda n: others[n % 4].take_wakeup("freepik", "1"), range(16)))
    assert taken.count(True) == 1


def test_old_wakeups_are_deleted(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakeups, "_KEPT", timedelta(seconds=-1))
    ledger.wake("freepik", "1")
    ledger.wake("freepik", "2")
    assert not ledger.take_wakeup("freepik", "1")
    assert ledger.take_wakeup("freepik", "2")
