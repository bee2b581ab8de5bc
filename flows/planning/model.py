"""What a plan is made of: takes, who would make them, and what is known of the past."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from storyreel.specs.cut import Cut, EditPoints
from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money, sums
from storyreel.specs.storyboard import Format
from storyreel.tasks.ledger.ledger import Purchase, Verdict, Word
from storyreel.tasks.polling import PastDurations
from storyreel.tasks.providers.request import Request
from storyreel.tasks.request.brief import Brief

TakeState = Literal["new", "cached", "resuming", "unknown"]

ReviewState = Literal["todo", "wip", "wfa", "retake", "approved"]
"""How far a take is on its way to the cut. `todo`: nothing is made. `wip`: it is being made. `wfa`: made, waits for
approval. `retake`: another one is wanted and not made yet. `approved`: it is in the cut."""

_REVIEW: Mapping[TakeState, ReviewState] = {"new": "todo", "resuming": "wip", "unknown": "wip", "cached": "wfa"}
"""The word for a take of which nothing was said."""

Orders = Mapping[tuple[str, int, str], Purchase]
"""What was ordered last under a slate, for a take of this number, from a service."""


def _nobody_ordered(film: str, slates: Iterable[str]) -> Orders:
    return {}


def _nobody_knows(provider: str, model: str) -> PastDurations | None:
    return None


def _nobody_judged(keys: Iterable[str]) -> Mapping[str, Verdict]:
    return {}


def _nothing_committed(scope: str, **of: str) -> tuple[Money, ...]:
    return ()


class History(Frozen):
    """What is known of the past, each part looked up when it is needed."""

    purchases: Callable[[Iterable[str]], Mapping[str, Purchase]]
    """By key."""
    holds: Callable[[str], bool]
    """Whether the store has the clip of this digest."""
    latest: Callable[[str, Iterable[str]], Orders] = _nobody_ordered
    """For a film's title and some slates."""
    experience: Callable[[str, str], PastDurations | None] = _nobody_knows
    """How long a service's model took before."""
    committed: Callable[..., tuple[Money, ...]] = _nothing_committed
    """What is spoken for within a scope: `storyreel.tasks.ledger.ledger.Ledger.committed`."""
    has_verdicts: bool = False
    """Whether anybody has said anything of any take."""
    verdicts: Callable[[Iterable[str]], Mapping[str, Verdict]] = _nobody_judged
    """By key, what was said last of a take."""
    has_bucket: bool = False
    """Whether the user has a bucket, for files that a service can only be sent a link to."""


class Candidate(Frozen):
    """One service's way to make a take."""

    request: Request
    key: str
    price: Money | None
    """None where nobody knows it."""
    price_note: str = ""
    """What the price holds or is not sure of, or why there is none."""
    brief: Brief
    edit: EditPoints
    """Which frames are used when it is in the cut."""
    state: TakeState = "new"
    reason: str = ""
    """Why it is in this state, for people."""
    changes: tuple[str, ...] = ()
    """What is said otherwise since it was last ordered under this slate, in the author's words."""

    @property
    def is_free(self) -> bool:
        """Whether it surely costs nothing."""
        return self.price is not None and not self.price.amount


