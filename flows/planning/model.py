"""The data of planning: a plan, its takes, and the services that can make each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from storyreel.specs.cut import Cut, EditPoints
from storyreel.specs.frozen import Trusted
from storyreel.specs.money import Money, sums
from storyreel.specs.storyboard import Format, Music
from storyreel.tasks.ledger.purchase import Verdict, Word
from storyreel.tasks.media.grading.grade import Grading
from storyreel.tasks.providers.request import Attachment, Request
from storyreel.tasks.request.brief import Brief

TakeState = Literal["new", "cached", "resuming", "unknown"]
"""`new`: a run makes it. `cached`: its clip is in the store. `resuming`: ordered before, a run awaits or fetches it.
`unknown`: left alone, as it is not known whether the order was accepted.
"""

ReviewState = Literal["todo", "wip", "wfa", "retake", "approved"]
"""How far a take is to approval. `todo`: not made. `wip`: being made. `wfa`: made, waits for approval. `retake`:
another take is wanted and not made yet. `approved`: it is in the cut."""

_WITHOUT_VERDICT: Mapping[TakeState, ReviewState] = {
    "new": "todo", "resuming": "wip", "unknown": "wip", "cached": "wfa",
}  # fmt: skip

TakeKind = Literal["clip", "still", "last still", "sheet"]
"""`still`, `last still`: a picture that a shot begins or ends with. `sheet`: one of a person or a place."""


class Candidate(Trusted):
    """One service that can make a take, with the request that it would get."""

    request: Request
    key: str
    price: Money | None
    """None if unknown."""
    price_note: str = ""
    """Doubts about the price, what it includes, or why it is unknown."""
    brief_of: Callable[[], Brief]
    """Makes its `brief`, which few takes are asked for."""
    edit: EditPoints
    state: TakeState = "new"
    reason: str = ""
    why_laid: str = ""
    """Why the service is not sent the recordings of the shot; empty if it is, or if there are none."""
    changes: tuple[str, ...] = ()
    """The parts of the storyboard that differ since the last order under this slate, in the author's words."""

    def __eq__(self, other: object) -> bool:
        """Whether the two are the same, by their briefs and not by what makes these."""
        if not isinstance(other, Candidate):
            return NotImplemented
        mine, others = ({**each.__dict__, "brief": each.brief, "brief_of": None} for each in (self, other))
        return mine == others

    @cached_property
    def brief(self) -> Brief:
        """The author's words behind the request."""
        return self.brief_of()

    @property
    def is_free(self) -> bool:
        """Whether it is known to cost nothing."""
        return self.price is not None and not self.price.amount


