"""The report on a finished film: the `Rendering`, and the manifest beside the sequence."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterable, Mapping, Sequence, Set
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any

from storyreel.flows.accounting.charges import warnings
from storyreel.flows.planning.model import Plan, PlannedTake, TakeKind
from storyreel.flows.player.links import Links
from storyreel.flows.production.film_folder import DELIVERABLES
from storyreel.flows.production.outcomes import MadeTake
from storyreel.specs.cut import Cut, Event
from storyreel.specs.foreign_text import json_text
from storyreel.specs.frozen import Frozen
from storyreel.specs.language.slates import deliverable_of, is_line
from storyreel.specs.money import Money, single_total, sums
from storyreel.specs.problems.phrases import counted
from storyreel.specs.secrets import hidden
from storyreel.tasks.home import Home
from storyreel.tasks.inspection.inspect import Finding, Inspection
from storyreel.tasks.join.sound.level import ReachedLevel
from storyreel.tasks.ledger.ledger import Purchase, Spend
from storyreel.tasks.ledger.reading.charges import Charge
from storyreel.tasks.providers.request import Request
from storyreel.tasks.storage.files import write_whole

CONTACT_SHEET = "contact-sheet.jpg"


class RenderedTake(Frozen):
    """One take of a finished film."""

    shot: str
    take: int
    kind: TakeKind = "clip"
    deliverable: str = ""
    """The deliverable in whose shape it is made; empty of what the film is made of."""
    circled: bool
    """Whether it is in the cut, or in the deliverable; of a picture, whether clips are made of it."""
    key: str
    clip: Path
    cached: bool
    """Whether its clip existed before the run."""
    cost: Money | None
    """As the service reports it, else by the price list; None if neither is known."""
    is_estimate: bool = False
    is_resumed: bool = False
    """Whether an earlier run ordered it, and this one fetched its clip."""
    is_stand_in: bool = False
    """Whether the animatic made it in the place of a take that was not selected."""
    request: Request
    inspection: Inspection | None = None
    """None for a free clip."""


class Origin(Frozen):
    """The storyboard of a film."""

    storyboard: str
    """As given to the run."""
    version: str
    """Of the storyboard and the files it names: `storyreel.flows.packs.version_of`."""
    source: str = ""
    """The place of the storyboard, which identifies the film: `storyreel.flows.production.film_folder`."""
    is_draft: bool = False
    """Whether the film is the draft of it."""


class RenderedDeliverable(Frozen):
    """A finished deliverable of a film."""

    name: str
    file: Path | str
    """A path, or an address as a string."""
    width: int
    height: int
    fps: str
    frames: int
    codec: str
    digest: str
    """SHA-256 of its file, in hex."""
    level: ReachedLevel | None = None
    """The level of its sound; None unless one is asked for."""
    subtitles: tuple[str, ...] = ()
    """The names of the files of subtitles beside it, which differ from those of the film."""
    languages: tuple[str, ...] = ()
    """The languages of its subtitles, in files or tracks; an empty one if the film names none."""
    has_words: bool = False
    """Whether its subtitles are in the picture."""

    @property
    def in_words(self) -> str:
        """`1080×1920, 25 fps, h264, -14.0 LUFS`."""
        parts = (f"{self.width}×{self.height}, {self.fps} fps", self.codec, self.level.in_words if self.level else "")
        return ", ".join(filter(None, parts))

    @property
    def files(self) -> tuple[str, ...]:
        """Its files, within the folder of the film."""
        return tuple(f"{DELIVERABLES}/{name}" for name in (PurePath(str(self.file)).name, *self.subtitles))

    def as_json(self) -> dict[str, Any]:
        """The form in `render --json` and in the manifest."""
        kept = {"name", "width", "height", "fps", "frames", "codec", "digest"}
        return {
            **self.model_dump(mode="json", include=kept),
            "file": str(self.file),
            **({"level": self.level.as_json()} if self.level else {}),
            **({"subtitles": list(self.subtitles)} if self.subtitles else {}),
        }


class Rendering(Frozen):
    """A finished film."""

    sequence: Path | str
    """A path, or an address as a string."""
    origin: Origin
    frames: int
    fps: str
    seconds: Fraction
    shots: tuple[RenderedTake, ...]
    stills: tuple[RenderedTake, ...] = ()
    """The stills and sheets that clips are made of."""
    speech: tuple[RenderedTake, ...] = ()
    """The lines that a service has spoken."""
    in_shapes: tuple[RenderedTake, ...] = ()
    """The takes of shots that were made once more, in the shapes of deliverables."""
    flow_run: str
    spending: tuple[Spend, ...] = ()
    """The cost of all orders of this run, by service."""
    charges: tuple[Charge, ...] = ()
    """The services' charges for this run's orders, against the quotes."""
    level: ReachedLevel | None = None
    """The level of its sound; None unless the storyboard asks for one."""
    deliverables: tuple[RenderedDeliverable, ...] = ()
    """The deliverables that the run has made."""
    signer: str = ""
    """The signer of its Content Credentials; empty if it has none."""
    play: str = ""
    """The address at which a browser plays the film; empty if it cannot."""

    @property
    def is_draft(self) -> bool:
        """Whether it is the draft of its storyboard."""
        return self.origin.is_draft

    @property
    def takes(self) -> tuple[RenderedTake, ...]:
        """All takes, pictures first, then speech."""
        return (*self.stills, *self.speech, *self.shots, *self.in_shapes)

    @property
    def takes_in_words(self) -> str:
        """`3 takes`, `3 takes and 2 pictures`, `3 takes, 2 pictures and 4 lines`; takes in other shapes among them."""
        beside = [counted(len(some), what) for some, what in ((self.stills, "picture"), (self.speech, "line")) if some]
        *others, last = [counted(len((*self.shots, *self.in_shapes)), "take"), *beside]
        return f"{', '.join(others)} and {last}" if others else last

    @property
    def spent(self) -> tuple[Money, ...]:
        """Known cost of what this run ordered: one sum for each currency. All of it only if nothing is `unpriced`."""
        return _known(self.spending)

    @property
    def unpriced(self) -> int:
        """Number of this run's orders whose cost is unknown, which are not in `spent`."""
        return _unpriced(self.spending)

    @property
    def is_estimate(self) -> bool:
        """Whether part of `spent` is by the price list."""
        return _has_estimate(self.spending)

    @property
    def spent_in_words(self) -> str:
        """See `spent_in_words`."""
        return spent_in_words(self.spending)

    @property
    def price_warnings(self) -> tuple[str, ...]:
        """A line for each service and model that charged something else than was quoted."""
        return warnings(self.charges)

    @property
    def in_words(self) -> str:
        """A summary of the film: `3 takes, 0.60 USD, 28.5 s`."""
        spent = "nothing spent" if (words := self.spent_in_words) == "nothing" else words
        stand_ins = f"{counted(self.stand_ins, 'shot')} drawn by the animatic" if self.stand_ins else ""
        defects = f"{counted(len(self.findings), 'defect')} found" if self.findings else ""
        kind = "a draft" if self.is_draft else ""
        loudness = self.level.in_words if self.level else ""
        signed = f"credentials signed by {self.signer}" if self.signer else ""
        parts = (kind, self.takes_in_words, spent, f"{float(self.seconds):.4g} s", loudness, signed, stand_ins, defects)
        return ", ".join(filter(None, parts))

    @property
    def stand_ins(self) -> int:
        """Number of shots in the cut that the animatic stands in for."""
        return sum(take.is_stand_in for take in self.shots if take.circled)

    @property
    def findings(self) -> tuple[str, ...]:
        """Defects found in the takes, one line each, with what can be done about it where that is not plain."""
        return tuple(
            f"{take.shot} take {take.take}: {finding.detail}{self._remedy(take, finding)}"
            for take in self.takes
            if take.inspection
            for finding in take.inspection.findings
        )

    def _remedy(self, take: RenderedTake, finding: Finding) -> str:
        if finding.what not in ("frames", "damage"):
            return ""
        # Neither a line nor a shape has takes of its own in the storyboard.
        is_beside = is_line(take.shot) or deliverable_of(take.shot)
        how = ("review", self.origin.storyboard, "--retake") if is_beside else ("retake", self.origin.storyboard)
        again = f"ask for another take: {shlex.join(['storyreel', *how, take.shot])}"
        return f"; {finding.remedy}, or {again}" if finding.remedy else f"; {again}"

    def as_json(self) -> dict[str, Any]:
        """The form that `render --json` prints; `spent` is null unless it is known and one sum."""
        return {
            "sequence": str(self.sequence),
            "frames": self.frames,
            "fps": self.fps,
            "seconds": float(self.seconds),
            "shots": [take.model_dump(mode="json", include=_IN_JSON) for take in self.shots],
            "stills": [take.model_dump(mode="json", include={"kind", *_IN_JSON}) for take in self.stills],
            **(
                {"speech": [take.model_dump(mode="json", include=_IN_JSON) for take in self.speech]}
                if self.speech
                else {}
            ),
            **({"in_shapes": list(map(_in_shape_as_json, self.in_shapes))} if self.in_shapes else {}),
            **({"level": self.level.as_json()} if self.level else {}),
            **({"deliverables": [each.as_json() for each in self.deliverables]} if self.deliverables else {}),
            **({"credentials": {"signer": self.signer}} if self.signer else {}),
            "spent": single_total(self.spent, self.unpriced),
            "spent_at_least": [money.model_dump(mode="json") for money in self.spent],
            "unpriced": self.unpriced,
            "price_warnings": list(self.price_warnings),
            "flow_run": self.flow_run,
            "storyboard": self.origin.storyboard,
            "version": self.origin.version,
            "play": self.play or None,
            "draft": self.is_draft,
        }


