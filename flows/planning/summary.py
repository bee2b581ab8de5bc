"""A plan and its purchases as text in one line: for tables, questions, forms and errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from storyreel.flows.planning.finishing.deliverables import in_words
from storyreel.specs.language.slates import is_line
from storyreel.specs.money import sums
from storyreel.specs.problems.phrases import counted, listed

if TYPE_CHECKING:
    from storyreel.flows.planning.candidate import TakeState
    from storyreel.flows.planning.model import Plan, PlannedTake

_STATES: Mapping[TakeState, str] = {
    "new": "to make",
    "cached": "made before",
    "resuming": "under way",
    "unknown": "unknown",
}


def summarize(plan: Plan) -> str:
    """A plan in a line: `7 shots, 28 s; 7 takes: 5 to make, 2 made before`, after `3 pictures: …` and `2 lines: …` if
    there are any. A length that is estimated is marked: `≈ 28 s`."""
    seconds = float(plan.cut.rate.seconds(plan.cut.frames))
    about = "≈ " if any(take.is_estimate for take in plan.clips) else ""
    parts = [f"{counted(len(plan.cut.events), 'shot')}, {about}{seconds:.4g} s"]
    if plan.speech:
        parts.append(f"{counted(len(plan.speech), 'line')}: {_states(plan.speech)}")
    if plan.pictures:
        parts.append(f"{counted(len(plan.pictures), 'picture')}: {_states(plan.pictures)}")
    parts.append(f"{counted(len(plan.clips), 'take')}: {_states(plan.clips)}")
    if in_shapes := [take for take in plan.in_shapes if not take.is_redrawn]:
        parts.append(f"{counted(len(in_shapes), 'take')} in other shapes: {_states(in_shapes)}")
    return "; ".join([*parts, *filter(None, (in_words(plan.deliverables),))])


def _states(takes: Sequence[PlannedTake]) -> str:
    states = Counter(take.state for take in takes)
    return ", ".join(f"{states[state]} {word}" for state, word in _STATES.items() if states[state] or state == "new")


def summarize_purchases(takes: Sequence[PlannedTake]) -> str:
    """`3 takes from aimlapi and 1 from freepik for 4.20 USD and more at an unknown price`; at least one take.

    Pictures and lines are counted apart: `2 pictures and 3 takes from dashscope`.
    """
    counts: dict[str, list[str]] = {}
    # The word stands once for services that follow each other.
    said = ""
    for (provider, word), number in Counter((take.request.provider, _word(take)) for take in takes).most_common():
        counts.setdefault(provider, []).append(str(number) if word == said else counted(number, word))
        said = word
    services = [f"{' and '.join(numbers)} from {name}" for name, numbers in counts.items()]
    amounts = " and ".join(amounts_of(takes, "more at an unknown price")) or "nothing"
    return f"{' and '.join(services)} for {amounts}"


def _word(take: PlannedTake) -> str:
    return {"clip": "take", "picture": "picture", "speech": "line"}[take.request.mode.product]


def reason_of(take: PlannedTake) -> str:
    """The reason for a take's state, after what holds it back or the take with which it is bought."""
    if take.bought_with:
        return f"the same request as {take.bought_with}, which is bought for both"
    if take.waits_for:
        return f"waits for {waits_in_words(take)}; {take.reason}"
    return f"not selected; {take.reason}" if take.is_stand_in else take.reason


def waits_in_words(take: PlannedTake) -> str:
    """The things that a take waits for: `the approval of 1A@still`, `the speech of 1A@line-1`."""
    lines = [slate for slate in take.waits_for if is_line(slate)]
    stills = [slate for slate in take.waits_for if slate not in lines]
    waits = ("the approval of", stills), ("the speech of", lines)
    return " and ".join(f"{what} {listed(slates, 'and')}" for what, slates in waits if slates)


def amounts_of(takes: Iterable[PlannedTake], unknown: str) -> list[str]:
    """The prices of those takes that are still to be paid: one sum a currency, then `unknown` if any is not known."""
    buying = [take for take in takes if take.state == "new" and not (take.chosen.is_free or take.bought_with)]
    known = [money.exactly for money in sums(take.price for take in buying if take.price)]
    return [*known, unknown if known else "an unknown price"] if any(take.price is None for take in buying) else known
