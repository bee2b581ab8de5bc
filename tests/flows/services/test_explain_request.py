"""All that would be sent is shown: every header but the length, and both frames of a shot that has two."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from storyreel.flows.planning.plan import make_plan
from storyreel.flows.services.explain import Explanation, explain, find_take, print_explanation
from storyreel.specs.reading import read
from storyreel.tasks.providers import load
from storyreel.tasks.providers.hosted import HostedProvider
from storyreel.testing.wire import HttpRequest
from tests.flows.planning.histories import NOTHING
from tests.services.__main__ import SERVICES

FILM = """
storyboard: 1
title: Two Frames
shots:
  - {shot: 1A, action: Rain., duration: 4s, first_frame: board.png}
  - {shot: 1B, action: Fog., duration: 4s, first_frame: board.png, last_frame: board.png}
"""
KEY = "sk-emulator"


@pytest.fixture
def film(tmp_path: Path) -> Path:
    Image.effect_noise((400, 400), 90).save(tmp_path / "board.png")
    file = tmp_path / "film.yaml"
    file.write_text(FILM)
    return file


def explained(file: Path, shot: str, provider: str, environment: Mapping[str, str]) -> Explanation:
    storyboard = read(file)
    if provider in ("aimlapi", "apiyi"):  # they end no clip with a picture
        file.write_text(FILM.replace(", last_frame: board.png", ""))
        storyboard = read(file)
    plan = make_plan(storyboard, NOTHING, provider)
    return explain(storyboard, plan, find_take(plan, shot, 1), environment)


def told_and_sent(file: Path, shot: str, name: str) -> tuple[Explanation, HttpRequest]:
    """The explanation of a shot, and the HTTP request that the service gets when it is ordered."""
    adapter, emulator = load(name), SERVICES[name]()
    assert issubclass(adapter, HostedProvider)
    with emulator.served() as base_url:
        environment = {f"{name.upper()}_API_KEY": KEY, f"{name.upper()}_BASE_URL": base_url}
        explanation = explained(file, shot, name, environment)

        async def order() -> None:
            async with adapter(environment) as provider:
                await provider.submit(explanation.take.request)

        asyncio.run(order())
        return explanation, emulator.accepted[-1].request


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_header_that_is_sent_is_shown_with_the_key_left_out(film: Path, name: str) -> None:
    explanation, received = told_and_sent(film, "1A", name)
    assert explanation.http_request
    told = {header.lower(): value for header, value in explanation.http_request.headers.items()}
    sent = dict(received.headers)
    assert sent.pop("content-length") == str(len(received.body))
    assert told == {header: value.replace(KEY, "…") for header, value in sent.items()}
    assert {"host", "user-agent", "accept", "content-type"} <= told.keys()


@pytest.mark.parametrize(
    ("name", "travels"), [("dashscope", "inside the request"), ("freepik", "the service's own store")]
)
def test_both_frames_are_shown_where_they_are_sent(film: Path, name: str, travels: str) -> None:
    explanation, _ = told_and_sent(film, "1B", name)
    assert [(each.label, each.use, each.source, each.travels) for each in explanation.attachments] == [
        ("first frame", "first_frame", "board.png", travels),
        ("last frame", "last_frame", "board.png", travels),
    ]
    assert explanation.why == "it begins with board.png and ends with board.png"
    assert explanation.http_request
    body = explanation.http_request.body
    shown = [item["url"] for item in body["input"]["media"]] if name == "dashscope" else [body["end_image_url"]]
    assert all("board.png" in place for place in shown) and len(shown) == (2 if name == "dashscope" else 1)
    written = StringIO()
    print_explanation(Console(file=written), explanation)
    assert f"last frame: board.png; {travels}" in written.getvalue()


STILLS = """
storyboard: 1
title: Stills
defaults: {provider: dashscope, stills: {provider: freepik}}
cast: {mira: {description: a keeper, sheet: true}}
shots:
  - {shot: 1A, action: "{mira} waits.", duration: 4s, cast: [mira], still: true, last_still: She leaves.}
"""


def test_a_picture_is_explained_as_it_would_be_sent_and_by_what_it_is_of(tmp_path: Path) -> None:
    file = tmp_path / "film.yaml"
    file.write_text(STILLS)
    film = read(file)
    plan = make_plan(film, NOTHING)
    told = {slate: explain(film, plan, find_take(plan, slate, None), {}) for slate in ("mira@sheet", "1A@still", "1A")}
    assert {slate: each.why for slate, each in told.items()} == {
        "mira@sheet": "it is the sheet of mira",
        "1A@still": "it is the first frame of 1A",
        "1A": "it begins with 1A@still and ends with 1A@last-still",
    }
    assert [(each.source, each.travels) for each in told["1A"].attachments] == [
        ("1A@still take 1", "inside the request"), ("1A@last-still take 1", "inside the request")
    ]  # fmt: skip
    requests = {slate: each.http_request for slate, each in told.items()}
    sheet, still = requests["mira@sheet"], requests["1A@still"]
    assert sheet and sheet.url == "https://api.freepik.com/v1/ai/text-to-image/seedream-v4-5"
    assert still and still.url == f"{sheet.url}-edit"
    assert still.body["reference_images"] == ["‹mira@sheet take 1, the service's own store›"]
    said = StringIO()
    print_explanation(Console(file=said, width=200), told["1A@still"])
    assert "size        1920×1080" in said.getvalue() and "Image 1 (mira): mira@sheet take 1" in said.getvalue()


@pytest.mark.parametrize(
    ("slate", "told"),
    [
        ("mira@sheet", "size        1920×1080"),
        ("1A@still", "image 1 (mira): mira@sheet take 1; the service's own store"),
        ("1A", "state       new: waits for the approval of `1A@still` and `1A@last-still`; never made before"),
        ("1B", "asked for   reference-to-video: it shows mira and lamp, with references"),
    ],
)
def test_what_is_made_of_pictures_is_explained_with_what_it_waits_for(film: Path, slate: str, told: str) -> None:
    extra = "review: {still: required}\nlocations: {lamp: {references: [board.png]}}\n"
    film.write_text(
        f"{extra}{STILLS.replace('freepik', 'dashscope')}"
        "  - {shot: 1B, action: She waits., duration: 4s, cast: [mira], location: lamp}\n"
    )
    assert told in said_of(film, slate)


def test_the_board_of_a_drawn_sheet_is_of_no_film(film: Path) -> None:
    film.write_text(STILLS.replace("dashscope", "animatic").replace("freepik", "animatic"))
    said = said_of(film, "mira@sheet")
    assert "slate       mira@sheet\n" in said and "length      1 frame at 30 fps" in said


def said_of(file: Path, slate: str) -> str:
    storyboard, said = read(file), StringIO()
    plan = make_plan(storyboard, NOTHING)
    print_explanation(Console(file=said, width=200), explain(storyboard, plan, find_take(plan, slate, None), {}))
    return said.getvalue()
