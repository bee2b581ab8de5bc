"""The change of a storyboard that an edited cut asks for."""

from __future__ import annotations

from collections.abc import Mapping

from storyreel.flows.handover.edited import EditedCut, EditedShot, EditedTransition, NotImported
from storyreel.flows.handover.timeline import Timeline, TimelineShot
from storyreel.specs.recutting import Recut
from storyreel.specs.yaml.edits import NewValue


def changes_of(timeline: Timeline, before: EditedCut, after: EditedCut) -> Recut | None:
    """The change of the storyboard that makes the cut `after`; None if it has that cut already.

    `before` is the timeline as its form says it, read back: what the form cannot say is no change. Raises NotImported
    for a transition that a storyboard cannot say.
    """
    shots = {shot.slate: shot for shot in timeline.shots}
    known = {shot.slate: shot for shot in before.shots}
    arriving = dict(zip((shot.slate for shot in before.shots), before.transitions, strict=False))
    values: dict[str, dict[str, NewValue]] = {}
    problems: list[str] = []
    for place, shot in enumerate(after.shots):
        changed = _of_take(shots[shot.slate], known[shot.slate], shot)
        transition = after.transitions[place]
        if transition != arriving[shot.slate]:
            said = _transition(transition, is_first=not place)
            if said is None:
                problems.append(f"the {transition and transition.kind} into {shot.slate} {_OFF}")
            else:
                changed["transition"] = said
        if changed:
            values[shot.slate] = changed
    ending = None
    if after.transitions[-1] != before.transitions[-1]:
        last = after.transitions[-1]
        if last and (last.kind != "fade" or last.after):
            problems.append(f"the {last.kind} at the end leads to nothing")
        ending = {"type": "fade", "duration": f"{last.before}f"} if last else {"type": "cut"}
    if problems:
        raise NotImported(f"the timeline says what a storyboard cannot: {'; '.join(problems)}")
    order = tuple(shot.slate for shot in after.shots)
    if not values and ending is None and order == tuple(shot.slate for shot in before.shots):
        return None
    return Recut(order=order, values=values, ending=ending)


_OFF = "is not in the middle of its cut, where the language has it"


def _of_take(shot: TimelineShot, before: EditedShot, after: EditedShot) -> dict[str, NewValue]:
    """The keys of a shot that say which part of which take is in the cut."""
    changed: dict[str, NewValue] = {}
    if shot.is_card:  # it is drawn from its words, as long as it is
        return {"duration": f"{after.frames}f"} if after.frames != before.frames else {}
    if after.take is not None and after.take != shot.circled:
        changed["circled"] = after.take
    if (after.first, after.frames) != (before.first, before.frames):
        if after.first < 0:
            raise NotImported(f"shot {shot.slate} begins {-after.first} frames before its take does")
        take = next(one for one in shot.takes if one.number == (after.take or shot.circled))
        if take.media and after.first >= take.frames:
            raise NotImported(f"shot {shot.slate} begins at frame {after.first}, and its take has {take.frames}")
        changed["use"] = {"from": f"{after.first}f", "length": f"{after.frames}f"}
    return changed


def _transition(transition: EditedTransition | None, *, is_first: bool) -> Mapping[str, str] | None:
    """A transition as it is written; None if it cannot be."""
    if transition is None:
        return {"type": "cut"}
    before = 0 if is_first else transition.frames // 2
    if transition.before != before or (is_first and transition.kind == "dissolve"):
        return None
    return {"type": transition.kind, "duration": f"{transition.frames}f"}