class PlannedTake(Frozen):
    """One take of one shot, and what becomes of it."""

    shot: str
    scene: str
    """The scene's number; empty in a film without scenes."""
    take: int
    circled: bool
    """Whether it is the one in the cut, as far as that is known before it is made."""
    is_open: bool = False
    """Whether the takes of its shot are compared once they are there, and the best goes into the cut."""
    chosen: Candidate
    """How it is made."""
    fallbacks: tuple[Candidate, ...] = ()
    """How it is made when that fails for good, in this order."""
    fallback_on_refusal: bool = False
    """Whether a refusal of its content is a reason to ask the next service."""
    identity: str
    """What stands for it in the requests of shots that continue it: its key at the first of its services, so that
    those stay the same when another one had to step in."""
    is_stand_in: bool = False
    """Whether the animatic stands in for a take that was not selected."""
    needs_review: bool = False
    """Whether somebody must approve a take of its shot."""
    verdict: Verdict | None = None
    """What was said of it last."""
    is_asked_for: bool = False
    """Whether it is planned because another take was refused."""
    continues: str | None
    """Identity of the take whose last frame it begins with."""
    cut_seconds: Fraction
    """Length in the cut."""
    keep_sound: bool
    timeout: float
    """Seconds that a run waits for it."""

    @property
    def request(self) -> Request:
        """What is asked for."""
        return self.chosen.request

    @property
    def key(self) -> str:
        """The key of what is asked for."""
        return self.chosen.key

    @property
    def state(self) -> TakeState:
        """What becomes of it."""
        return self.chosen.state

    @property
    def reason(self) -> str:
        """Why, for people."""
        return self.chosen.reason

    @property
    def price(self) -> Money | None:
        """What it costs to make; None where nobody knows it."""
        return self.chosen.price

    @property
    def edit(self) -> EditPoints:
        """Which of its frames are used when it is in the cut."""
        return self.chosen.edit

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The service that makes it, then those that step in for it."""
        return (self.chosen, *self.fallbacks)

    @property
    def review(self) -> ReviewState | None:
        """How far it is to approval; None where nobody has to approve it and nobody has said anything."""
        if self.verdict:
            return "approved" if self.verdict.word is Word.APPROVED else "retake"
        if self.is_asked_for and self.state == "new":
            return "retake"
        return _REVIEW[self.state] if self.needs_review else None

    @property
    def is_bought(self) -> bool:
        """Whether money will be spent on it."""
        return self.state == "new" and not self.chosen.is_free

    def as_json(self) -> dict[str, Any]:
        """A row of `plan --json`."""
        return {
            "shot": self.shot,
            "take": self.take,
            "provider": self.request.provider,
            "model": self.request.model,
            "mode": self.request.mode.value,
            "state": self.state,
            "reason": self.reason,
            "cut_seconds": float(self.cut_seconds),
            "sold_seconds": float(self.request.seconds),
            "price": self.price.model_dump(mode="json") if self.price else None,
            "key": self.key,
            "scene": self.scene,
            "circled": self.circled,
            "changes": list(self.chosen.changes),
            "stand_in": self.is_stand_in,
            "review": self.review,
            "fallbacks": [
                {
                    "provider": other.request.provider,
                    "price": other.price.model_dump(mode="json") if other.price else None,
                    "key": other.key,
                }
                for other in self.fallbacks
            ],
        }


class Plan(Frozen):
    """What a run of a storyboard will do."""

    title: str
    format: Format
    cut: Cut
    takes: tuple[PlannedTake, ...]
    """In the order of the film, all takes of a shot together."""
    longest_chain: int
    """Shots in the longest row of shots that continue each other."""
    expected_seconds: float | None = None
    """How long it will take to make what is not there, by past runs; None where a service was never used before."""
    warnings: tuple[str, ...] = ()

    @property
    def services(self) -> tuple[str, ...]:
        """Everyone who may be asked for a take, by name."""
        return tuple(sorted({way.request.provider for take in self.takes for way in take.candidates}))

    @property
    def circled(self) -> tuple[PlannedTake, ...]:
        """The takes in the cut, one a shot, in the order of the film."""
        return tuple(take for take in self.takes if take.circled)

    @property
    def bought(self) -> tuple[PlannedTake, ...]:
        """The takes that money will be spent on."""
        return tuple(take for take in self.takes if take.is_bought)

    @property
    def totals(self) -> tuple[Money, ...]:
        """The price of all that will be bought, as far as it is known: one sum a currency."""
        return sums(take.price for take in self.bought if take.price)

    @property
    def unpriced(self) -> int:
        """Takes that will be bought at a price that nobody knows."""
        return sum(take.price is None for take in self.bought)

    @property
    def surplus_seconds(self) -> Fraction:
        """Seconds that will be bought and are not in the cut."""
        return sum((max(take.request.seconds - take.cut_seconds, Fraction(0)) for take in self.bought), Fraction(0))

    @property
    def stand_ins(self) -> int:
        """Shots that the animatic stands in for."""
        return sum(take.is_stand_in for take in self.circled)

    def scenes(self) -> Iterator[tuple[str, tuple[PlannedTake, ...]]]:
        """The takes of each scene, by its number, in the order of the film."""
        grouped: dict[str, list[PlannedTake]] = {}
        for take in self.takes:
            grouped.setdefault(take.scene, []).append(take)
        return ((scene, tuple(takes)) for scene, takes in grouped.items())

    def as_json(self) -> dict[str, Any]:
        """The form that `plan --json` prints; `total` is null when nothing adds up to one sum."""
        return {
            "title": self.title,
            "shots": [take.as_json() for take in self.takes],
            "total": single_total(self.totals),
            "totals": [money.model_dump(mode="json") for money in self.totals],
            "unpriced": self.unpriced,
            "surplus_seconds": float(self.surplus_seconds),
            "expected_seconds": self.expected_seconds,
            "longest_chain": self.longest_chain,
            "warnings": list(self.warnings),
        }


def takes_by_shot(takes: Iterable[PlannedTake]) -> dict[str, list[PlannedTake]]:
    """The takes of each shot by its slate, in the order of the film."""
    shots: dict[str, list[PlannedTake]] = {}
    for take in takes:
        shots.setdefault(take.shot, []).append(take)
    return shots


def single_total(totals: tuple[Money, ...]) -> dict[str, Any] | None:
    """Sums as a single one for programs: none are 0 USD, and several currencies are null, as they never add up."""
    if len(totals) > 1:
        return None
    total = totals[0] if totals else Money(amount=Decimal(0), currency="USD")
    return total.model_dump(mode="json")
