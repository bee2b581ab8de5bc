"""Lost runs are continued by another worker: Prefect automations, shared by all films.

A run whose process or host is gone sends no heartbeats; the first automation marks it Crashed. The second schedules a
crashed run again for any worker of its pool; the ledger prevents that anything is bought twice. A run that cannot be
loaded or that a person cancelled stays Crashed. The third schedules a run again whose worker is gone before a process
began it, the fourth one whose process was ended before that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

from prefect import State, get_client
from prefect.automations import AutomationCore, ChangeFlowRunState, EventTrigger
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import OrchestrationResult
from prefect.events.schemas.automations import Automation, Posture
from prefect.exceptions import Pause, PrefectHTTPStatusError
from prefect.runtime import flow_run
from prefect.states import Cancelled, Scheduled

from storyreel.flows.lifecycle.deployed import is_deployed
from storyreel.flows.lifecycle.lost_tasks import end_lost_tasks
from storyreel.flows.names import TAG
from storyreel.flows.servers.prefect_internals import STOPPED, UNLOADABLE
from storyreel.specs.errors import StoryreelError

P = ParamSpec("P")
Result = TypeVar("Result")

HEARTBEAT_SECONDS = 30
"""Between two heartbeats of a deployed run; Prefect's minimum."""
LOST_AFTER = 90
"""Default for the seconds without a heartbeat after which a run counts as lost."""
BEGINS_WITHIN = 300
"""Seconds in which a run begins that a worker took: the start of a process, or of a container with its image."""
MOST_PICKUPS = 5
"""Times in a row that a lost run is scheduled again; then it fails."""

_LOST = "storyreel: a lost run is marked as crashed"
_PICKED_UP = "storyreel: a crashed run is picked up"
_NOT_BEGUN = "storyreel: a run that is taken and not begun is scheduled again"
_ENDED_AT_START = "storyreel: a run whose process is stopped before it begins is scheduled again"
_STATE = "PickedUp"
_WAITS = ("Late", "AwaitingConcurrencySlot")
"""Names of states of a scheduled run that do not mean that it was scheduled anew."""

_ALL_RUNS = {"prefect.resource.id": "prefect.flow-run.*"}
_DEPLOYED_BY_US = [
    {"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"},
    # Only a deployed run sends heartbeats as often as is expected here, and can be scheduled again.
    {"prefect.resource.id": "prefect.deployment.*", "prefect.resource.role": "deployment"},
]
_SIGNS_OF_LIFE = {"prefect.flow-run.heartbeat", "prefect.flow-run.Running"}
"""Events after which the next heartbeat is expected. A run that has just begun has sent none yet."""
_WITHOUT_HEARTBEAT = (
    "Completed", "Failed", "Crashed", "Cancelled", "Cancelling", "Paused", "Suspended", "AwaitingRetry",
)  # fmt: skip
"""States in which no heartbeat is expected. Cancelling is one: a run that a person cancels is not to be continued."""
_LEAVES_PENDING = (
    "Running", "Retrying", "Scheduled", "Late", "AwaitingRetry", "AwaitingConcurrencySlot", _STATE, "Completed",
    "Failed", "Crashed", "Cancelled", "Cancelling", "Paused", "Suspended", "heartbeat",
)  # fmt: skip
"""Events after which a run is not pending any more."""
_HAS_BEGUN = "!0"
"""Filter on the run count: a run that crashes before it begins would be scheduled again without end."""


class LostTooOften(StoryreelError):
    """A run was scheduled again after a crash `times` times, and was lost each time."""

    def __init__(self, times: int) -> None:
        self.times = times
        super().__init__(
            f"this run was picked up {times} times in a row and was lost each time; what was finished is kept",
            next="look at the workers' logs and memory, then run `prefect flow-run retry`",
        )


