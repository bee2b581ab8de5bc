"""A plan and its purchases as text in one line: for tables, questions, forms and errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from storyreel.specs.money import sums
from storyreel.specs.problems.phrases import counted

if TYPE_CHECKING:
    from storyreel.flows.planning.model import Plan, PlannedTake, TakeState

_STATES: Mapping[TakeState, str] = {
    "new": "to make",
    "cached": "made before",
    "resuming": "under way",
    "unknown": "unknown",
}


def summarize(plan: Plan) -> str:
    """A plan in a line: `7 shots, 28 s; 7 takes: 5 to make, 2 made before`."""
    states = Counter(take.state for take in plan.takes)
    parts = [f"{states[state]} {word}" for state, word in _STATES.items() if states[state] or state == "new"]
    seconds = float(plan.cut.rate.seconds(plan.cut.frames))
    shots, takes = counted(len(plan.cut.events), "shot"), counted(len(plan.takes), "take")
    return f"{shots}, {seconds:.4g} s; {takes}: {', '.join(parts)}"


def summarize_purchases(takes: Sequence[PlannedTake]) -> str:
    """`3 takes from aimlapi and 1 from freepik for 4.20 USD and more at an unknown price`; at least one take."""
    (first, number), *others = Counter(take.request.provider for take in takes).most_common()
    services = [f"{counted(number, 'take')} from {first}", *(f"{n} from {name}" for name, n in others)]
    amounts = " and ".join(amounts_of(takes, "more at an unknown price")) or "nothing"
    return f"{' and '.join(services)} for {amounts}"


def amounts_of(takes: Iterable[PlannedTake], unknown: str) -> list[str]:
    """The prices of those takes that will be bought: one sum a currency, then `unknown` if any price is not known."""
    buying = [take for take in takes if take.is_bought]
    known = [money.exactly for money in sums(take.price for take in buying if take.price)]
    return [*known, unknown if known else "an unknown price"] if any(take.price is None for take in buying) else known
