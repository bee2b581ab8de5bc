"""What people said of a shot's takes, carried out: another action, one more take, the take in the cut.

Pure, and by the takes' keys alone: the same takes come of it wherever the storyboard lies, and when it says the same
itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from storyreel.flows.planning.model import PlannedTake
from storyreel.specs.storyboard import MOST_TAKES, Shot, Storyboard
from storyreel.specs.validation.check import unknown_names
from storyreel.tasks.ledger.ledger import Verdict, Word

Draft = Callable[[Shot], list[PlannedTake]]
"""The takes of a shot as it stands."""
Said = Callable[[Iterable[str]], Mapping[str, Verdict]]
"""By key, what was said last of a take."""


class DirectedShot(NamedTuple):
    """A shot as people want it, and its takes with what was said of each."""

    shot: Shot
    takes: list[PlannedTake]
    warnings: tuple[str, ...] = ()


def apply_verdicts(film: Storyboard, shot: Shot, draft: Draft, said: Said) -> DirectedShot:
    """Carry out what was said of the takes of a shot, and of those that came of that.

    A retake with another action has the shot made so; when all its takes are to be made again, there is one more; the
    take that was approved last is in the cut. Of two that contradict each other the newer one counts, so that asking
    for an action and then for the one before it comes to an end.
    """
    now, since, is_asked_for = shot, 0, False
    warnings: list[str] = []
    while True:
        drafts = draft(now)
        verdicts = [_newest(said, take) for take in drafts]
        approval = _last(verdict for verdict in verdicts if verdict and verdict.word is Word.APPROVED)
        other = _last(verdict for verdict in verdicts if verdict and verdict.action and verdict.number > since)
        if other and (approval is None or other.number > approval.number):
            since, is_asked_for = other.number, True
            if strange := next(unknown_names(film, other.action), None):
                warnings.append(f"the action that was asked for {shot.shot} cannot be told: {strange[0]}")
            else:
                now = shot.model_copy(update={"action": other.action, "circled": None})
            continue
        if approval:
            circled = drafts[verdicts.index(approval)].take
            return _done(shot, now.model_copy(update={"circled": circled}), draft, verdicts, is_asked_for, warnings)
        if not all(verdicts) or now.takes == MOST_TAKES:
            return _done(shot, now, draft, verdicts, is_asked_for, warnings)
        now, is_asked_for = now.model_copy(update={"takes": now.takes + 1, "circled": None}), True


def _done(
    own: Shot, now: Shot, draft: Draft, verdicts: Sequence[Verdict | None], is_asked_for: bool, warnings: Sequence[str]
) -> DirectedShot:
    takes = [
        take.model_copy(update={"verdict": verdict, "is_asked_for": is_asked_for and verdict is None})
        if verdict or is_asked_for
        else take
        for take, verdict in zip(draft(now), verdicts, strict=True)
    ]
    return DirectedShot(now, takes, (*warnings, *_warnings(own, now, verdicts)))


def _warnings(own: Shot, now: Shot, verdicts: Sequence[Verdict | None]) -> Iterator[str]:
    approved = any(verdict and verdict.word is Word.APPROVED for verdict in verdicts)
    if approved and own.circled and own.action == now.action and own.circled != now.circled:
        yield (
            f"take {now.circled} of {own.shot} was approved and is in the cut, although the storyboard circles "
            f"take {own.circled}"
        )
    if all(verdicts) and not approved:
        yield f"{len(verdicts)} takes of {own.shot} were refused, and no more are made; another action may help"


def _newest(said: Said, take: PlannedTake) -> Verdict | None:
    """What was said last of a take, whichever of its services made it."""
    return _last(said([way.key for way in take.candidates]).values())


def _last(verdicts: Iterable[Verdict]) -> Verdict | None:
    return max(verdicts, key=lambda verdict: verdict.number, default=None)