class PlannedTake(Trusted):
    """One take of one shot, and what a run does about it."""

    shot: str
    action: str = ""
    """Of the shot, as the storyboard or a verdict says."""
    scene: str
    """The scene's number; empty in a film without scenes."""
    take: int
    kind: TakeKind = "clip"
    """Of a picture the slate is that of what it is made for: `1A@still`, `mira@sheet`."""
    circled: bool
    """Whether it is in the cut, as far as that is known before it is made; of a picture, whether clips are made of
    it."""
    is_open: bool = False
    """Whether the best take of its shot is chosen for the cut after all are made."""
    chosen: Candidate
    fallbacks: tuple[Candidate, ...] = ()
    """The services that are tried, in this order, after the chosen one has failed for good."""
    fallback_on_refusal: bool = False
    """Whether the fallbacks are tried also when its content is refused."""
    identity: str
    """That of its request to the first of its services. Requests of shots that continue it name it by this, so that
    they stay the same when another service made it."""
    is_stand_in: bool = False
    """Whether it is an animatic in place of a take that was not selected."""
    needs_review: bool = False
    """Whether a take of its shot must be approved before the film is joined."""
    verdict: Verdict | None = None
    is_asked_for: bool = False
    """Whether a verdict on another take asks for it."""
    continues: str | None
    """Identity of the clip that must be made before it, as it continues or edits that one."""
    pictures: tuple[str, ...] = ()
    """Identities of the stills and sheets that must be made before it, as it is made of them."""
    waits_for: tuple[str, ...] = ()
    """The slates of the stills that must be approved before it is made."""
    cut_seconds: Fraction
    """Length in the cut."""
    grading: Grading | None = None
    """How its colours are changed in the film; None if they stay."""
    keep_sound: bool
    """Whether the sound of the clip is used."""
    recordings: tuple[Attachment, ...] = ()
    """The recordings of the shot."""
    timeout: float
    """Seconds that a run waits for it."""

    @property
    def request(self) -> Request:
        """The request to the chosen service."""
        return self.chosen.request

    @property
    def key(self) -> str:
        """The key of that request."""
        return self.chosen.key

    @property
    def state(self) -> TakeState:
        """The state of the chosen service's candidate."""
        return self.chosen.state

    @property
    def reason(self) -> str:
        """Why it is in this state, for people."""
        return self.chosen.reason

    @property
    def price(self) -> Money | None:
        """The price of that request; None if unknown."""
        return self.chosen.price

    @property
    def edit(self) -> EditPoints:
        """The frames that are used when it is in the cut."""
        return self.chosen.edit

    def laid_with(self, candidate: Candidate) -> tuple[Attachment, ...]:
        """The recordings that are laid under the clip of a candidate in the place of its own sound."""
        return () if candidate.request.sound and self.keep_sound else self.recordings

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The chosen service, then the fallbacks."""
        return (self.chosen, *self.fallbacks)

    @property
    def review(self) -> ReviewState | None:
        """How far it is to approval; None if it needs none and has no verdict."""
        if self.verdict:
            return "approved" if self.verdict.word is Word.APPROVED else "retake"
        if self.is_asked_for and self.state == "new":
            return "retake"
        return _WITHOUT_VERDICT[self.state] if self.needs_review else None

    @property
    def is_bought(self) -> bool:
        """Whether a run spends money on it."""
        return self.state == "new" and not self.chosen.is_free and not self.waits_for

    @property
    def needs(self) -> tuple[str, ...]:
        """Identities of all takes that must be made before it."""
        return self.pictures + ((self.continues,) if self.continues else ())

    def as_json(self) -> dict[str, Any]:
        """A row of `plan --json`."""
        return {
            "shot": self.shot,
            "take": self.take,
            "kind": self.kind,
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
            "expand_prompt": self.request.expand_prompt,
            "watermark": self.request.watermark,
            "recordings": self._recordings_as_json(),
            "changes": list(self.chosen.changes),
            "stand_in": self.is_stand_in,
            "review": self.review,
            "waits_for": list(self.waits_for),
            "fallbacks": [
                {
                    "provider": other.request.provider,
                    "price": other.price.model_dump(mode="json") if other.price else None,
                    "key": other.key,
                }
                for other in self.fallbacks
            ],
        }

    def _recordings_as_json(self) -> dict[str, Any] | None:
        """Whether the clip is made to the recordings, whether they are laid under it, and why; None without any."""
        if not self.recordings:
            return None
        laid = bool(self.laid_with(self.chosen))
        return {"made_to": self.request.sound is not None, "laid_under": laid, "why": self.chosen.why_laid or None}


class Plan(Trusted):
    """The takes of a run of a storyboard, and the cut that they are joined by."""

    title: str
    format: Format
    cut: Cut
    lettering: str = ""
    """The words over its picture, as JSON; empty if there are none."""
    music: tuple[tuple[Path, Music], ...] = ()
    """The files under the whole film, each with what the storyboard says of it."""
    takes: tuple[PlannedTake, ...]
    """In the order of the film, the takes of a shot together."""
    longest_chain: int
    """Number of shots in the longest chain of shots that continue each other."""
    expected_seconds: float | None = None
    """Time to make what does not exist yet, by earlier runs; None if a service was never used before."""
    warnings: tuple[str, ...] = ()
    is_draft: bool = False
    """Whether it is that of the film's draft."""
    other: Plan | None = None
    """The plan of the draft, or in that of a draft the plan of the film, as far as verdicts and the ledger say."""

    @property
    def name(self) -> str:
        """The title, with `(draft)` if it is one."""
        return named(self.title, is_draft=self.is_draft)

    @property
    def services(self) -> tuple[str, ...]:
        """The names of all services that may get an order, sorted."""
        return tuple(sorted({each.request.provider for take in self.takes for each in take.candidates}))

    @cached_property
    def clips(self) -> tuple[PlannedTake, ...]:
        """The takes that are no pictures."""
        return tuple(take for take in self.takes if take.kind == "clip")

    @cached_property
    def pictures(self) -> tuple[PlannedTake, ...]:
        """The sheets and stills, each before what is made of it."""
        return tuple(take for take in self.takes if take.kind != "clip")

    @property
    def circled(self) -> tuple[PlannedTake, ...]:
        """The takes in the cut, one a shot, in the order of the film."""
        return tuple(take for take in self.clips if take.circled)

    @property
    def unmade(self) -> tuple[PlannedTake, ...]:
        """The takes whose clips are not in the store."""
        return tuple(take for take in self.takes if take.state != "cached")

    @property
    def bought(self) -> tuple[PlannedTake, ...]:
        """The takes that a run spends money on."""
        return tuple(take for take in self.takes if take.is_bought)

    @property
    def waiting(self) -> tuple[PlannedTake, ...]:
        """The takes that a later run spends money on, once their stills are approved."""
        return tuple(take for take in self.takes if take.waits_for and not take.chosen.is_free)

    @property
    def unapproved(self) -> tuple[str, ...]:
        """The slates of the stills that must be approved and are not."""
        approved = {take.shot for take in self.pictures if take.review == "approved"}
        asked = dict.fromkeys(take.shot for take in self.pictures if take.needs_review)
        return tuple(slate for slate in asked if slate not in approved)

    @property
    def totals(self) -> tuple[Money, ...]:
        """The known prices of the takes that are bought: one sum a currency."""
        return sums(take.price for take in self.bought if take.price)

    @property
    def unpriced(self) -> int:
        """Number of takes that are bought at an unknown price."""
        return sum(take.price is None for take in self.bought)

    @property
    def surplus_seconds(self) -> Fraction:
        """Seconds that are bought and not in the cut."""
        lengths = ((take.request.seconds, take.cut_seconds) for take in self.bought)
        return sum((sold - used for sold, used in lengths if sold > used), Fraction(0))

    @property
    def stand_ins(self) -> int:
        """Number of shots that are drawn as an animatic because they were not selected."""
        return sum(take.is_stand_in for take in self.circled)

    def scenes(self) -> Iterator[tuple[str, tuple[PlannedTake, ...]]]:
        """Each scene's number and takes, in the order of the film."""
        scenes: dict[str, list[PlannedTake]] = {}
        for take in self.takes:
            scenes.setdefault(take.scene, []).append(take)
        return ((scene, tuple(takes)) for scene, takes in scenes.items())

    def as_json(self) -> dict[str, Any]:
        """The form that `plan --json` prints; `total` is null if a price is unknown or there are several currencies."""
        return {
            "title": self.title,
            "is_draft": self.is_draft,
            "shots": [take.as_json() | self._beside(take) for take in self.takes],
            **self.sums_as_json(),
            "surplus_seconds": float(self.surplus_seconds),
            "expected_seconds": self.expected_seconds,
            "longest_chain": self.longest_chain,
            "warnings": list(self.warnings),
            **({self._other_name: self.other.sums_as_json()} if self.other else {}),
        }

    def sums_as_json(self) -> dict[str, Any]:
        """Its purchases, those of pictures among them, and those that wait for approvals, for `plan --json`."""
        pictures = [take for take in self.bought if take.kind != "clip"]
        apart = {"pictures": _sums_as_json(pictures), "waiting": _sums_as_json(self.waiting)} if self.pictures else {}
        return _sums_as_json(self.bought) | apart

    @cached_property
    def beside(self) -> Mapping[tuple[str, int], PlannedTake]:
        """The takes of the other plan, by shot and number."""
        return {(take.shot, take.take): take for take in self.other.takes} if self.other else {}

    @property
    def _other_name(self) -> str:
        return "film" if self.is_draft else "draft"

    def _beside(self, take: PlannedTake) -> dict[str, Any]:
        """The same take in the other plan, as `plan --json` shows it beside this one."""
        if self.other is None:
            return {}
        other = self.beside.get((take.shot, take.take))
        names = ("provider", "model", "state", "price", "key", "review")
        form = other.as_json() if other else {}
        return {self._other_name: {name: form[name] for name in names} if form else None}