async def ensure_automations(lost_after: int | None = None) -> tuple[AutomationCore, ...]:
    """Create or update the automations. Those that a person has paused are returned as not enabled.

    `lost_after`, in seconds, holds for all films; None keeps what is set, 90 if nothing is.
    """
    async with get_client() as client:
        lost = await read_automation(client, _LOST)
        within = lost.trigger.within if lost and isinstance(lost.trigger, EventTrigger) else None
        seconds = lost_after or (int(within.total_seconds()) if within else LOST_AFTER)
        others = (_pick_up(), _take_back(), _pick_up_stopped())
        return (
            await put_automation(client, lost, _mark_lost(seconds)),
            *[await put_automation(client, await read_automation(client, each.name), each) for each in others],
        )


async def read_automation(client: PrefectClient, name: str) -> Automation | None:
    """The automation of a name, or None."""
    return next(iter(await client.read_automations_by_name(name)), None)


async def put_automation(client: PrefectClient, current: Automation | None, wanted: AutomationCore) -> AutomationCore:
    """Create or change an automation. An equal one is left alone: a change makes it forget the runs it is watching."""
    if current is None:
        await client.create_automation(wanted)
        return wanted
    wanted.enabled = current.enabled
    if (current.trigger, current.actions) != (wanted.trigger, wanted.actions):
        await client.update_automation(current.id, wanted)
    return wanted


def _mark_lost(seconds: int) -> AutomationCore:
    return AutomationCore(
        name=_LOST,
        description=f"A deployed run that sent no heartbeat for {seconds} s was killed, or its host is gone.",
        trigger=_on_silence(
            _SIGNS_OF_LIFE, {*_SIGNS_OF_LIFE, *(f"prefect.flow-run.{state}" for state in _WITHOUT_HEARTBEAT)}, seconds
        ),
        actions=[
            ChangeFlowRunState(state=StateType.CRASHED, message=f"no heartbeat for {seconds} s: killed, or cut off")
        ],
    )


def _pick_up() -> AutomationCore:
    return AutomationCore(
        name=_PICKED_UP,
        description="A run of a film that crashed is scheduled again; the ledger prevents double orders.",
        trigger=_on_crash({"prefect.state-message": f"!*{UNLOADABLE}*", "prefect.run-count": _HAS_BEGUN}),
        actions=[_schedule("any worker of the pool continues it")],
    )


def _pick_up_stopped() -> AutomationCore:
    return AutomationCore(
        name=_ENDED_AT_START,
        description="The process of a run got SIGTERM before the run began: its worker was stopped, as for new code.",
        trigger=_on_crash({"prefect.state-message": f"*{STOPPED}*", "prefect.run-count": "0"}),
        actions=[_schedule("its worker was stopped before the run began; any worker of the pool begins it")],
    )


def _take_back() -> AutomationCore:
    return AutomationCore(
        name=_NOT_BEGUN,
        description=f"A worker took a run that did not begin within {BEGINS_WITHIN} s: the worker is gone.",
        trigger=_on_silence(
            {"prefect.flow-run.Pending"}, {f"prefect.flow-run.{event}" for event in _LEAVES_PENDING}, BEGINS_WITHIN
        ),
        actions=[_schedule(f"its worker did not begin it within {BEGINS_WITHIN} s; any worker of the pool begins it")],
    )


def _on_crash(match: dict[str, str]) -> EventTrigger:
    """Fires at once for each crashed run that matches."""
    return EventTrigger(
        expect={"prefect.flow-run.Crashed"},
        match={**_ALL_RUNS, **match},
        match_related=_DEPLOYED_BY_US,
        for_each={"prefect.resource.id"},
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
    )


def _on_silence(after: set[str], expected: set[str], seconds: int) -> EventTrigger:
    """Fires for each of our deployed runs that sends none of the expected events within so many seconds."""
    return EventTrigger(
        after=after,
        expect=expected,
        match=_ALL_RUNS,
        match_related=_DEPLOYED_BY_US,
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=seconds),
    )


