"""Casting: which service can shoot which shot of a film, and what stands in the way."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from storyreel.flows.planning.plan import anchor_of
from storyreel.specs.cut import build_cut
from storyreel.specs.frozen import Frozen
from storyreel.specs.storyboard import Mode, Shot, Storyboard
from storyreel.tasks.clips import file_digest
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.providers.request import Request
from storyreel.tasks.request.build import build_requests
from storyreel.tasks.request.local_files import LocalFileChecks
from storyreel.tasks.request.unsupported import Unsupported
from storyreel.tasks.settings import Settings


class Obstacle(Frozen):
    """One thing that stands between a service and a shot."""

    what: str
    fix: str
    """What to do, may be empty."""


class Compatibility(Frozen):
    """One service held against one shot."""

    shot: str
    provider: str
    mode: Mode | None = None
    """What it would be asked for; None where it cannot shoot it."""
    sold_seconds: Fraction | None = None
    obstacles: tuple[Obstacle, ...]
    """All that stands in the way."""
    chosen: bool
    """Whether the storyboard names this service for the shot, among others or alone."""

    def as_json(self) -> dict[str, Any]:
        """The form that `providers --for FILM --json` prints."""
        seconds = None if self.sold_seconds is None else float(self.sold_seconds)
        return {**self.model_dump(mode="json"), "sold_seconds": seconds, "can": not self.obstacles}


def check_compatibility(
    film: Storyboard, services: Mapping[str, type[Provider]], environment: Mapping[str, str] = os.environ
) -> list[Compatibility]:
    """Every service held against every shot, shots in the order of the film. Reads local files, asks nobody."""
    events = {event.shot: event for event in build_cut(film).events}
    continued = {shot.continues for shot in film.all_shots if shot.continues}
    digest, files, has_bucket = cache(file_digest), LocalFileChecks(), bool(Settings.read(environment).media_url)

    def asked(shot: Shot, service: type[Provider]) -> Request | Unsupported:
        # Which take it continues makes no difference to whether the service can go on from it.
        upstream, anchor, event = shot.continues, anchor_of(shot, continued), events[shot.shot]
        try:
            return next(build_requests(film, shot, service, event, anchor, upstream, digest, files, has_bucket))
        except Unsupported as unsupported:
            return unsupported

    return [
        _audition(shot, name, asked(shot, service)) for shot in film.all_shots for name, service in services.items()
    ]


def _audition(shot: Shot, name: str, answer: Request | Unsupported) -> Compatibility:
    chosen = name in shot.services
    if isinstance(answer, Unsupported):
        obstacles = tuple(Obstacle(what=one.message, fix=one.hint) for one in answer.all)
        return Compatibility(shot=shot.shot, provider=name, obstacles=obstacles, chosen=chosen)
    return Compatibility(
        shot=shot.shot, provider=name, mode=answer.mode, sold_seconds=answer.seconds, obstacles=(), chosen=chosen
    )


def print_compatibility(console: Console, title: str, auditions: list[Compatibility]) -> None:
    """A row a shot and a column a service, then what stands in whose way."""
    services = list(dict.fromkeys(audition.provider for audition in auditions))
    by_shot: dict[str, dict[str, Compatibility]] = {}
    for audition in auditions:
        by_shot.setdefault(audition.shot, {})[audition.provider] = audition
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", title_style="bold")
    table.add_column("shot", no_wrap=True)
    for service in services:
        table.add_column(service, no_wrap=True)
    for shot, row in by_shot.items():
        table.add_row(shot, *(_mark(row[service]) for service in services))
    console.print(table)
    console.print("The storyboard's own choice is underlined.", style="dim", highlight=False)
    for line in _obstacles(auditions):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _mark(audition: Compatibility) -> Text:
    underlined = " underline" if audition.chosen else ""
    if audition.sold_seconds is None:
        return Text("no", style=f"red{underlined}")
    return Text(f"{float(audition.sold_seconds):.4g} s", style=f"green{underlined}")


def _obstacles(auditions: list[Compatibility]) -> Iterator[str]:
    """One line for each thing that stands in the way, with all shots that it keeps from a service."""
    kept: dict[tuple[str, str, str], list[str]] = {}
    for audition in auditions:
        for obstacle in audition.obstacles:
            # What names the shot itself is the same thing for every shot.
            what = obstacle.what.replace(f"shot {audition.shot} ", "it ")
            kept.setdefault((audition.provider, what, obstacle.fix), []).append(audition.shot)
    for (service, what, fix), shots in kept.items():
        yield f"{service} cannot shoot {', '.join(shots)}: {what}" + (f" ({fix})" if fix else "")
