"""What a run that was picked up asks of its past: how often it was lost, and whether somebody had cancelled it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect import State
from prefect.client.schemas.objects import StateType

from storyreel.flows.lifecycle import automations
from storyreel.flows.lifecycle.automations import (
    MOST_PICKUPS,
    LostTooOften,
    count_pickups,
    end_before_pickup,
    state_to_keep,
)

TYPES = {"PickedUp": StateType.SCHEDULED, "Late": StateType.SCHEDULED, "AwaitingRetry": StateType.SCHEDULED}
LOST = ("Crashed", "PickedUp", "Pending", "Running")
BEGAN = ("Scheduled", "Pending", "Running")


def past(*names: str) -> list[State]:
    """States a second apart, the last one first, as a server may give them."""
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    states = [
        State(type=TYPES.get(name) or StateType(name.upper()), name=name, timestamp=begun + timedelta(seconds=n))
        for n, name in enumerate(names)
    ]
    return states[::-1]


@pytest.mark.parametrize(
    ("names", "times"),
    [
        (BEGAN, 0),
        ((*BEGAN, *LOST), 1),
        ((*BEGAN, *LOST * 4), 4),
        # The worker reports the crash once more when the run waits to be picked up.
        ((*BEGAN, "Crashed", "PickedUp", "Late", "Crashed", "PickedUp", "Pending", "Running"), 1),
        # A person has looked, and sent it off again.
        ((*BEGAN, *LOST * 4, "Failed", "AwaitingRetry", "Running", *LOST), 1),
    ],
)
def test_pickups_are_counted_since_a_person_scheduled_the_run(names: tuple[str, ...], times: int) -> None:
    assert count_pickups(past(*names)) == times


def test_a_run_that_was_being_cancelled_when_its_process_ended_is_known() -> None:
    for cancelled in (
        ("Cancelling", "Crashed"),
        ("Cancelling", "Crashed", "PickedUp", "Late", "Crashed"),
        ("Cancelled",),
    ):
        end = end_before_pickup(past(*BEGAN, *cancelled, "PickedUp", "Pending", "Running"))
        assert end and end.is_cancelled(), cancelled
    assert not end_before_pickup(past(*BEGAN, *LOST))
    assert not end_before_pickup(past(*BEGAN, "Cancelling", "Crashed", "AwaitingRetry", "Pending", "Running"))


def test_a_run_that_was_complete_is_not_made_again_by_an_automation_that_is_late() -> None:
    end = end_before_pickup(past(*BEGAN, "Completed", "PickedUp", "Pending", "Running"))
    assert end and end.is_completed()
    assert not end_before_pickup(
        past(*BEGAN, "Completed", "AwaitingRetry", "Pending", "PickedUp", "Pending", "Running")
    )
    assert not end_before_pickup(past(*BEGAN, "Completed"))


def test_a_run_that_waits_for_an_answer_is_known_until_it_is_resumed() -> None:
    waits = (*BEGAN, "Paused", "Crashed", "PickedUp", "Pending", "Running")
    state = end_before_pickup(past(*waits))
    assert state and state.is_paused()
    assert not end_before_pickup(past(*BEGAN, "Paused", "Scheduled", "Pending", "Running", *LOST))


async def test_a_run_that_is_lost_again_and_again_fails_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    class Server:
        """Stands for a server that knows the past of one run."""

        def __init__(self, times: int) -> None:
            self._times = times

        async def __aenter__(self) -> Server:
            return self

        async def __aexit__(self, *_: object) -> None:
            return None

        async def read_flow_run_states(self, _: object) -> list[State]:
            return past(*BEGAN, *LOST * self._times)

    monkeypatch.setattr(automations, "get_client", lambda: Server(MOST_PICKUPS))
    assert await state_to_keep(uuid4()) is None
    monkeypatch.setattr(automations, "get_client", lambda: Server(MOST_PICKUPS + 1))
    with pytest.raises(LostTooOften, match="prefect flow-run retry"):
        await state_to_keep(uuid4())
