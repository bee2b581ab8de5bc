"""Plans in files: `storyreel plan -o FILE` writes one, `storyreel render --plan FILE` buys exactly that or nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from storyreel.flows.planning.candidate import TakeState
from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.run_request import RunRequest
from storyreel.specs.frozen import Frozen
from storyreel.specs.language.slates import is_line
from storyreel.specs.money import Money
from storyreel.specs.problems.phrases import listed
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.storyboard import is_remote
from storyreel.tasks.request.brief import Brief, changes
from storyreel.tasks.storage.files import write_whole


class UnusablePlan(StoryboardError):
    """A file cannot be read, or holds no saved plan of this version of storyreel."""

    command = "storyreel plan STORYBOARD -o {file}"


class SavedCandidate(Frozen):
    """A service that can make a take, as it was planned."""

    provider: str
    key: str
    price: Money | None


class SavedTake(Frozen):
    """A take as it was planned."""

    shot: str
    take: int
    state: TakeState
    circled: bool
    ways: tuple[SavedCandidate, ...]
    brief: Brief
    sound: str = ""
    """Its sound in the film: that of its clip or none, and the recordings that are laid under it, by their digests.
    Empty in files of earlier versions, which do not tell."""

    waits_for: tuple[str, ...] = ()
    """The slates of the stills that must be approved before it is bought."""

    @property
    def name(self) -> str:
        return f"{self.shot} take {self.take}"


class SavedPlan(Frozen):
    """A plan with everything that tells whether a render would still carry out the same."""

    plan: Literal[1] = 1
    """The version of this file format."""
    made: datetime
    storyboard: str
    """The storyboard's path relative to the folder of the plan, or its address."""
    provider: str | None
    words: dict[str, str]
    """Values that replace those of the storyboard's `vars`."""
    selection: tuple[str, ...]
    draft: bool = False
    deliverables: tuple[str, ...] = ()
    """The names of the deliverables that are made; all if there are none."""
    takes: tuple[SavedTake, ...]
    cut: tuple[tuple[str, int, int, int], ...]
    """For each shot in the cut: slate, first frame, frames, frames of the dissolve into it."""
    film: dict[str, str] = Field(default={})
    """The rest that the film depends on, by name. Empty in files of earlier versions, which do not tell."""

    def storyboard_of(self, file: Path) -> Path | str:
        """The path or address of the storyboard, for a plan that was read from `file`."""
        return self.storyboard if is_remote(self.storyboard) else file.parent / self.storyboard


def save_plan(plan: Plan, into: Path, request: RunRequest) -> None:
    """Write a plan to a file, whole or not at all."""
    saved = SavedPlan(
        made=datetime.now(UTC),
        storyboard=_relative_to(into, request.storyboard),
        provider=request.provider,
        words=request.vars,
        selection=request.selection,
        draft=request.draft,
        deliverables=request.deliverables,
        takes=tuple(map(_saved, plan.takes)),
        cut=_cut(plan),
        film=_film(plan),
    )
    write_whole(into, saved.model_dump_json(indent=2) + "\n")


def _relative_to(into: Path, storyboard: Path | str) -> str:
    if is_remote(str(storyboard)):
        return str(storyboard)
    return os.path.relpath(Path(storyboard).resolve(), into.resolve().parent)


