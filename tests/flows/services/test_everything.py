"""One storyboard that uses everything at once: what each service is asked for, and what it cannot make."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from rich.console import Console

from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.services.explain import explain, find_take, print_explanation
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from tests.everything import asked_for, asked_for_the_draft, everything, impossible, parts, possible

MEDIA = Path(__file__).parents[3] / "specs" / "examples" / "media"
SERVICES = ("aimlapi", "apiyi", "dashscope", "freepik")
BUCKET = {"STORYREEL_MEDIA_URL": "s3://films/references"}


@pytest.fixture(autouse=True)
def bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket of the user, which plans read from the environment."""
    for name, value in BUCKET.items():
        monkeypatch.setenv(name, value)


def written(folder: Path, film: str) -> Path:
    (folder / "media").symlink_to(MEDIA)
    (folder / "film.yaml").write_text(film)
    return folder / "film.yaml"


def told(file: Path, plan: Plan, service: str) -> dict[tuple[str, int], dict[str, Any]]:
    """The parts of each take's request that `explain` shows, by slate and number."""
    found, film = {}, read(file)
    for take in plan.takes:
        request = explain(film, plan, take, BUCKET).http_request
        assert request
        found[take.shot, take.take] = parts(service, urlsplit(request.url).path, request.body)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_is_asked_for_everything_that_it_sells_field_by_field(service: str, tmp_path: Path) -> None:
    file = written(tmp_path, possible(service))
    plan = Planner.of(RunRequest(storyboard=file)).plan()
    assert told(file, plan, service) == asked_for(service)
    assert plan.other and plan.other.is_draft, "both prices are in the plan"


def test_the_draft_asks_for_the_cheaper_model_and_size_and_nothing_that_it_lacks(tmp_path: Path) -> None:
    file = written(tmp_path, possible("dashscope"))
    plan = Planner.of(RunRequest(storyboard=file, draft=True)).plan()
    assert told(file, plan, "dashscope") == asked_for_the_draft()


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_does_not_sell_is_told_at_its_shot_and_nothing_else(service: str, tmp_path: Path) -> None:
    file = written(tmp_path, everything(service))
    lines = {line: slate for line, text in enumerate(file.read_text().splitlines(), 1) for slate in [text[11:13]]}
    if not impossible(service):
        Planner.of(RunRequest(storyboard=file)).plan()
        return
    with pytest.raises(StoryboardError) as refused:
        Planner.of(RunRequest(storyboard=file)).plan()
    assert {lines[problem.position.line] for problem in refused.value.problems} == impossible(service)
    assert all(problem.hint for problem in refused.value.problems), "each names what helps"


def test_explain_tells_what_a_take_costs_and_what_goes_with_it(tmp_path: Path) -> None:
    file = written(tmp_path, possible("dashscope"))
    film, plan = read(file), Planner.of(RunRequest(storyboard=file)).plan()
    for slate, number, words in (
        ("1A", 1, ["expansion   on", "sound: media/mira.wav"]),
        ("1B", 1, ["price       1.80 CNY; 2 s of the clip that it goes on from included", "last 2 s of 1A take 1"]),
        ("2C", 1, ["price       1.20 CNY", "watermark   the service marks the clip as AI generated"]),
        ("3A", 1, ["it edits a take of 2B", "clip of 2B take 2", "Image 1: media/lamp-room.png"]),
        ("3C", 2, ["model       happyhorse-1.0-video-edit", "price       5.40 CNY; 3 s of the edited clip included"]),
    ):
        text = StringIO()
        print_explanation(Console(file=text, width=300), explain(film, plan, find_take(plan, slate, number), BUCKET))
        assert all(each in text.getvalue() for each in words), text.getvalue()
