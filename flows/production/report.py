"""What a run leaves beside its sequence: a manifest, subtitles, a contact sheet. A file is complete or absent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence, Set
from fractions import Fraction
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from storyreel.flows.planning.model import Plan, PlannedTake, single_total
from storyreel.specs.cut import Cut, Event
from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money, sums
from storyreel.specs.storyboard import Shot, Storyboard
from storyreel.tasks.files import write_whole
from storyreel.tasks.inspection.inspect import Inspection
from storyreel.tasks.ledger.ledger import Purchase
from storyreel.tasks.providers.request import Request
from storyreel.tasks.request.prompt import spoken_lines

if TYPE_CHECKING:
    from storyreel.flows.production.outcomes import MadeTake


CONTACT_SHEET = "contact-sheet.jpg"


class RenderedTake(Frozen):
    """One take of a finished film."""

    shot: str
    take: int
    circled: bool
    key: str
    clip: Path
    cached: bool
    """Whether it was there before the run."""
    cost: Money | None
    """None where the service does not say, and no price is known."""
    is_estimate: bool = False
    """Whether the cost is the price list's, because the service did not tell."""
    is_stand_in: bool = False
    """Whether the animatic stands in for a take that was not selected."""
    request: Request
    """What it was made from."""
    inspection: Inspection | None = None
    """What was seen in it; None for what costs nothing."""


class Origin(Frozen):
    """What a film was made from."""

    storyboard: str
    """As the run was given it: a path, or an address."""
    version: str
    """Of the storyboard and the files that it names; see `storyreel.flows.packs.version_of`."""


class Rendering(Frozen):
    """A finished film."""

    sequence: Path | str
    """The file; a text where it was delivered to an address."""
    origin: Origin
    frames: int
    fps: str
    seconds: Fraction
    shots: tuple[RenderedTake, ...]
    flow_run: str

    @property
    def spent(self) -> tuple[Money, ...]:
        """What the takes made in this run cost, as far as it is known: one sum a currency."""
        return sums(take.cost for take in self.shots if take.cost and not take.cached)

    @property
    def is_estimate(self) -> bool:
        """Whether a part of what was spent is the price list's word."""
        return any(take.is_estimate and not take.cached for take in self.shots)

    @property
    def stand_ins(self) -> int:
        """Shots that the animatic stands in for."""
        return sum(take.is_stand_in for take in self.shots if take.circled)

    @property
    def findings(self) -> tuple[str, ...]:
        """What was seen in the takes that is not as it should be, a line each."""
        return tuple(
            f"{take.shot} take {take.take}: {finding.detail}"
            for take in self.shots
            if take.inspection
            for finding in take.inspection.findings
        )

    def as_json(self) -> dict[str, Any]:
        """The form that `render --json` prints; `spent` is null when nothing adds up to one sum."""
        return {
            "sequence": str(self.sequence),
            "frames": self.frames,
            "fps": self.fps,
            "seconds": float(self.seconds),
            "shots": [take.model_dump(mode="json", include=_IN_JSON) for take in self.shots],
            "spent": single_total(self.spent),
            "flow_run": self.flow_run,
            "storyboard": self.origin.storyboard,
            "version": self.origin.version,
        }


_IN_JSON = {"shot", "take", "key", "clip", "cached", "cost"}


def rendered(take: PlannedTake, made: MadeTake, purchase: Purchase | None, in_cut: Set[str]) -> RenderedTake:
    """A take of the finished film; `in_cut` holds the identities of those that are seen in it."""
    told = purchase.cost if purchase else None
    return RenderedTake(
        shot=take.shot,
        take=take.take,
        circled=take.identity in in_cut,
        key=made.way.key,
        clip=made.clip.path,
        cached=made.way.state == "cached",
        cost=told or made.way.price,
        is_estimate=told is None and not made.way.is_free,
        is_stand_in=take.is_stand_in,
        request=made.way.request,
        inspection=made.inspection,
    )


def rendering(
    plan: Plan, origin: Origin, takes: Sequence[RenderedTake], sequence: Path | str, flow_run: str
) -> Rendering:
    """The finished film."""
    return Rendering(
        sequence=sequence,
        origin=origin,
        frames=plan.cut.frames,
        fps=str(plan.cut.rate),
        seconds=plan.cut.rate.seconds(plan.cut.frames),
        shots=tuple(takes),
        flow_run=flow_run,
    )


def write_manifest(folder: Path, plan: Plan, made: Rendering) -> None:
    """`manifest.json`: the film, and for every take what was asked for, what came and where it is in the cut."""
    events = {event.shot: event for event in plan.cut.events}
    takes = [
        {
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
            "sold_seconds": float(take.request.seconds),
            "inspection": take.inspection.model_dump(mode="json") if take.inspection else None,
            **({"in_cut": _place(events[take.shot], plan.cut)} if take.circled else {}),
        }
        for take in made.shots
    ]
    name = PurePath(made.sequence).name
    film = {"title": plan.title, **made.as_json(), "sequence": name, "shots": takes}
    write_whole(folder / "manifest.json", json.dumps(film, ensure_ascii=False, indent=2) + "\n")


def write_subtitles(folder: Path, storyboard: Storyboard, cut: Cut) -> None:
    """`sequence.srt` with every line of dialogue; an old one is removed when nobody speaks any more."""
    cues = [
        cue for shot, event in zip(storyboard.all_shots, cut.events, strict=True)
        for cue in _cues(storyboard, shot, event, cut)
    ]  # fmt: skip
    path = folder / "sequence.srt"
    if not cues:
        path.unlink(missing_ok=True)
        return
    write_whole(path, "\n".join(f"{n}\n{_clock(start)} --> {_clock(end)}\n{text}\n" for n, (start, end, text) in
                         enumerate(cues, 1)))  # fmt: skip


def _cues(storyboard: Storyboard, shot: Shot, event: Event, cut: Cut) -> Iterator[tuple[Fraction, Fraction, str]]:
    """The lines of a shot, one after another, each for its share of the letters; times in seconds."""
    lines = spoken_lines(storyboard, shot)
    letters = sum(len(line) for _, line in lines) or 1
    spoken = 0
    for who, line in lines:
        start = event.start + Fraction(event.frames * spoken, letters)
        spoken += len(line)
        end = event.start + Fraction(event.frames * spoken, letters)
        yield start / cut.rate.exact, end / cut.rate.exact, f"{who}: {line}"


def _clock(seconds: Fraction) -> str:
    """SubRip's time: 00:01:02,345."""
    milliseconds = int(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02},{milliseconds % 1000:03}"


def _place(event: Event, cut: Cut) -> dict[str, Any]:
    return {
        "start": cut.rate.timecode(event.start),
        "end": cut.rate.timecode(event.end),
        "first_frame": event.start,
        "frames": event.frames,
    }