def named(title: str, *, is_draft: bool) -> str:
    """The title of a film, with `(draft)` if it is one."""
    return f"{title} (draft)" if is_draft else title


def takes_by_shot(takes: Iterable[PlannedTake]) -> dict[str, list[PlannedTake]]:
    """The takes of each shot by its slate, in the order of the film."""
    shots: dict[str, list[PlannedTake]] = {}
    for take in takes:
        shots.setdefault(take.shot, []).append(take)
    return shots


def _sums_as_json(takes: Sequence[PlannedTake]) -> dict[str, Any]:
    """Their prices; `total` is null if one is unknown or there are several currencies."""
    totals, unpriced = sums(take.price for take in takes if take.price), sum(take.price is None for take in takes)
    return {
        "total": single_total(totals, unpriced),
        "totals": [money.model_dump(mode="json") for money in totals],
        "unpriced": unpriced,
    }


def single_total(totals: tuple[Money, ...], unpriced: int) -> dict[str, Any] | None:
    """The one sum of `totals` for programs: 0 USD if there is none.

    None for several currencies, which never add up, and if there is also something `unpriced`.
    """
    if len(totals) > 1 or unpriced:
        return None
    total = totals[0] if totals else Money(amount=Decimal(0), currency="USD")
    return total.model_dump(mode="json")
