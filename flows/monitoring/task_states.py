"""Shows the stage of a take as the state of its task run, as Prefect's pages have it: `Queued`, `Generating 40 s`.

Each is a state of type RUNNING under a name of its own. It is sent as the engine sends states: as an event with the
time of the change. The server keeps the latest by that time, so the engine's final state stays.
"""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.states import Cancelled, Running

from storyreel.flows.servers.prefect_internals import emit_task_run_state
from storyreel.tasks.progress import Stage, StageReport

_NAMES: dict[Stage, str] = {  # conforming and joining have task runs of their own
    "waiting": "Waiting",
    "ordering": "Ordering",
    "submitted": "Submitted",
    "queued": "Queued",
    "generating": "Generating",
    "fetching": "Downloading",
}
_COUNTED: frozenset[Stage] = frozenset({"queued", "generating"})
"""Stages whose state says how long they have lasted. Counting for each waiting take would be a fifth of all events of a
large film.
"""
_MARKS = (20, 40)
"""Seconds after which a counted stage gets a new state; then at each whole minute."""
SHORTEST = 1.0
"""Seconds after which a stage gets a state: shorter ones cannot be read."""
_LARGE = 100
"""Takes from which on no person follows each one: a stage must last longer, and is counted at 1, 2, 4, 8 … minutes."""
_LONGEST = 5.0
"""Most seconds after which a stage gets a state, in a run of 500 takes and more."""
_AT_ONCE = 50
"""States emitted in one call, over all task runs; the others wait for the next."""


@dataclass
class _TaskStage:
    run: TaskRun
    context: Context
    """The task run's own, to which Prefect relates the events emitted in it."""
    take: tuple[str, int]
    stage: Stage
    since: float
    detail: str = ""
    waits_for: str = ""
    emitted: tuple[str, str] | None = None
    """The state name emitted last, and what the take waited for then."""

    def state_name(self, now: float, takes: int) -> str:
        """The name of its state at a time, in a run of so many takes; empty if the stage has not lasted long enough."""
        elapsed = now - self.since
        if elapsed < min(max(SHORTEST, takes / _LARGE), _LONGEST):
            return ""
        name = _NAMES[self.stage]
        return f"{name} {elapsed_mark(elapsed, takes)}".strip() if self.stage in _COUNTED else name


def elapsed_mark(seconds: float, takes: int = 1) -> str:
    """The last mark that was passed: empty, `20 s`, `40 s`, `1 min`, `2 min` …; fewer in a run of many takes."""
    minutes = int(seconds // 60)
    if minutes:
        return f"{1 << minutes.bit_length() - 1 if takes > _LARGE else minutes} min"
    passed = [mark for mark in _MARKS if seconds >= mark and takes <= _LARGE]
    return f"{passed[-1]} s" if passed else ""


class TaskStates:
    """A listener that gives the task runs of a run of so many takes a state of the name of their stage."""

    def __init__(self, takes: int = 1) -> None:
        self._takes = takes
        self._stages: dict[UUID, _TaskStage] = {}

    def __call__(self, report: StageReport) -> None:
        """Store the stage of the task run in whose context it is reported."""
        take = (report.slate, report.take)
        if report.stage == "stopped":
            self._emit_stopped(take, report.detail)
            return
        within = TaskRunContext.get()
        if within is None or report.stage not in _NAMES:
            return
        known = self._stages.get(within.task_run.id)
        if known and known.stage == report.stage:
            known.detail, known.waits_for = report.detail, report.waits_for
        else:
            now = asyncio.get_running_loop().time()
            emitted = known.emitted if known else None
            context = known.context if known else copy_context()
            self._stages[within.task_run.id] = _TaskStage(
                within.task_run, context, take, report.stage, now, report.detail, report.waits_for, emitted
            )

    def emit_due(self, now: float) -> None:
        """Emit the states whose name, or what they wait for, has changed."""
        emitted = 0
        for run_id, task in list(self._stages.items()):
            if not task.run.state or not task.run.state.is_running():
                # It has ended, or waits for a retry and will report again. A crashed one may be said to have stopped.
                if not task.run.state or not task.run.state.is_crashed():
                    del self._stages[run_id]
            elif (
                emitted < _AT_ONCE
                and (name := task.state_name(now, self._takes))
                and (name, task.waits_for) != task.emitted
            ):
                task.emitted = name, task.waits_for
                task.context.run(_set_state, task.run, Running(name=name, message=task.detail or None))
                emitted += 1

    def _emit_stopped(self, take: tuple[str, int], detail: str) -> None:
        """Emit Cancelled for the task runs of a take that ended with its run: to Prefect's engine they have crashed."""
        for task in self._stages.values():
            if task.take == take and task.run.state and task.run.state.is_crashed():
                task.context.run(_set_state, task.run, Cancelled(message=detail or None))


def _set_state(run: TaskRun, state: State[Any]) -> None:
    before = run.state
    assert before is not None
    state.state_details.task_run_id, state.state_details.flow_run_id = run.id, run.flow_run_id
    # The engine adds the time since the state that it finds.
    run.total_run_time += state.timestamp - before.timestamp
    run.state = state
    run.state_id, run.state_type, run.state_name = state.id, state.type, state.name
    emit_task_run_state(run, before, state)