def spent_in_words(spending: Iterable[Spend]) -> str:
    """`nothing`, `about 1.95 USD`, `at least 1.95 USD, and the price of 2 orders is not known`."""
    parts = tuple(spending)
    known = " and ".join(money.exactly for money in _known(parts) if money.amount)
    known = f"about {known}" if known and _has_estimate(parts) else known
    if not (unpriced := _unpriced(parts)):
        return known or "nothing"
    unknown = f"the price of {counted(unpriced, 'order')} is not known"
    return f"at least {known}, and {unknown}" if known else f"an unknown amount: {unknown}"


def _known(spending: Iterable[Spend]) -> tuple[Money, ...]:
    return sums(money for part in spending for money in (*part.charged, *part.estimated))


def _unpriced(spending: Iterable[Spend]) -> int:
    return sum(part.unpriced for part in spending)


def _has_estimate(spending: Iterable[Spend]) -> bool:
    return any(money.amount for part in spending for money in part.estimated)


def _in_shape_as_json(take: RenderedTake) -> dict[str, Any]:
    return take.model_dump(mode="json", include={"deliverable", *_IN_JSON})


_IN_JSON = {"shot", "take", "key", "clip", "cached", "cost"}


def rendered_take(take: PlannedTake, made: MadeTake, purchase: Purchase | None, in_cut: Set[str]) -> RenderedTake:
    """A take of the finished film; `in_cut` has the identities of the takes in the cut."""
    reported = purchase.cost if purchase else None
    candidate = made.candidate
    return RenderedTake(
        shot=take.shot,
        take=take.take,
        kind=take.kind,
        deliverable=take.deliverable,
        circled=take.identity in in_cut if take.kind == "clip" else take.circled,
        key=candidate.key,
        clip=made.clip.path,
        cached=candidate.state == "cached",
        is_resumed=candidate.state == "resuming",
        cost=reported or candidate.price,
        is_estimate=reported is None and not candidate.is_free,
        is_stand_in=take.is_stand_in,
        request=candidate.request,
        inspection=made.inspection,
    )


