"""The data of planning: a plan, its takes, and the services that can make each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

from storyreel.flows.planning.candidate import Candidate, TakeState
from storyreel.flows.planning.finishing.deliverables import PlannedDeliverable
from storyreel.flows.planning.finishing.sounds import PlannedSound
from storyreel.flows.planning.orders import first_of_each
from storyreel.specs.cut import Cut, EditPoints
from storyreel.specs.derived.lines import Lengths
from storyreel.specs.frozen import Trusted
from storyreel.specs.language.slates import owner_of
from storyreel.specs.money import Money, sums, sums_as_json
from storyreel.specs.storyboard import Format
from storyreel.tasks.ledger.purchase import Verdict, Word
from storyreel.tasks.media.grading.grade import Grading
from storyreel.tasks.providers.request import Attachment, Request

ReviewState = Literal["todo", "wip", "wfa", "retake", "approved"]
"""How far a take is to approval. `todo`: not made. `wip`: being made. `wfa`: made, waits for approval. `retake`:
another take is wanted and not made yet. `approved`: it is in the cut."""

_WITHOUT_VERDICT: Mapping[TakeState, ReviewState] = {
    "new": "todo", "resuming": "wip", "unknown": "wip", "cached": "wfa",
}  # fmt: skip

TakeKind = Literal["clip", "still", "last still", "sheet", "speech"]
"""`still`, `last still`: a picture that a shot begins or ends with. `sheet`: one of a person or a place. `speech`: a
spoken line."""


class PlannedTake(Trusted):
    """One take of one shot, and what a run does about it."""

    shot: str
    action: str = ""
    """Of the shot, as the storyboard or a verdict says."""
    scene: str
    """The scene's number; empty in a film without scenes."""
    take: int
    kind: TakeKind = "clip"
    """Of a picture or a line the slate is that of what it is made for: `1A@still`, `mira@sheet`, `1A@line-1`."""
    deliverable: str = ""
    """The deliverable in whose shape it is made, as its slate says: `1A@web`; empty of what the film is made of."""
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
    speech: tuple[str, ...] = ()
    """Identities of the speech that must be made before it, as it is made to it or as long as it."""
    waits_for: tuple[str, ...] = ()
    """The slates of the stills that must be approved, and of the speech that must be made, before it is."""
    bought_with: str = ""
    """The take with the same request, `1A take 1`, whose order is this one's, too; empty if it has one of its own."""
    cut_seconds: Fraction
    """Length in the cut."""
    grading: Grading | None = None
    """How its colours are changed in the film; None if they stay."""
    is_estimate: bool = False
    """Whether that is estimated, as not all that is said in it is made yet."""
    keep_sound: bool
    """Whether the sound of the clip is used."""
    recordings: tuple[Attachment, ...] = ()
    """The recordings and the speech of the shot."""
    sound_begins: int = 0
    """The frame of the shot with which its recordings begin."""
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
        return self.pictures + self.speech + ((self.continues,) if self.continues else ())

    @property
    def lacks_sound(self) -> bool:
        """Whether speech that is laid under it is not made yet."""
        return any(not recording.source for recording in self.recordings)

    @property
    def is_picture(self) -> bool:
        """Whether it is a still or a sheet."""
        return self.request.mode.product == "picture"

    def as_json(self) -> dict[str, Any]:
        """A row of `plan --json`."""
        return {
            "shot": self.shot,
            "take": self.take,
            "kind": self.kind,
            **({"deliverable": self.deliverable} if self.deliverable else {}),
            "provider": self.request.provider,
            "model": self.request.model,
            "mode": self.request.mode.value,
            "state": self.state,
            "reason": self.reason,
            "cut_seconds": float(self.cut_seconds),
            **({"estimated": True} if self.is_estimate else {}),
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
            **({"bought_with": self.bought_with} if self.bought_with else {}),
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
    sound: PlannedSound = PlannedSound.model_construct()
    """The sound of the whole film besides its clips, and how loud it is."""
    takes: tuple[PlannedTake, ...]
    """In the order of the film, the takes of a shot together."""
    deliverables: tuple[PlannedDeliverable, ...] = ()
    narration: str = ""
    """The sound over the picture, and when it is heard: a change of it changes the film and none of its takes."""
    heard: Mapping[str, Attachment] = MappingProxyType({})
    """The recordings and the speech that are there, by the slates of their lines; that of a whole shot by its slate."""
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
        """The takes of the film's shots: neither pictures nor speech, nor in the shape of a deliverable."""
        return tuple(take for take in self.takes if take.kind == "clip" and not take.deliverable)

    @cached_property
    def in_shapes(self) -> tuple[PlannedTake, ...]:
        """The takes of shots that are made once more, in the shapes of deliverables."""
        return tuple(take for take in self.takes if take.kind == "clip" and take.deliverable)

    def slate_in(self, deliverable: str, shot: str) -> str:
        """The slate of the takes of a shot that a deliverable is made of: `1A@web` of one that is made in its shape,
        else that of the film's."""
        return self._slates_in_shapes.get((deliverable, shot), shot)

    @cached_property
    def _slates_in_shapes(self) -> Mapping[tuple[str, str], str]:
        return {(take.deliverable, owner_of(take.shot)): take.shot for take in self.in_shapes}

    @cached_property
    def pictures(self) -> tuple[PlannedTake, ...]:
        """The sheets and stills, each before what is made of it."""
        return tuple(take for take in self.takes if take.is_picture)

    @cached_property
    def speech(self) -> tuple[PlannedTake, ...]:
        """The spoken lines."""
        return tuple(take for take in self.takes if take.kind == "speech")

    @property
    def lengths(self) -> Lengths:
        """The seconds of the recordings and the speech that are there, by slate."""
        return {slate: one.seconds for slate, one in self.heard.items() if one.seconds is not None}

    @property
    def circled(self) -> tuple[PlannedTake, ...]:
        """The takes in the cut, one a shot, in the order of the film."""
        return tuple(take for take in self.clips if take.circled)

    @property
    def unmade(self) -> tuple[PlannedTake, ...]:
        """The takes whose clips are not in the store."""
        return tuple(take for take in self.takes if take.state != "cached")

    @cached_property
    def bought(self) -> tuple[PlannedTake, ...]:
        """The takes that a run spends money on, one an order."""
        return tuple(first_of_each(take for take in self.takes if take.is_bought).values())

    @cached_property
    def waiting(self) -> tuple[PlannedTake, ...]:
        """The takes that a later run spends money on, once their stills are approved and their speech is made."""
        return tuple(first_of_each(take for take in self.takes if take.waits_for and not take.chosen.is_free).values())

    @property
    def unapproved(self) -> tuple[str, ...]:
        """The slates of the stills and the speech that must be approved and are not."""
        beside = [take for take in self.takes if take.kind != "clip"]
        approved = {take.shot for take in beside if take.review == "approved"}
        asked = dict.fromkeys(take.shot for take in beside if take.needs_review)
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
            **({"deliverables": [each.as_json() for each in self.deliverables]} if self.deliverables else {}),
            **({self._other_name: self.other.sums_as_json()} if self.other else {}),
        }

    def sums_as_json(self) -> dict[str, Any]:
        """Its purchases, those of pictures and of speech among them, and those that wait, for `plan --json`."""
        pictures = [take for take in self.bought if take.is_picture]
        speech = [take for take in self.bought if take.kind == "speech"]
        apart = {"pictures": _sums(pictures)} if self.pictures else {}
        apart |= {"speech": _sums(speech)} if self.speech else {}
        return _sums(self.bought) | apart | ({"waiting": _sums(self.waiting)} if apart else {})

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


def _sums(takes: Iterable[PlannedTake]) -> dict[str, Any]:
    return sums_as_json(take.price for take in takes)


def named(title: str, *, is_draft: bool) -> str:
    """The title of a film, with `(draft)` if it is one."""
    return f"{title} (draft)" if is_draft else title


def takes_by_shot(takes: Iterable[PlannedTake]) -> dict[str, list[PlannedTake]]:
    """The takes of each shot by its slate, in the order of the film."""
    shots: dict[str, list[PlannedTake]] = {}
    for take in takes:
        shots.setdefault(take.shot, []).append(take)
    return shots
