"""The services that can make each shot of a film, and the obstacles of the others."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache
from typing import Any

from rich.text import Text

from storyreel.flows.planning.takes.upstream import anchor_of
from storyreel.flows.terminal import Column, Row, Terminal, print_rows
from storyreel.specs.cut import build_cut
from storyreel.specs.derived.lines import spoken_frames
from storyreel.specs.frozen import Frozen
from storyreel.specs.storyboard import Mode, Shot, Storyboard
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.providers.request import Request
from storyreel.tasks.request.board import own_font
from storyreel.tasks.request.build import build_edits, build_requests
from storyreel.tasks.request.materials import Materials, Upstream
from storyreel.tasks.request.unsupported import Unsupported
from storyreel.tasks.settings import Settings
from storyreel.tasks.storage.digests import file_digest


class Obstacle(Frozen):
    """One reason why a service cannot make a shot. The names are those of `providers --for FILM --json`."""

    what: str
    fix: str
    """The change that removes it; may be empty."""


class Compatibility(Frozen):
    """Whether one service can make one shot."""

    shot: str
    provider: str
    mode: Mode | None = None
    """The mode of the request; None if the service cannot make the shot."""
    sold_seconds: Fraction | None = None
    """Length of the clip that would be bought; None if the service cannot make the shot."""
    obstacles: tuple[Obstacle, ...]
    chosen: bool
    """Whether the storyboard names this service for the shot."""

    def as_json(self) -> dict[str, Any]:
        """The form that `providers --for FILM --json` prints."""
        seconds = None if self.sold_seconds is None else float(self.sold_seconds)
        return {**self.model_dump(mode="json"), "sold_seconds": seconds, "can": not self.obstacles}


def check_compatibility(
    film: Storyboard, services: Mapping[str, type[Provider]], environment: Mapping[str, str] = os.environ
) -> list[Compatibility]:
    """Check every service against every shot, in the order of the film. Reads local files; sends nothing."""
    events = {event.shot: event for event in build_cut(film, spoken_frames(film, {})).events}
    has_bucket = bool(Settings.read(environment).media_url)
    materials = Materials.of(film, cache(file_digest), has_bucket=has_bucket, font=own_font(film, environment))

    def request_or_error(shot: Shot, service: type[Provider]) -> Request | Unsupported:
        # Any key will do for the take that it continues: only whether there is one matters here.
        upstream = Upstream(shot.upstream) if shot.upstream else None
        anchor, event = anchor_of(shot, film.continued), events[shot.shot]
        try:
            takes = []
            if not shot.edits_another:
                takes.append(next(build_requests(materials, shot, service, event, anchor, upstream)))
            if shot.edit:
                edited = upstream if shot.edits_another and upstream else Upstream(shot.shot)
                takes.append(next(build_edits(materials, shot, service, event, anchor, edited)))
            return takes[0]
        except Unsupported as unsupported:
            return unsupported

    return [
        _compatibility(shot, name, request_or_error(shot, service))
        for shot in film.all_shots
        if not shot.is_card
        for name, service in services.items()
    ]


def _compatibility(shot: Shot, name: str, answer: Request | Unsupported) -> Compatibility:
    chosen = name in shot.services
    if isinstance(answer, Unsupported):
        obstacles = tuple(Obstacle(what=one.message, fix=one.hint) for one in answer.all)
        return Compatibility(shot=shot.shot, provider=name, obstacles=obstacles, chosen=chosen)
    return Compatibility(
        shot=shot.shot, provider=name, mode=answer.mode, sold_seconds=answer.seconds, obstacles=(), chosen=chosen
    )


def print_compatibility(console: Terminal, results: list[Compatibility], title: str) -> None:
    """Print a row for each shot and a column for each service, then the obstacles."""
    by_shot: dict[str, dict[str, Compatibility]] = {}
    for result in results:
        by_shot.setdefault(result.shot, {})[result.provider] = result
    columns = [Column("shot"), *map(Column, dict.fromkeys(result.provider for result in results))]
    print_rows(console, columns, [Row([shot, *map(_mark, row.values())]) for shot, row in by_shot.items()], title)
    console.print("The storyboard's own choice is underlined.", style="dim")
    for line in _obstacles(results):
        console.print(line, soft_wrap=True)


def _mark(result: Compatibility) -> Text:
    underlined = " underline" if result.chosen else ""
    if result.sold_seconds is None:
        return Text("no", style=f"red{underlined}")
    return Text(f"{float(result.sold_seconds):.4g} s", style=f"green{underlined}")


def _obstacles(results: list[Compatibility]) -> Iterator[str]:
    shots_by: dict[tuple[str, str, str], list[str]] = {}
    for result in results:
        for obstacle in result.obstacles:
            # A message that names its shot is the same obstacle for every shot.
            what = obstacle.what.replace(f"shot {result.shot} ", "it ")
            shots_by.setdefault((result.provider, what, obstacle.fix), []).append(result.shot)
    for (service, what, fix), shots in shots_by.items():
        yield f"{service} cannot shoot {', '.join(shots)}: {what}" + (f" ({fix})" if fix else "")
