"""The data of planning: a plan, its takes, and the services that can make each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from functools import cached_property
from types import MappingProxyType
from typing import Any

from storyreel.flows.planning.finishing.deliverables import PlannedDeliverable
from storyreel.flows.planning.finishing.sounds import PlannedSound
from storyreel.flows.planning.orders import first_of_each
from storyreel.flows.planning.takes.planned import PlannedTake, ReviewState, TakeKind, takes_by_shot
from storyreel.specs.cut import Cut
from storyreel.specs.derived.lines import Lengths
from storyreel.specs.frozen import Trusted
from storyreel.specs.language.slates import owner_of
from storyreel.specs.money import Money, sums, sums_as_json
from storyreel.specs.storyboard import Format
from storyreel.tasks.providers.request import Attachment

__all__ = ("Plan", "PlannedTake", "ReviewState", "TakeKind", "named", "takes_by_shot")


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
    """In the order of the film, the takes of a shot together; then those of the deliverables that are made."""
    deliverables: tuple[PlannedDeliverable, ...] = ()
    """All of the storyboard, those included that the run does not make."""
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
        """The names of all services that its takes are made by or may be made by, sorted."""
        return tuple(sorted({each.request.provider for take in self.takes for each in take.candidates}))

    @property
    def asked_services(self) -> tuple[str, ...]:
        """The services that a run asks: those of takes that are not in the store and wait for nothing."""
        asked = (take for take in self.unmade if not take.waits_for)
        return tuple(sorted({each.request.provider for take in asked for each in take.candidates}))

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
