"""Lost runs are picked up again: two automations of Prefect's, shared by all films, and what a run asks of its past.

A run whose process was killed, or whose host is gone, sends no more heartbeats: the first automation marks it as
crashed. The second one schedules a crashed run again, so that any worker goes on with it; the ledger sees to it that
nothing is bought twice. A run that cannot be loaded is left crashed, and so is one that a person cancelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from prefect import State, get_client
from prefect.automations import AutomationCore, ChangeFlowRunState, EventTrigger
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.schemas.automations import Automation, Posture

from storyreel.flows.names import TAG
from storyreel.flows.servers.prefect_internals import UNLOADABLE
from storyreel.specs.frozen import Frozen

HEARTBEAT_SECONDS = 30
"""Between two heartbeats of a deployed run; Prefect takes no less."""
LOST_AFTER = 90
"""Seconds without a heartbeat after which a run counts as lost, unless told otherwise."""
SOONEST = 40
"""What may be told at least: a heartbeat, and what it may be late."""
MOST_PICK_UPS = 5
"""How often in a row a run is picked up, before it fails and a person must look."""

_LOST = "storyreel: a lost run is marked as crashed"
_PICKED_UP = "storyreel: a crashed run is picked up"
_STATE = "PickedUp"

_ALL_RUNS = {"prefect.resource.id": "prefect.flow-run.*"}
_OF_OURS = [
    {"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"},
    # Only a deployed run beats as often as is expected here, and only such a one can be scheduled again.
    {"prefect.resource.id": "prefect.deployment.*", "prefect.resource.role": "deployment"},
]
_ENDS = ("Completed", "Failed", "Crashed", "Cancelled", "Cancelling", "Paused", "Suspended", "AwaitingRetry")
"""States in which nobody waits for a heartbeat. Who cancels a run wants no other one to go on with it."""
_NEVER_BEGAN = "!0"
"""A run that crashed before it began would be picked up for ever: only one that has begun can count how often."""


class Kept(Frozen):
    """An automation as it stands."""

    name: str
    is_on: bool
    """Whether it does anything; a person may have paused it."""


class LostTooOften(Exception):
    """A run was picked up again and again, and was lost each time."""

    def __init__(self, times: int) -> None:
        self.times = times
        super().__init__(
            f"this run was picked up {times} times in a row and was lost each time; what was finished is kept\n"
            "next: look at the workers' logs and memory, then send it off again with `prefect flow-run retry`"
        )

    def __reduce__(self) -> tuple[type[LostTooOften], tuple[int]]:
        return type(self), (self.times,)


async def keep(lost_after: int | None = None) -> tuple[Kept, ...]:
    """See to it that both automations are there. The seconds that one waits are changed only to what is said."""
    async with get_client() as client:
        there = await _read(client, _LOST)
        stands = there.trigger.within if there and isinstance(there.trigger, EventTrigger) else None
        seconds = lost_after or (int(stands.total_seconds()) if stands else LOST_AFTER)
        lost = await _put(client, there, _marks_lost(seconds))
        return lost, await _put(client, await _read(client, _PICKED_UP), _picks_up())


async def _read(client: PrefectClient, name: str) -> Automation | None:
    return next(iter(await client.read_automations_by_name(name)), None)


async def _put(client: PrefectClient, there: Automation | None, wanted: AutomationCore) -> Kept:
    """One that is as wanted is not touched: with a change it forgets which runs it is watching."""
    if there is None:
        await client.create_automation(wanted)
        return Kept(name=wanted.name, is_on=True)
    if (there.trigger, there.actions) != (wanted.trigger, wanted.actions):
        wanted.enabled = there.enabled
        await client.update_automation(there.id, wanted)
    return Kept(name=wanted.name, is_on=there.enabled)


def _marks_lost(seconds: int) -> AutomationCore:
    return AutomationCore(
        name=_LOST,
        description=f"A deployed run that gave no sign of life for {seconds} s was killed, or its host is gone.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat", *(f"prefect.flow-run.{state}" for state in _ENDS)},
            match=_ALL_RUNS,
            match_related=_OF_OURS,
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=seconds),
        ),
        actions=[
            ChangeFlowRunState(state=StateType.CRASHED, message=f"no sign of life for {seconds} s: killed, or cut off")
        ],
    )


def _picks_up() -> AutomationCore:
    return AutomationCore(
        name=_PICKED_UP,
        description="A run of a film that crashed is scheduled again; the ledger keeps it from buying anything twice.",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Crashed"},
            match={**_ALL_RUNS, "prefect.state-message": f"!*{UNLOADABLE}*", "prefect.run-count": _NEVER_BEGAN},
            match_related=_OF_OURS,
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[
            ChangeFlowRunState(state=StateType.SCHEDULED, name=_STATE, message="any worker of the pool goes on with it")
        ],
    )


async def look_back(flow_run: UUID) -> bool:
    """Whether a run that has begun before may go on: not when it was picked up although a person had cancelled it.

    Raises LostTooOften.
    """
    async with get_client() as client:
        states = await client.read_flow_run_states(flow_run)
    if pick_ups(states) > MOST_PICK_UPS:
        raise LostTooOften(MOST_PICK_UPS)
    return not was_cancelled(states)


def pick_ups(states: Sequence[State]) -> int:
    """How often a run was picked up and began since a person last sent it off; `states` is all its past.

    A worker reports a crash twice when the run was picked up between its two reports: that counts once.
    """
    times, waits = 0, False
    for state in sorted(states, key=lambda state: state.timestamp):
        if state.name == _STATE:
            waits = True
        elif state.type is StateType.RUNNING and waits:
            times, waits = times + 1, False
        elif state.type is StateType.SCHEDULED and state.name not in ("Late", "AwaitingConcurrencySlot"):
            times, waits = 0, False
    return times


def was_cancelled(states: Sequence[State]) -> bool:
    """Whether a run was being cancelled when it crashed, and was picked up all the same."""
    past = sorted(states, key=lambda state: state.timestamp)
    for n, state in reversed(list(enumerate(past))):
        if state.type is StateType.CRASHED:
            sent_off = next((after for after in past[n:] if after.type is StateType.SCHEDULED), None)
            is_picked_up = sent_off is not None and sent_off.name == _STATE
            return is_picked_up and n > 0 and past[n - 1].type is StateType.CANCELLING
    return False
