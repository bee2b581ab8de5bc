"""Applies the verdicts on a shot's takes: another action, one more take, the take in the cut.

Verdicts are found by the keys of takes alone. So the plan does not depend on where the storyboard lies, and equals that
of a storyboard into which the verdicts were written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from storyreel.flows.planning.model import PlannedTake
from storyreel.specs.derived.pictures import PictureShot
from storyreel.specs.storyboard import MOST_TAKES, Shot, Storyboard
from storyreel.specs.validation.check import unknown_names
from storyreel.tasks.ledger.purchase import Verdict, Word

BuildTakes = Callable[[Shot], list[PlannedTake]]
FindVerdicts = Callable[[Iterable[str]], Mapping[str, Verdict]]
"""The latest verdict by key."""


class DirectedShot(NamedTuple):
    """A shot after its verdicts, and its takes, each with its latest verdict."""

    shot: Shot
    takes: list[PlannedTake]
    warnings: tuple[str, ...] = ()


def apply_verdicts(film: Storyboard, shot: Shot, build: BuildTakes, find: FindVerdicts) -> DirectedShot:
    """Apply the verdicts on the takes of a shot, then those on the takes that result from that, and so on.

    A retake with another action changes the shot's action; when all takes are refused, one is added, and when all edits
    beside a shot's takes are, one more edit; the take that was approved last is in the cut. Of contradicting verdicts
    the later one counts, so this ends in any case.
    """
    now, since, is_asked_for = shot, 0, False
    warnings: list[str] = []
    while True:
        takes = build(now)
        verdicts = [_latest(find([each.key for each in take.candidates]).values()) for take in takes]
        approval = _latest(verdict for verdict in verdicts if verdict and verdict.word is Word.APPROVED)
        rewrite = _latest(verdict for verdict in verdicts if verdict and verdict.action and verdict.number > since)
        if rewrite and (approval is None or rewrite.number > approval.number):
            since, is_asked_for = rewrite.number, True
            if unknown := next(unknown_names(film, rewrite.action), None):
                warnings.append(f"the new action for {shot.shot} is not used: {unknown[0]}")
            else:
                now = _reworded(shot, rewrite.action)
            continue
        if approval:
            now = _approved(now, takes[verdicts.index(approval)].take)
            break
        # Of a shot that has edits beside its takes they are what is to be in the cut.
        if not all(verdicts[-now.own_edits :]) or (now.own_edits or now.takes) == MOST_TAKES:
            break
        now, is_asked_for = _with_one_more(now), True
    takes = [
        take.model_copy(update={"verdict": verdict, "is_asked_for": is_asked_for and verdict is None})
        if verdict or is_asked_for
        else take
        for take, verdict in zip(build(now), verdicts, strict=True)
    ]
    return DirectedShot(now, takes, (*warnings, *_warnings(shot, now, verdicts)))


def _reworded(shot: Shot, words: str) -> Shot:
    """The shot with another action; of an edit, with another instruction, as its action does not reach the service."""
    if shot.edit is None:
        return shot.model_copy(update={"action": words, "circled": None})
    return _with_edit(shot, instruction=words)


def _approved(shot: Shot, take: int) -> Shot:
    """The shot with a take in the cut; an edit stays that of the take that it was, or it would be ordered anew."""
    pinned = {"edit": shot.edit.model_copy(update={"take": shot.edited_take})} if shot.edit and shot.own_edits else {}
    return shot.model_copy(update={"circled": take, **pinned})


def _with_one_more(shot: Shot) -> Shot:
    """The shot with one more take; with one more edit, if it has edits beside its takes."""
    if shot.own_edits:
        return _with_edit(shot, takes=shot.own_edits + 1)
    return shot.model_copy(update={"takes": shot.takes + 1, "circled": None})


def _with_edit(shot: Shot, **changed: object) -> Shot:
    """The shot with another edit of the same take, which is in the cut."""
    assert shot.edit
    pinned = {"take": shot.edited_take} if shot.own_edits else {}
    return shot.model_copy(update={"edit": shot.edit.model_copy(update=pinned | changed), "circled": None})


def _warnings(written: Shot, now: Shot, verdicts: Sequence[Verdict | None]) -> Iterator[str]:
    is_approved = any(verdict and verdict.word is Word.APPROVED for verdict in verdicts)
    if is_approved and written.circled and written.action == now.action and written.circled != now.circled:
        where = "used" if isinstance(written, PictureShot) else "in the cut"
        yield (
            f"take {now.circled} of {written.shot} was approved and is {where}, although the storyboard circles "
            f"take {written.circled}"
        )
    if all(verdicts) and not is_approved:
        other = "instruction" if written.edit else "action"
        yield f"{len(verdicts)} takes of {written.shot} were refused, and no more are made; another {other} may help"


def _latest(verdicts: Iterable[Verdict]) -> Verdict | None:
    return max(verdicts, key=lambda verdict: verdict.number, default=None)
