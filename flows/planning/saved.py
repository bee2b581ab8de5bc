"""A plan in a file: what was agreed to, so that a render buys exactly that, or nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from storyreel.flows.planning.model import Plan, PlannedTake, TakeState
from storyreel.flows.planning.run_request import RunRequest
from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money
from storyreel.specs.problems.problem import Position, Problem, StoryboardError
from storyreel.specs.storyboard import is_remote
from storyreel.tasks.files import write_whole
from storyreel.tasks.request.brief import Brief, changes


class UnusablePlan(StoryboardError):
    """A file holds no plan that this storyreel kept."""

    command = "storyreel plan STORYBOARD -o {file}"


class SavedWay(Frozen):
    """One service's way to make a take, as it was planned."""

    provider: str
    key: str
    price: Money | None


class SavedTake(Frozen):
    """A take as it was planned."""

    shot: str
    take: int
    state: TakeState
    circled: bool
    ways: tuple[SavedWay, ...]
    """Who makes it, then those that step in."""
    brief: Brief

    @property
    def name(self) -> str:
        """As people call it."""
        return f"{self.shot} take {self.take}"


class SavedPlan(Frozen):
    """All that a render needs to do what was planned, and to see that it still can."""

    plan: Literal[1] = 1
    """The version of this form."""
    made: datetime
    storyboard: str
    """Where the storyboard is, from the folder of the plan; or its address."""
    provider: str | None
    words: dict[str, str]
    selection: tuple[str, ...]
    takes: tuple[SavedTake, ...]
    cut: tuple[tuple[str, int, int, int], ...]
    """Each shot in the cut: slate, first frame, frames, frames of the dissolve into it."""

    def found_from(self, file: Path) -> Path | str:
        """The storyboard, of a plan in this file."""
        return self.storyboard if is_remote(self.storyboard) else file.parent / self.storyboard


def save_plan(plan: Plan, into: Path, sheet: RunRequest) -> None:
    """Write a plan into a file, whole or not at all."""
    saved = SavedPlan(
        made=datetime.now(UTC),
        storyboard=_from(into, sheet.storyboard),
        provider=sheet.provider,
        words=sheet.vars,
        selection=sheet.selection,
        takes=tuple(map(_saved, plan.takes)),
        cut=_cut(plan),
    )
    write_whole(into, saved.model_dump_json(indent=2) + "\n")


def _from(into: Path, storyboard: Path | str) -> str:
    if is_remote(str(storyboard)):
        return str(storyboard)
    return os.path.relpath(Path(storyboard).resolve(), into.resolve().parent)


def load_plan(file: Path) -> SavedPlan:
    """A plan from its file. Raises UnusablePlan."""
    try:
        return SavedPlan.model_validate_json(file.read_bytes())
    except OSError as error:
        raise _unusable(file, f"it cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        what = ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
        raise _unusable(file, f"it is no plan of this storyreel: {what}") from error


def differences(saved: SavedPlan, now: Plan) -> list[str]:
    """What is not as it was planned, a line each; empty when a render would do exactly what was agreed to."""
    before = {(take.shot, take.take): take for take in saved.takes}
    after = {(take.shot, take.take): take for take in now.takes}
    gone = [f"{take.name} is no longer in the film" for name, take in before.items() if name not in after]
    more = [f"{slate} take {take} has come into the film" for slate, take in after if (slate, take) not in before]
    lines = [line for name, take in before.items() if name in after for line in _moved(take, after[name])]
    if not (gone or more or lines) and saved.cut != _cut(now):
        lines.append("the cut: lengths, order or transitions are others")
    return gone + more + lines


def _moved(before: SavedTake, take: PlannedTake) -> Iterator[str]:
    now = _saved(take)
    if [(way.provider, way.key) for way in before.ways] != [(way.provider, way.key) for way in now.ways]:
        changed = changes(before.brief, now.brief) or ("the services that step in",)
        yield f"{before.name}: changed: {', '.join(changed)}"
        return
    if before.state != now.state:
        yield f"{before.name} was {before.state} and is {now.state}: {take.reason}"
    for was, way in zip(before.ways, now.ways, strict=True):
        if was.price != way.price:
            prices = f"was {_said(was.price)} and is {_said(way.price)}"
            yield f"{before.name}: the price at {way.provider} {prices}"
    if before.circled != now.circled:
        yield f"{before.name} is {'now' if now.circled else 'no longer'} the one in the cut"


def _said(price: Money | None) -> str:
    return price.exactly if price else "unknown"


def _saved(take: PlannedTake) -> SavedTake:
    ways = tuple(SavedWay(provider=way.request.provider, key=way.key, price=way.price) for way in take.candidates)
    return SavedTake(
        shot=take.shot, take=take.take, state=take.state, circled=take.circled, ways=ways, brief=take.chosen.brief
    )


def _cut(plan: Plan) -> tuple[tuple[str, int, int, int], ...]:
    return tuple((event.shot, event.start, event.frames, event.dissolve_in) for event in plan.cut.events)


def _unusable(file: Path, why: str) -> UnusablePlan:
    return UnusablePlan([Problem(Position(str(file), 1, 1), why)])
