"""The installed services and what they can do."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from storyreel.flows.services.catalogue import Service, installed_services, print_services
from storyreel.specs.storyboard import Mode
from tests.flows.conftest import Command
from tests.services.__main__ import SERVICES


def test_the_four_services_and_the_animatic_are_installed_with_their_modes() -> None:
    found = {service.name: service for service in installed_services({}) if isinstance(service, Service)}
    assert set(found) == {"animatic", *SERVICES}
    for name, service in found.items():
        edits = {"video-edit"} if name in ("animatic", "apiyi", "dashscope") else set()
        others = {"still", "speech"} if name == "animatic" else set()
        assert {capability.mode for capability in service.models[0].capabilities} == {
            "text-to-video", "image-to-video", "reference-to-video", *edits, *others
        }  # fmt: skip
        makers = {"animatic": "animatic", "dashscope": "wan2.7-image", "freepik": "seedream-4.5"}
        assert service.usual_model(Mode.STILL) == makers.get(name, "")
        speakers = {"animatic": "animatic", "dashscope": "qwen3-tts-flash"}
        assert service.usual_model(Mode.SPEECH) == speakers.get(name, "")
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
        ("dashscope", "still", "image", "the service's own store", "the service's own store"),
        ("freepik", "still", "image", "the service's own store", "the service's own store"),
        ("freepik", "still", "first_frame", "not taken", "not taken"),
    ],
)
def test_the_transport_of_a_local_file_is_listed_for_each_use(
    name: str, mode: str, use: str, without: str, with_bucket: str
) -> None:
    for environment, expected in (({}, without), ({"STORYREEL_MEDIA_URL": "s3://films"}, with_bucket)):
        found = {each.name: each for each in installed_services(environment)}
        service = found[name]
        assert isinstance(service, Service)
        model = next(one for one in service.models if mode in one.transports)
        assert model.transports[mode][use] == expected  # type: ignore[index]


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


def test_the_list_for_people_has_the_same_facts(storyreel: Command) -> None:
    done = storyreel("providers", APIYI_API_KEY="sk-very-secret", COLUMNS="150")
    assert done.returncode == 0 and "sk-very-secret" not in done.stdout
    assert "apiyi: paid; APIYI_API_KEY is set; 8 takes at once" in done.stdout
    assert "freepik: paid; FREEPIK_API_KEY is not set" in done.stdout
    assert "animatic: free; needs no key" in done.stdout
    lengths = ("5, 10, 15 s; 5, 10 s with a video", "2–15 s; 2–10 s with a video", "any length", "a take of 2–10 s")
    for words in (*lengths, "5 references"):
        assert words in done.stdout


def test_services_that_take_a_last_frame_are_listed() -> None:
    services = {each.name: each for each in installed_services({}) if isinstance(each, Service)}
    able = {
        (name, mode["mode"])
        for name, service in services.items()
        for mode in service.as_json()["modes"]
        if mode["last_frame"]
    }
    assert {one for one in able if one[0] != "animatic"} == {
        ("dashscope", "image-to-video"), ("freepik", "image-to-video")
    }  # fmt: skip
    assert services["dashscope"].models[0].transports["image-to-video"]["last_frame"] == "inside the request"
    assert services["freepik"].models[0].transports["image-to-video"]["last_frame"] == "the service's own store"
    assert services["apiyi"].models[0].transports["image-to-video"]["last_frame"] == "not taken"


def test_the_advised_pause_between_polls_is_listed_beside_the_shortest() -> None:
    found = installed_services({})
    told = {each.name: each.as_json()["advised_poll_seconds"] for each in found if isinstance(each, Service)}
    assert told == {"aimlapi": 15, "animatic": None, "apiyi": 10, "dashscope": 15, "freepik": None}
    written = StringIO()
    print_services(Console(file=written, width=200), found)
    assert "polled at most every 3 s (10 s advised)" in written.getvalue()
    assert "takes a first frame, a last frame" in written.getvalue()
