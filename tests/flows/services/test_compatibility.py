"""Which service can make which shot, and what prevents the others."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

from rich.console import Console

from storyreel.flows.planning.plan import make_plan
from storyreel.flows.services.catalogue import loadable_providers
from storyreel.flows.services.compatibility import Compatibility, check_compatibility, print_compatibility
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from tests.flows.conftest import Command
from tests.flows.planning.histories import NOTHING
from tests.services.__main__ import SERVICES

FILM = """
storyboard: 1
title: Who Can
format: {aspect_ratio: "4:3"}
cast:
  ana: {name: Ana, references: ["https://pictures.example/ana.mp4"]}
defaults: {provider: dashscope}
shots:
  - {shot: 1A, action: Ana waits., cast: [ana], duration: 11s}
  - {shot: 1B, action: Rain., duration: 15s}
  - {shot: 1C, action: More rain., duration: 20s}
  - {shot: 1D, action: It stops., continues: 1B, duration: 3s}
"""

SEVERAL = """
storyboard: 1
title: Several
defaults: {providers: [dashscope, freepik], duration: 3s}
shots:
  - {shot: 1A, action: Rain.}
  - {shot: 1B, action: Fog., provider: apiyi}
  - {shot: 1C, action: Sun., first_frame: "https://x.example/a.png", last_frame: "https://x.example/b.png"}
"""


def compatibilities(film: Path) -> dict[tuple[str, str], Compatibility]:
    return {(each.shot, each.provider): each for each in check_compatibility(read(film), loadable_providers(), {})}


def test_each_service_is_checked_against_each_shot_with_its_obstacles(film: Path) -> None:
    found = compatibilities(film)
    can = {of: each.mode for of, each in found.items() if not each.obstacles}
    assert {shot for shot, service in can if service == "animatic"} == {"1A", "1B", "1C", "1D"}
    for service in SERVICES:
        assert {shot for shot, name in can if name == service} == {"1B", "1D"}
        (obstacle,) = found["1A", service].obstacles
        assert "11s" in obstacle.what and "10s" in obstacle.what
        assert found["1D", service].mode == "image-to-video"
    assert found["1D", "aimlapi"].sold_seconds == 5
    assert found["1D", "dashscope"].sold_seconds == 3
    assert {service for (shot, service), each in found.items() if each.chosen} == {"dashscope"}


def test_compatibility_and_planning_agree(film: Path) -> None:
    found = compatibilities(film)
    for service in loadable_providers():
        told = {obstacle.what for (_, name), each in found.items() if name == service for obstacle in each.obstacles}
        try:
            make_plan(read(film), NOTHING, service)
            refused = set()
        except StoryboardError as error:
            refused = {problem.message for problem in error.problems}
        assert told == refused


def test_an_obstacle_is_printed_once_for_all_its_shots(film: Path) -> None:
    film.write_text(FILM.replace("duration: 15s", "duration: 20s"))
    written = StringIO()
    print_compatibility(Console(file=written), list(compatibilities(film).values()), "Who Can")
    lines = [line for line in written.getvalue().splitlines() if line.startswith("freepik cannot shoot 1B, 1C")]
    assert len(lines) == 1
    assert "it needs 20s" in lines[0]


def test_the_command_prints_the_compatibility(storyreel: Command, film: Path) -> None:
    shown = storyreel("providers", "--for", "film.yaml")
    assert shown.returncode == 0, shown.stderr
    assert "dashscope cannot shoot 1A" in shown.stdout
    raw = json.loads(storyreel("providers", "--for", "film.yaml", "--json").stdout)
    assert {(each["shot"], each["provider"]) for each in raw if each["can"]} >= {("1B", "freepik"), ("1C", "animatic")}
    assert set(raw[0]) == {"shot", "provider", "mode", "sold_seconds", "obstacles", "chosen", "can"}


def test_an_invalid_storyboard_is_an_error(storyreel: Command, film: Path) -> None:
    film.write_text(FILM.replace("action: Rain.", "actoin: Rain."))
    done = storyreel("providers", "--for", "film.yaml")
    assert done.returncode == 2
    assert "did you mean `action`?" in done.stderr


def test_every_service_that_a_shot_names_is_marked_as_chosen(tmp_path: Path) -> None:
    (tmp_path / "film.yaml").write_text(SEVERAL)
    results = check_compatibility(read(tmp_path / "film.yaml"), loadable_providers(), {})
    chosen = {
        slate: {each.provider for each in results if each.shot == slate and each.chosen} for slate in ("1A", "1B")
    }
    assert chosen == {"1A": {"dashscope", "freepik"}, "1B": {"apiyi"}}
    refused = {each.provider for each in results if each.shot == "1C" and each.obstacles}
    assert refused == {"aimlapi", "apiyi"}
