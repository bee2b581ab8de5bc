"""What is explained is what is sent, but for the key; and explaining sends nothing."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
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
from storyreel.tasks.providers.request import Request
from storyreel.testing.wire import HttpRequest
from tests.flows.conftest import Command
from tests.flows.planning.histories import NOTHING
from tests.services.__main__ import SERVICES
from tests.services.emulator import Emulator

FILM = """
storyboard: 1
title: Two Rooms
look: {prompt: grey light, avoid: "text, watermark"}
cast:
  ana:
    name: Ana
    description: a baker
    references: ["https://pictures.example/ana.png", "https://pictures.example/ana.mp4"]
    voice: https://pictures.example/ana.wav
locations:
  shop: {description: a small shop, references: ["https://pictures.example/shop.jpg"]}
shots:
  - {shot: 1A, action: Ana enters., cast: [ana], location: shop, duration: 4s, dialogue: [{ana: "Hello."}]}
  - {shot: 1B, action: She sits., first_frame: "https://pictures.example/board.png", duration: 4s}
  - {shot: 1C, action: Rain., takes: 3, circled: 2}
  - {shot: 1D, action: It ends., continues: 1C}
"""
KEY = "sk-emulator"


def explained(file: Path, shot: str, provider: str, environment: Mapping[str, str], take: int = 1) -> Explanation:
    film = read(file)
    plan = make_plan(film, NOTHING, provider)
    return explain(film, plan, find_take(plan, shot, take), environment)


@pytest.fixture(scope="module", params=sorted(SERVICES))
def service(request: pytest.FixtureRequest) -> Iterator[tuple[Emulator, dict[str, str]]]:
    """Each service in turn, and the environment in which it is found."""
    emulator = SERVICES[request.param]()
    prefix = emulator.name.upper()
    with emulator.served() as base_url:
        yield emulator, {f"{prefix}_API_KEY": KEY, f"{prefix}_BASE_URL": base_url}


def sent(emulator: Emulator, environment: Mapping[str, str], request: Request) -> HttpRequest:
    """The HTTP request that the service gets when this is ordered."""
    adapter = load(emulator.name)
    assert issubclass(adapter, HostedProvider)

    async def order() -> None:
        async with adapter(environment) as provider:
            await provider.submit(request)

    asyncio.run(order())
    return emulator.accepted[-1].request


@pytest.mark.parametrize("shot", ["1A", "1B", "1C"])
def test_the_explained_request_is_the_one_that_is_sent_except_for_the_key(
    service: tuple[Emulator, dict[str, str]], film: Path, shot: str
) -> None:
    emulator, environment = service
    before = len(emulator.requests)
    explanation = explained(film, shot, emulator.name, environment)
    assert len(emulator.requests) == before, "explaining sends nothing"
    shown = explanation.http_request
    assert shown
    received = sent(emulator, environment, explanation.take.request)
    assert (shown.method, shown.url) == (received.method, emulator.base_url + received.path)
    assert shown.body == received.json()
    told = {name.lower(): value.replace("…", KEY) for name, value in shown.headers.items()}
    assert told == {name: received.headers[name] for name in told}
    assert KEY in "".join(received.headers.values())
    assert KEY not in json.dumps(explanation.as_json())


@pytest.mark.parametrize("name", ["apiyi", "dashscope"])
def test_a_picture_inside_the_request_is_shortened_to_its_beginning(film: Path, name: str) -> None:
    Image.effect_noise((400, 400), 90).save(film.parent / "board.png")
    film.write_text(FILM.replace("https://pictures.example/board.png", "board.png"))
    emulator = SERVICES[name]()
    with emulator.served() as base_url:
        environment = {f"{name.upper()}_API_KEY": KEY, f"{name.upper()}_BASE_URL": base_url}
        explanation = explained(film, "1B", name, environment)
        assert explanation.http_request
        shown = explanation.http_request.body["input"]["media"][0]["url"]
        true = sent(emulator, environment, explanation.take.request).json()["input"]["media"][0]["url"]
    beginning, _, rest = shown.partition("…")
    assert beginning.startswith("data:image/png;base64,iVBOR") and true.startswith(beginning)
    assert rest == f" ‹board.png, {len(true):,} characters›"
    assert len(shown) < 150 < 10_000 < len(true)


def test_a_file_that_is_uploaded_first_is_named(film: Path) -> None:
    Image.new("RGB", (400, 400)).save(film.parent / "board.png")
    film.write_text(FILM.replace("https://pictures.example/board.png", "board.png"))
    explanation = explained(film, "1B", "freepik", {})
    assert explanation.http_request
    assert "board.png" in explanation.http_request.body["start_image_url"]
    assert explanation.attachments[0].travels == "the service's own store"


def test_a_file_in_the_services_own_store_is_asked_to_be_resolved_there() -> None:
    keeper = Path(__file__).parents[3] / "specs" / "examples" / "the-keeper.yaml"
    explanation = explained(keeper, "1A", "dashscope", {})
    assert explanation.http_request
    assert explanation.http_request.headers["X-DashScope-OssResourceResolve"] == "enable"


def test_references_have_the_labels_of_the_prompt(film: Path) -> None:
    explanation = explained(film, "1A", "dashscope", {})
    told = {each.label: (each.shows, each.source.rpartition("/")[2]) for each in explanation.attachments}
    assert told == {
        "Image 1": ("ana", "ana.png"),
        "voice of Image 1": ("ana", "ana.wav"),
        "Video 1": ("ana", "ana.mp4"),
        "voice of Video 1": ("ana", "ana.wav"),
        "Image 2": ("shop", "shop.jpg"),
    }
    prompt = explanation.take.request.prompt
    assert "Image 1 and Video 1 are Ana" in prompt and "Image 2 is shop" in prompt


def test_labels_are_in_lower_case_for_a_service_that_writes_them_so(film: Path) -> None:
    explanation = explained(film, "1A", "apiyi", {})
    labels = [each.label for each in explanation.attachments if "voice" not in each.label]
    assert labels == ["image 1", "video 1", "image 2"]
    assert all(label in explanation.take.request.prompt for label in labels)


@pytest.mark.parametrize(
    ("shot", "mode", "why"),
    [
        ("1A", "reference-to-video", "it shows ana and shop"),
        ("1B", "image-to-video", "it begins with https://pictures.example/board.png"),
        ("1C", "text-to-video", "neither references nor a first frame"),
        ("1D", "image-to-video", "it begins with the last frame of 1C"),
    ],
)
def test_the_mode_has_its_reason(film: Path, shot: str, mode: str, why: str) -> None:
    explanation = explained(film, shot, "dashscope", {})
    assert explanation.take.request.mode == mode
    assert why in explanation.why


def test_a_mode_from_the_storyboard_has_that_as_its_reason(film: Path) -> None:
    film.write_text(FILM.replace("action: She sits.,", "action: She sits., mode: image-to-video,"))
    assert explained(film, "1B", "dashscope", {}).why == "its `mode` says so"


def test_a_frame_that_does_not_exist_yet_is_named_by_the_take_it_comes_from(film: Path) -> None:
    explanation = explained(film, "1D", "freepik", {})
    assert explanation.attachments[0].source == "last frame of 1C take 2"
    assert explanation.http_request
    assert "last frame of 1C take 2" in explanation.http_request.body["start_image_url"]


def test_takes_have_different_seeds_and_the_circled_one_is_the_default(film: Path) -> None:
    takes = [explained(film, "1C", "dashscope", {}, number) for number in (1, 2, 3)]
    seeds = [each.http_request.body["parameters"]["seed"] for each in takes if each.http_request]
    assert len(set(seeds)) == 3
    plan = make_plan(read(film), NOTHING, "dashscope")
    assert find_take(plan, "1C", None).take == 2


def test_a_name_and_password_in_an_address_are_not_shown(film: Path) -> None:
    explanation = explained(film, "1C", "dashscope", {"DASHSCOPE_BASE_URL": "https://me:secret@proxy.example/x"})
    assert explanation.http_request
    assert explanation.http_request.url.startswith("https://proxy.example/x/api/")
    assert "secret" not in json.dumps(explanation.as_json())


def test_the_command_needs_no_key_and_leaves_nothing_behind(
    cold_storyreel: Command, film: Path, fresh_environment: dict[str, str]
) -> None:
    done = cold_storyreel("explain", "film.yaml", "1A", "--provider", "freepik")
    assert (done.returncode, done.stderr) == (0, "")
    assert "POST https://api.freepik.com/v1/ai/reference-to-video/wan-2-7" in done.stdout
    assert "x-freepik-api-key: …" in done.stdout
    assert "Image 1 and Video 1 are Ana, a baker." in done.stdout
    assert not list(Path(fresh_environment["HOME"]).iterdir())


def test_a_key_that_is_set_is_not_shown(storyreel: Command, film: Path) -> None:
    secret = "sk-very-secret"
    done = storyreel("explain", "film.yaml", "1A", "--provider", "apiyi", APIYI_API_KEY=secret)
    assert done.returncode == 0, done.stderr
    assert "Authorization: Bearer …" in done.stdout
    assert secret not in done.stdout


def test_the_animatic_shows_its_board(storyreel: Command, film: Path) -> None:
    shown = json.loads(storyreel("explain", "film.yaml", "1C", "--json").stdout)
    assert shown["request"] is None
    assert shown["board"]["action"] == "Rain."
    assert set(shown) == {
        "shot", "take", "provider", "model", "mode", "why", "state", "reason", "cut_seconds", "sold_seconds", "price",
        "key", "kind", "waits_for",
        "seed", "expand_prompt", "watermark", "prompt", "negative_prompt", "enclosed", "board", "request",
    }  # fmt: skip
    written = StringIO()
    print_explanation(Console(file=written), explained(film, "1C", "animatic", {}))
    assert "the board" in written.getvalue() and "Rain." in written.getvalue()


@pytest.mark.parametrize(
    ("shot", "take", "words"),
    [
        ("1AA", None, "did you mean `1A`?"),
        ("9", None, "there are `1A`, `1B`, `1C` and `1D`"),
        ("1C", 4, "shot 1C has 3 takes, not 4"),
    ],
)
def test_a_missing_shot_or_take_is_an_error_that_lists_those_there_are(
    film: Path, shot: str, take: int | None, words: str
) -> None:
    with pytest.raises(LookupError, match=re.escape(words)):
        find_take(make_plan(read(film), NOTHING), shot, take)


def test_a_missing_shot_is_an_error_of_the_command_line(storyreel: Command, film: Path) -> None:
    done = storyreel("explain", "film.yaml", "1AA")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "did you mean `1A`?" in " ".join(done.stderr.replace("│", " ").split())