def write_manifest(folder: Path, plan: Plan, rendering: Rendering, subtitles: Sequence[Mapping[str, Any]] = ()) -> None:
    """Write `manifest.json`: the film, of each take its request, its clip and its place in the cut, and `subtitles`."""
    places = {event.shot: _place(event, plan.cut) for event in plan.cut.events}
    for take in plan.circled:
        if take.grading:
            places[take.shot]["grade"] = take.grading.as_json()
        if label := take.label_of(take.chosen):
            places[take.shot]["label"] = label.as_json()
    name = PurePath(rendering.sequence).name
    film = {
        "title": plan.title,
        # The player's links open the takes of others too, which the film's recipients may not be meant to see.
        **{name: value for name, value in rendering.as_json().items() if name != "play"},
        "source": rendering.origin.source,
        "sequence": name,
        "shots": [
            _in_manifest(take) | ({"in_cut": places[take.shot]} if take.circled else {}) for take in rendering.shots
        ],
        "stills": [{"kind": take.kind, **_in_manifest(take)} for take in rendering.stills],
        **({"speech": [_in_manifest(take) for take in rendering.speech]} if rendering.speech else {}),
        **(
            {"in_shapes": [{"deliverable": take.deliverable, **_in_manifest(take)} for take in rendering.in_shapes]}
            if rendering.in_shapes
            else {}
        ),
        **({"subtitles": list(subtitles)} if subtitles else {}),
        **(
            {"deliverables": [each.as_json() | {"file": each.files[0]} for each in rendering.deliverables]}
            if rendering.deliverables
            else {}
        ),
    }
    write_whole(folder / "manifest.json", hidden(json_text(film)) + "\n")


def _in_manifest(take: RenderedTake) -> dict[str, Any]:
    return {
        **take.model_dump(mode="json", include=_IN_JSON),
        "circled": take.circled,
        "cost_is_estimate": take.is_estimate,
        "stand_in": take.is_stand_in,
        "clip_digest": take.clip.stem,
        "provider": take.request.provider,
        "model": take.request.model,
        "mode": take.request.mode.value,
        "prompt": take.request.prompt,
        "seed": take.request.seed,
        "expand_prompt": take.request.expand_prompt,
        "watermark": take.request.watermark,
        "made_to_recording": take.request.sound is not None,
        "sold_seconds": float(take.request.seconds),
        "inspection": take.inspection.model_dump(mode="json") if take.inspection else None,
    }


def _place(event: Event, cut: Cut) -> dict[str, Any]:
    return {
        "start": cut.rate.timecode(event.start),
        "end": cut.rate.timecode(event.end),
        "first_frame": event.start,
        "frames": event.frames,
    }


async def run_links(home: Home) -> Links:
    """The links by which a run's takes and its film are played, for readers of the server that it reports to."""
    from prefect.settings import PREFECT_API_URL  # A report can be read without Prefect.

    return await asyncio.to_thread(Links.of, home, PREFECT_API_URL.value() or "")
