"""The states that a task run passes through while it runs, as Prefect's pages show them: `Queued`, `Generating 40 s`.

Each is a state of type RUNNING under a name of its own, and travels as the engine's own states do: as an event, with
the time at which it was taken on. The server keeps the latest by that time, so the engine's final state stays.
"""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.states import Running

from storyreel.flows.servers.prefect_internals import emit_task_run_state
from storyreel.tasks.progress import Stage, StageReport

_NAMES: dict[Stage, str] = {
    "waiting": "Waiting",
    "ordering": "Ordering",
    "submitted": "Submitted",
    "queued": "Queued",
    "generating": "Generating",
    "fetching": "Downloading",
    "conforming": "Conforming",
    "joining": "Joining",
}
_COUNTED: frozenset[Stage] = frozenset({"queued", "generating"})
"""Stages of which one wants to know how long they have lasted. Takes that wait for a place are many, and nothing
happens to them: to count for each would be a fifth of all that a large film tells."""
_MARKS = (10, 20, 40)
"""Seconds at which a counted stage is told anew; then at each whole minute."""

SHORTEST = 1.0
"""Seconds that a stage must have lasted to be told: nobody can read what passes faster, and it costs nothing."""
_AT_ONCE = 50
"""States told a second at most, over all task runs; the others wait for the next."""


@dataclass
class _Passing:
    """A task run and the stage it is in."""

    run: TaskRun
    context: Context
    """The run's own, from which Prefect takes what its events are related to."""
    stage: Stage
    since: float
    detail: str = ""
    told: str = ""
    """The name that was told last."""

    def name(self, now: float) -> str:
        """What its state is called by now; empty while it is too early to tell."""
        lasted = now - self.since
        if lasted < SHORTEST:
            return ""
        name = _NAMES[self.stage]
        return f"{name} {counted(lasted)}".strip() if self.stage in _COUNTED else name


def counted(seconds: float) -> str:
    """The last mark that was passed: empty, `10 s`, `20 s`, `40 s`, `1 min`, `2 min` …"""
    if seconds >= 60:
        return f"{int(seconds // 60)} min"
    passed = [mark for mark in _MARKS if seconds >= mark]
    return f"{passed[-1]} s" if passed else ""


class States:
    """A watcher that gives task runs states under the names of what is being done."""

    def __init__(self) -> None:
        self._passing: dict[UUID, _Passing] = {}

    def __call__(self, sighting: StageReport) -> None:
        """Take in what the task run, in whose context it is said, is doing."""
        within = TaskRunContext.get()
        if within is None or sighting.stage not in _NAMES:
            return
        seen = self._passing.get(within.task_run.id)
        if seen and seen.stage == sighting.stage:
            seen.detail = sighting.detail
        else:
            now = asyncio.get_running_loop().time()
            told = seen.told if seen else ""
            context = seen.context if seen else copy_context()
            self._passing[within.task_run.id] = _Passing(
                within.task_run, context, sighting.stage, now, sighting.detail, told
            )

    def tell(self, now: float) -> None:
        """Tell of those whose state is called otherwise by now."""
        told = 0
        for of, seen in list(self._passing.items()):
            if not seen.run.state or not seen.run.state.is_running():
                # It is over, or waits for its next try and will be heard of again.
                del self._passing[of]
            elif told < _AT_ONCE and (name := seen.name(now)) and name != seen.told:
                seen.told = name
                seen.context.run(_take_on, seen.run, name, seen.detail)
                told += 1


def _take_on(run: TaskRun, name: str, message: str) -> None:
    """Put a task run into a state, as the engine does."""
    before = run.state
    assert before is not None
    state: State[Any] = Running(name=name, message=message or None)
    state.state_details.task_run_id, state.state_details.flow_run_id = run.id, run.flow_run_id
    # The engine counts from the state it finds.
    run.total_run_time += state.timestamp - before.timestamp
    run.state = state
    run.state_id, run.state_type, run.state_name = state.id, state.type, state.name
    emit_task_run_state(run, before, state)