def load_plan(file: Path) -> SavedPlan:
    """Read a plan from its file. Raises UnusablePlan."""
    try:
        return SavedPlan.model_validate_json(file.read_bytes())
    except OSError as error:
        raise UnusablePlan.in_file(file, f"it cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        what = ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
        raise UnusablePlan.in_file(file, f"it is not a plan of this version of storyreel: {what}") from error


def differences(saved: SavedPlan, now: Plan) -> list[str]:
    """A sentence for each change since the plan was saved; empty if a render would do exactly what was planned."""
    before = {(take.shot, take.take): take for take in saved.takes}
    after = {(take.shot, take.take): take for take in now.takes}
    removed = [f"{take.name} is no longer in the film" for name, take in before.items() if name not in after]
    added = [f"{slate} take {take} is new in the film" for slate, take in after if (slate, take) not in before]
    lines = [line for name, take in before.items() if name in after for line in _differences(take, after[name])]
    if not (removed or added or lines) and saved.cut != _cut(now):
        lines.append("the cut: lengths, order or transitions changed")
    film = _film(now) if saved.film else {}
    names = film | saved.film if film else film
    return removed + added + lines + [f"the {name} changed" for name in names if film.get(name) != saved.film.get(name)]


def _differences(before: SavedTake, take: PlannedTake) -> Iterator[str]:
    now = _saved(take)
    if [(one.provider, one.key) for one in before.ways] != [(one.provider, one.key) for one in now.ways]:
        changed = changes(before.brief, now.brief) or ("the fallback services",)
        yield f"{before.name}: changed: {', '.join(changed)}"
        return
    if before.state != now.state:
        yield f"{before.name} was {before.state} and is {now.state}: {take.reason}"
    for old, new in zip(before.ways, now.ways, strict=True):
        if old.price != new.price:
            yield f"{before.name}: the price at {new.provider} was {_price(old.price)} and is {_price(new.price)}"
    if before.state == now.state and before.waits_for != now.waits_for:
        # Pictures are waited for until they are approved, lines also until they are made.
        has_lines = any(map(is_line, (*before.waits_for, *now.waits_for)))
        of, that_of = ("", "") if has_lines else ("the approval of ", "that of ")
        waits = [f"waited for {of}{listed(before.waits_for, 'and')}"] if before.waits_for else []
        waits += [f"waits for {that_of}{listed(now.waits_for, 'and')}" if now.waits_for else "waits for none now"]
        yield f"{before.name} {' and '.join(waits)}"
    if before.circled != now.circled:
        where = "the one in the cut" if take.kind == "clip" else "the one that is used"
        yield f"{before.name} is {'now' if now.circled else 'no longer'} {where}"
    if before.sound and before.sound != now.sound:
        yield f"{before.name}: what is heard with it changed: `native_audio`, or the recording that is laid under it"


def _price(price: Money | None) -> str:
    return price.exactly if price else "unknown"


def _saved(take: PlannedTake) -> SavedTake:
    ways = tuple(
        SavedCandidate(provider=each.request.provider, key=each.key, price=each.price) for each in take.candidates
    )
    laid = (recording.content_digest for recording in take.laid_with(take.chosen))
    return SavedTake(
        shot=take.shot,
        take=take.take,
        state=take.state,
        circled=take.circled,
        ways=ways,
        brief=take.chosen.brief,
        waits_for=take.waits_for,
        sound=" ".join(("kept" if take.keep_sound else "dropped", *laid)),
    )


def _film(plan: Plan) -> dict[str, str]:
    """Values that change the film and none of its takes, by name."""
    fades = [f"{event.shot} {event.fade_in} {event.fade_out}" for event in plan.cut.events]
    grades = [f"{take.shot} {take.grading.facts}" for take in plan.clips if take.grading]
    labels = [f"{take.shot} {take.label.facts}" for take in plan.clips if take.label]
    sounds = plan.sound.facts()
    film = {"frame rate": str(plan.cut.rate), "fades": ", ".join(fades), "music": sounds["music"]}
    added = {
        "narration": plan.narration,
        "grade": ", ".join(dict.fromkeys(grades)),
        "label": ", ".join(dict.fromkeys(labels)),
        "words over the picture": plan.lettering,
        "deliverables": ", ".join(each.facts for each in plan.deliverables),
    } | sounds
    return film | {name: facts for name, facts in added.items() if facts}


def _cut(plan: Plan) -> tuple[tuple[str, int, int, int], ...]:
    return tuple((event.shot, event.start, event.frames, event.dissolve_in) for event in plan.cut.events)