def picked_up(message: str) -> State:
    """The state in which a lost run is scheduled again."""
    return Scheduled(name=_STATE, message=message)


def _schedule(message: str) -> ChangeFlowRunState:
    return ChangeFlowRunState(state=StateType.SCHEDULED, name=_STATE, message=message)


def continuable(work: Callable[P, Awaitable[Result]]) -> Callable[P, Awaitable[Result]]:
    """Decorator for a flow's function that first checks a deployed run that was picked up. One that had ended, or was
    being cancelled, keeps that state; one that waits for an answer waits on; one that was lost too often raises
    LostTooOften. Task runs that a lost process left are ended."""

    @wraps(work)
    async def continuable_work(*args: P.args, **kwargs: P.kwargs) -> Result:
        if is_deployed() and (state := await state_to_keep(UUID(flow_run.id))):
            if not state.is_paused():
                # A run ends in the state that its flow returns.
                return cast("Result", state)
            await _suspend_again(UUID(flow_run.id), state)
        if is_deployed() and flow_run.run_count > 1:
            await end_lost_tasks(UUID(flow_run.id))
        return await work(*args, **kwargs)

    return continuable_work


async def _suspend_again(run: UUID, state: State) -> None:
    """Suspend a run again that waits for an answer, and raise Pause. Returns if its form was never stored."""
    keys = state.state_details.run_input_keyset or {}
    async with get_client() as client:
        try:
            await client.read_flow_run_input(run, keys.get("schema", ""))
        except PrefectHTTPStatusError as missing:
            if missing.response.status_code == 404:
                return
            raise
        kept = State(type=state.type, name=state.name, message=state.message, state_details=state.state_details)
        # Prefect itself suspends a run only once for each of its questions.
        result: OrchestrationResult[Any] = await client.set_flow_run_state(run, kept, force=True)
    raise Pause(state=result.state)


async def state_to_keep(run: UUID) -> State | None:
    """The state of a run that was picked up although it must not continue; else None. Raises LostTooOften."""
    async with get_client() as client:
        states = await client.read_flow_run_states(run)
    if count_pickups(states) > MOST_PICKUPS:
        raise LostTooOften(MOST_PICKUPS)
    return end_before_pickup(states)


def count_pickups(states: Sequence[State]) -> int:
    """Number of times a run was picked up and began since a person last scheduled it; `states` are all its states.

    A worker reports a crash twice when the run was picked up between the two reports: that counts once.
    """
    times, is_picked_up = 0, False
    for state in sorted(states, key=lambda state: state.timestamp):
        if state.name == _STATE:
            is_picked_up = True
        elif state.type is StateType.RUNNING and is_picked_up:
            times, is_picked_up = times + 1, False
        elif state.type is StateType.SCHEDULED and state.name not in _WAITS:
            times, is_picked_up = 0, False
    return times


def end_before_pickup(states: Sequence[State]) -> State | None:
    """The end that a run had come to, or that a person had asked for, when it was picked up all the same; else None.
    Of one that waits for an answer, the state in which it waits.

    An automation may act late: a server that was restarted holds events back for up to 15 minutes (3.9.1). And a
    process may send its last heartbeat after the server has recorded that its run has ended, or is suspended.
    """
    history = sorted(states, key=lambda state: state.timestamp)
    scheduled = [n for n, state in enumerate(history) if state.type is StateType.SCHEDULED and state.name not in _WAITS]
    if not scheduled or history[scheduled[-1]].name != _STATE:
        return None
    before = history[: scheduled[-1]]
    while before and (before[-1].name in (_STATE, *_WAITS) or before[-1].type is StateType.CRASHED):
        before.pop()
    last = before[-1] if before else None
    if last and last.type is StateType.CANCELLING:
        return Cancelled(message="it was cancelled before its process ended")
    if last and last.is_paused():
        return last
    if last and last.is_final():
        return State(type=last.type, name=last.name, message=last.message)
    return None
