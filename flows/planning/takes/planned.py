"""One take of a shot, a picture or a line, as a run makes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, Literal

from storyreel.flows.planning.candidate import Candidate, TakeState
from storyreel.specs.cut import EditPoints
from storyreel.specs.frozen import Trusted
from storyreel.specs.money import Money
from storyreel.tasks.join.label_mark import LabelMark
from storyreel.tasks.ledger.purchase import Verdict, Word
from storyreel.tasks.media.grading.grade import Grading
from storyreel.tasks.providers.request import Attachment, Request

ReviewState = Literal["todo", "wip", "wfa", "retake", "approved"]
"""The state of a take's review. `todo`: not made. `wip`: being made. `wfa`: made, waits for approval. `retake`: another
take is wanted and not made yet. `approved`: it is in the cut."""

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
    """The action of the shot, as the storyboard or a verdict says."""
    scene: str
    """The scene's number; empty in a film without scenes."""
    take: int
    kind: TakeKind = "clip"
    """The kind. Slates of pictures and lines begin with what they are for: `1A@still`, `mira@sheet`, `1A@line-1`."""
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
    """The identity of its request to the first of its services. Requests of shots that continue it name it by this, so
    that they stay the same when another service made it."""
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
    """The change of its colours in the film; None if they stay."""
    label: LabelMark | None = None
    """The label of the film, for those of its takes that have it."""
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
        """The reason for its state, for people."""
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

    def label_of(self, candidate: Candidate) -> LabelMark | None:
        """The label that is drawn over the clip of a candidate: over all that a model made, or also over drawings."""
        is_labelled = self.label and (candidate.request.board is None or self.label.on == "all")
        return self.label if is_labelled and not candidate.is_card else None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The chosen service, then the fallbacks."""
        return (self.chosen, *self.fallbacks)

    @property
    def review(self) -> ReviewState | None:
        """The state of its review; None if it needs no approval and has no verdict."""
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
    def is_redrawn(self) -> bool:
        """Whether it is a drawing of the film once more, in the shape of a deliverable."""
        return bool(self.deliverable and self.request.board)

    @property
    def may_cost(self) -> bool:
        """Whether it is to be bought, now or later, or may have been ordered."""
        return self.state in ("new", "unknown") and not self.chosen.is_free

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
            **({"grade": self.grading.as_json()} if self.grading else {}),
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


def takes_by_shot(takes: Iterable[PlannedTake]) -> dict[str, list[PlannedTake]]:
    """The takes of each shot by its slate, in the order of the film."""
    shots: dict[str, list[PlannedTake]] = {}
    for take in takes:
        shots.setdefault(take.shot, []).append(take)
    return shots
