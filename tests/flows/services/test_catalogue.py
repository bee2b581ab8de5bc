"""What the services are able to do, and which of them can shoot which shot."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from storyreel.flows.planning.model import History
from storyreel.flows.planning.plan import make_plan
from storyreel.flows.services.catalogue import Service, installed_services, loadable_providers
from storyreel.flows.services.compatibility import Compatibility, check_compatibility, print_compatibility
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from tests.flows.conftest import Command
from tests.services.__main__ import SERVICES

NOTHING = History(purchases=lambda _: {}, holds=lambda _: False)

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


@pytest.fixture
def film(tmp_path: Path) -> Path:
    file = tmp_path / "film.yaml"
    file.write_text(FILM)
    return file


def auditions(film: Path) -> dict[tuple[str, str], Compatibility]:
    return {(each.shot, each.provider): each for each in check_compatibility(read(film), loadable_providers(), {})}


def test_the_four_services_and_the_animatic_are_there_each_with_its_modes() -> None:
    found = {service.name: service for service in installed_services({}) if isinstance(service, Service)}
    assert set(found) == {"animatic", *SERVICES}
    for name, service in found.items():
        assert {capability.mode for capability in service.able} == {
            "text-to-video", "image-to-video", "reference-to-video"
        }  # fmt: skip
        assert service.paid == (name != "animatic")
        assert service.key == ("" if name == "animatic" else f"{name.upper()}_API_KEY")


def test_a_service_is_ready_when_its_key_is_set() -> None:
    services = installed_services({"FREEPIK_API_KEY": "k"})
    ready = {each.name: each.ready for each in services if isinstance(each, Service)}
    assert ready == {"animatic": True, "aimlapi": False, "apiyi": False, "dashscope": False, "freepik": True}


@pytest.mark.parametrize(
    ("name", "mode", "use", "without", "with_bucket"),
    [
        ("animatic", "reference-to-video", "image", "read here", "read here"),
        ("aimlapi", "image-to-video", "first_frame", "inside the request", "inside the request"),
        ("aimlapi", "reference-to-video", "image", "links only", "your bucket"),
        ("aimlapi", "reference-to-video", "voice", "not taken", "not taken"),
        ("aimlapi", "text-to-video", "first_frame", "not taken", "not taken"),
        ("apiyi", "reference-to-video", "image", "inside the request", "inside the request"),
        ("apiyi", "reference-to-video", "video", "links only", "your bucket"),
        ("dashscope", "reference-to-video", "voice", "the service's own store", "the service's own store"),
        ("freepik", "reference-to-video", "video", "the service's own store", "the service's own store"),
        ("freepik", "image-to-video", "image", "not taken", "not taken"),
    ],
)
def test_how_a_local_file_travels_is_told_for_each_use(
    name: str, mode: str, use: str, without: str, with_bucket: str
) -> None:
    for environment, expected in (({}, without), ({"STORYREEL_MEDIA_URL": "s3://films"}, with_bucket)):
        found = {each.name: each for each in installed_services(environment)}
        service = found[name]
        assert isinstance(service, Service)
        assert service.ways[mode][use] == expected  # type: ignore[index]


def test_a_service_that_cannot_be_loaded_is_named_and_stops_nothing(cold_storyreel: Command, tmp_path: Path) -> None:
    package = tmp_path / "plugin"
    (package / "broken-1.0.dist-info").mkdir(parents=True)
    (package / "broken-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    points = "[storyreel.providers]\nbroken = no_such_module:Service\n"
    (package / "broken-1.0.dist-info" / "entry_points.txt").write_text(points)
    done = cold_storyreel("providers", "--json", PYTHONPATH=str(package))
    assert done.returncode == 0, done.stderr
    (broken,) = [each for each in json.loads(done.stdout) if each["provider"] == "broken"]
    assert "no_such_module" in broken["broken"]
    assert len(json.loads(done.stdout)) == 6
    assert "cannot be loaded" in cold_storyreel("providers", PYTHONPATH=str(package)).stdout


def test_the_json_has_what_a_program_needs_to_choose(storyreel: Command) -> None:
    done = storyreel("providers", "--json", DASHSCOPE_API_KEY="sk-very-secret")
    assert "sk-very-secret" not in done.stdout
    dashscope = next(each for each in json.loads(done.stdout) if each["provider"] == "dashscope")
    assert dashscope["ready"] and dashscope["key"] == "DASHSCOPE_API_KEY" and dashscope["paid"]
    assert dashscope["at_once"] == 5 and dashscope["poll_seconds"] > 0
    (reference,) = [mode for mode in dashscope["modes"] if mode["mode"] == "reference-to-video"]
    assert reference["durations"] == list(range(2, 16))
    assert reference["durations_with_video"] == list(range(2, 11))
    assert reference["references"] == 5 and reference["voice"] is True
    assert reference["local_files"]["image"] == "inside the request"


def test_the_table_says_all_of_it(storyreel: Command) -> None:
    done = storyreel("providers", APIYI_API_KEY="sk-very-secret", COLUMNS="150")
    assert done.returncode == 0 and "sk-very-secret" not in done.stdout
    assert "apiyi: paid; APIYI_API_KEY is set; 8 takes at once" in done.stdout
    assert "freepik: paid; FREEPIK_API_KEY is not set" in done.stdout
    assert "animatic: free; needs no key" in done.stdout
    for words in ("5, 10, 15 s; 5, 10 s with a video", "2–15 s; 2–10 s with a video", "any length", "5 references"):
        assert words in done.stdout


def test_who_can_shoot_what_and_what_stands_in_the_way(film: Path) -> None:
    found = auditions(film)
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


def test_casting_and_planning_agree(film: Path) -> None:
    found = auditions(film)
    for service in loadable_providers():
        told = {obstacle.what for (_, name), each in found.items() if name == service for obstacle in each.obstacles}
        try:
            make_plan(read(film), NOTHING, service)
            refused = set()
        except StoryboardError as error:
            refused = {problem.message for problem in error.problems}
        assert told == refused


def test_one_obstacle_is_told_once_for_all_its_shots(film: Path) -> None:
    film.write_text(FILM.replace("duration: 15s", "duration: 20s"))
    written = StringIO()
    print_compatibility(Console(file=written), "Who Can", list(auditions(film).values()))
    lines = [line for line in written.getvalue().splitlines() if line.startswith("freepik cannot shoot 1B, 1C")]
    assert len(lines) == 1
    assert "it needs 20s" in lines[0]


def test_the_command_shows_the_casting(storyreel: Command, film: Path) -> None:
    shown = storyreel("providers", "--for", "film.yaml")
    assert shown.returncode == 0, shown.stderr
    assert "dashscope cannot shoot 1A" in shown.stdout
    raw = json.loads(storyreel("providers", "--for", "film.yaml", "--json").stdout)
    assert {(each["shot"], each["provider"]) for each in raw if each["can"]} >= {("1B", "freepik"), ("1C", "animatic")}
    assert set(raw[0]) == {"shot", "provider", "mode", "sold_seconds", "obstacles", "chosen", "can"}


def test_a_storyboard_that_is_wrong_is_told_to_be(storyreel: Command, film: Path) -> None:
    film.write_text(FILM.replace("action: Rain.", "actoin: Rain."))
    done = storyreel("providers", "--for", "film.yaml")
    assert done.returncode == 2
    assert "did you mean `action`?" in done.stderr
