"""What a run leaves beside its sequence: a manifest, subtitles, a contact sheet. A file is complete or absent."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from flows.plan import Plan
from specs.cut import Cut, Event
from specs.frozen import Frozen
from specs.money import Money
from specs.storyboard import Shot, Storyboard
from tasks.prompt import called, fill
from tasks.store.clips import Clip


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
    """None where the service does not say."""


class Rendering(Frozen):
    """A finished film."""

    sequence: Path
    frames: int
    fps: str
    seconds: Fraction
    shots: tuple[RenderedTake, ...]
    spent: Money
    """What the takes made in this run cost, as far as it is known."""
    flow_run: str

    def as_json(self) -> dict[str, Any]:
        """The form that `render --json` prints."""
        return {
            "sequence": str(self.sequence),
            "frames": self.frames,
            "fps": self.fps,
            "seconds": float(self.seconds),
            "shots": [take.model_dump(mode="json", exclude={"circled"}) for take in self.shots],
            "spent": self.spent.model_dump(mode="json"),
            "flow_run": self.flow_run,
        }


def default_folder(title: str) -> Path:
    """Where a film goes unless told otherwise: `renders/the-keeper`, below the current folder."""
    words = re.findall(r"\w+", title.lower())
    return Path("renders") / ("-".join(words)[:80] or "film")


def rendering(
    plan: Plan, clips: Mapping[str, Clip], costs: Mapping[str, Money | None], sequence: Path, flow_run: str
) -> Rendering:
    """The finished film: `clips` and `costs` are by key."""
    takes = tuple(
        RenderedTake(
            shot=take.shot,
            take=take.take,
            circled=take.circled,
            key=take.key,
            clip=clips[take.key].path,
            cached=take.state == "cached",
            cost=costs.get(take.key) or take.price,
        )
        for take in plan.takes
    )
    return Rendering(
        sequence=sequence,
        frames=plan.cut.frames,
        fps=str(plan.cut.rate),
        seconds=plan.cut.rate.seconds(plan.cut.frames),
        shots=takes,
        spent=_spent(takes),
        flow_run=flow_run,
    )


def write_manifest(folder: Path, plan: Plan, made: Rendering) -> None:
    """`manifest.json`: the film, and for every take what was asked for, what came and where it is in the cut."""
    events = {event.shot: event for event in plan.cut.events}
    takes = [
        {
            **take.model_dump(mode="json"),
            "clip_digest": take.clip.stem,
            "provider": planned.request.provider,
            "model": planned.request.model,
            "mode": planned.request.mode.value,
            "prompt": planned.request.prompt,
            "seed": planned.request.seed,
            "sold_seconds": float(planned.request.seconds),
            **({"in_cut": _place(events[take.shot], plan.cut)} if take.circled else {}),
        }
        for take, planned in zip(made.shots, plan.takes, strict=True)
    ]
    film = {"title": plan.title, **made.as_json(), "sequence": made.sequence.name, "shots": takes}
    _put(folder / "manifest.json", json.dumps(film, ensure_ascii=False, indent=2) + "\n")


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
    _put(path, "\n".join(f"{n}\n{_clock(start)} --> {_clock(end)}\n{text}\n" for n, (start, end, text) in
                         enumerate(cues, 1)))  # fmt: skip


def _cues(storyboard: Storyboard, shot: Shot, event: Event, cut: Cut) -> Iterator[tuple[Fraction, Fraction, str]]:
    """The lines of a shot, one after another, each for its share of the letters; times in seconds."""
    names = {who: called(storyboard, who) for who in (*storyboard.cast, *storyboard.locations)}
    lines = [(names.get(line.speaker, line.speaker), fill(line.line, names)) for line in shot.dialogue]
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


def _spent(takes: tuple[RenderedTake, ...]) -> Money:
    costs = [take.cost for take in takes if take.cost and not take.cached]
    currency = costs[0].currency if costs else "USD"
    return Money(amount=sum((cost.amount for cost in costs), Decimal(0)), currency=currency)


def _put(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
