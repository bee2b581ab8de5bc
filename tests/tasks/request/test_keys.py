"""Keys that are stored in users' ledgers. If one changed, its take would be bought again."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from storyreel.specs.cut import build_cut
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers import load
from storyreel.tasks.providers.request import Request
from storyreel.tasks.request.build import build_requests
from storyreel.tasks.request.edition import editions
from storyreel.tasks.request.materials import Materials, Upstream
from storyreel.tasks.storage.digests import file_digest

FILM = """
storyboard: 1
title: The Keeper
format: {aspect_ratio: "9:16", fps: 24}
look: {prompt: overcast light, avoid: "text, watermark"}
cast:
  mira:
    name: Mira
    description: woman in her sixties
    references: [https://films.example/mira.bmp, https://films.example/walk.mp4]
    voice: https://films.example/mira.wav
  tom: {description: boy of twelve}
locations:
  lamp_room: {description: brass lamp room}
shots:
  - shot: 1A
    action: "{mira} climbs into the {lamp_room}."
    cast: [mira]
    location: lamp_room
    size: wide
    camera: push in
    first_frame: https://films.example/board.png
    dialogue: [{mira: "Who's there?", delivery: whispered}, {tom: Me.}]
  - {shot: 1B, action: Rain., duration: 96f, takes: 2, seed: 4711, transition: {type: dissolve, duration: 12f}}
  - {shot: 1C, action: She listens., continues: 1B, duration: 7s, handles: shoot}
  - {shot: 1D, action: A gull., first_frame: board.bmp, size: close up}
"""

PINS = {
    "aimlapi": {
        "1A 1": "115ca5f705a47dc5",
        "1B 1": "344551fff1723980",
        "1B 2": "28aa7cd9f5a8eba0",
        "1C 1": "2f07b81373320783",
        "1D 1": "9e60adb9f4bf2493",
    },
    "animatic": {
        "1A 1": "91c21ec92e90f5f6",
        "1B 1": "a67298431a7d9a18",
        "1B 2": "99eaa2a95954aa2d",
        "1C 1": "50a0152738939f6a",
        "1D 1": "1a57404482a738dd",
    },
    "apiyi": {
        "1A 1": "9a21745b5d034f31",
        "1B 1": "8099055d3cf47c93",
        "1B 2": "e6205629a33965b2",
        "1C 1": "39571e4f896a40c6",
        "1D 1": "738741085acb314f",
    },
    "dashscope": {
        "1A 1": "894d8a5dc749ae34",
        "1B 1": "6f708e2a642b11d2",
        "1B 2": "41ab667d531e4ba5",
        "1C 1": "28181c7e5849b855",
        "1D 1": "6c9f7bf5a11bf523",
    },
    "freepik": {
        "1A 1": "9f69f2711476406f",
        "1B 1": "02f526c447913e38",
        "1B 2": "bac5019b5cb6acc7",
        "1C 1": "120ce7761bada03d",
        "1D 1": "2acbb641ca71b993",
    },
}
"""The beginnings of keys, by service, slate and take."""
BOARD = "baf6953e4729a0e6"


WITH_ARTICLES = {
    "aimlapi": "34a57286b0ba5523",
    "apiyi": "42f4df0b49882aa5",
    "dashscope": "314104376cb1882a",
    "freepik": "560ea3d41a99b782",
}
"""The beginnings of the keys of 1A since its prompt says `a woman in her sixties`."""


def keys(folder: Path, service: str, edition: int = 0, model: str | None = None) -> dict[str, str]:
    """The identity of every take of the film, by slate and number: its key, but of a drawing that of its bare board.

    `edition` is as `editions` counts them, the oldest is 3. `model` is written in every shot.
    """
    Image.new("RGB", (240, 240), "grey").save(folder / "board.bmp")  # of a kind that has but one encoding
    file = folder / "film.yaml"
    file.write_text(FILM)
    film, found = read(file), {}
    materials = Materials.of(film, file_digest, has_bucket=True)
    for shot, event in zip(film.all_shots, build_cut(film).events, strict=True):
        upstream = Upstream(found[f"{shot.upstream} 2"]) if shot.upstream else None
        shot = shot.model_copy(update={"model": model})
        written = editions(film, shot)[edition]
        for take in build_requests(materials, shot, load(service), event, "free", upstream, written):
            found[f"{shot.shot} {take.take}"] = take.identity
    return found


@pytest.mark.parametrize("service", sorted(PINS))
def test_a_key_never_changes(tmp_path: Path, service: str) -> None:
    found = {take: key[:16] for take, key in keys(tmp_path, service, 3).items()}
    assert found == PINS[service]


@pytest.mark.parametrize("service", sorted(PINS))
def test_a_key_is_the_same_if_the_storyboard_names_the_model_that_is_made_without_a_name(
    tmp_path: Path, service: str
) -> None:
    found = {take: key[:16] for take, key in keys(tmp_path, service, 3, "wan2.7").items()}
    assert found == PINS[service]


@pytest.mark.parametrize("service", sorted(PINS))
def test_only_keys_of_prompts_that_lacked_an_article_are_new(tmp_path: Path, service: str) -> None:
    found = {take: key[:16] for take, key in keys(tmp_path, service).items()}
    changed = {"1A 1": WITH_ARTICLES[service]} if service in WITH_ARTICLES else {}
    assert found == PINS[service] | changed


NOUNS = """
cast: {mira: {}, tom: {references: [board.bmp]}}
locations: {room: {references: [board.bmp]}}
"""
TAKES = {
    "1A": "camera: {move: push in, angle: low angle, lens: 35mm}, cast: [mira]",
    "1B": "cast: [mira], first_frame: board.bmp",
    "1C": "cast: [mira], first_frame: https://films.example/board.png",
    "1D": "continues: 1B, cast: [mira]",
    "1E": "cast: [mira], location: room",
    "1F": "cast: [tom], location: room",
    "1G": "cast: [mira], references: [board.bmp]",
    "1H": "cast: [mira, tom], location: room",
}


def test_what_is_told_beside_a_picture_is_in_the_key_of_a_drawing_and_not_in_what_is_made_of_it(tmp_path: Path) -> None:
    Image.new("RGB", (240, 240), "grey").save(tmp_path / "board.bmp")
    shots = "".join(f"  - {{shot: {slate}, action: Rain., {more}}}\n" for slate, more in TAKES.items())
    (tmp_path / "film.yaml").write_text(f"storyboard: 1\ntitle: T\n{NOUNS}\nshots:\n{shots}")
    film = read(tmp_path / "film.yaml")
    materials = Materials.of(film, file_digest)
    made: list[list[Request]] = []
    for is_peopled in (True, False):
        takes: dict[str, Request] = {}
        for shot, event in zip(film.all_shots, build_cut(film).events, strict=True):
            if not is_peopled and shot.shot < "1E":
                camera = shot.camera.model_copy(update={"angle": "", "lens": ""})
                shot = shot.model_copy(update={"cast": (), "camera": camera})
            before = Upstream(takes[shot.upstream].identity) if shot.upstream else None
            (takes[shot.shot],) = build_requests(materials, shot, load("animatic"), event, "free", before)
        made.append(list(takes.values()))
    told = [bool(take.board and take.board.cast) for take in made[0]]
    assert told == [True, False, True, True, True, False, False, True]
    assert [take.identity for take in made[0]][:4] == [take.identity for take in made[1]][:4]
    assert [take.identity for take in made[1]][:3] == [take.key for take in made[1]][:3]
    beside = [take.board.pictured for take in made[0] if take.board]
    assert beside == [False] * 7 + [True] and made[0][7].board and len(made[0][7].board.cast) == 1
    changed = [one.key != other.key for one, other in zip(*made, strict=True)]
    assert changed[:4] == [True, False, True, True], "where a picture shows who is seen, the drawing stays"
    assert len({take.key for take in made[0]}) == len(TAKES)
    assert all(take.key == Request.model_validate(take.model_dump()).key for take in made[0])


def test_the_local_picture_of_this_test_has_one_encoding(tmp_path: Path) -> None:
    keys(tmp_path, "animatic")
    assert hashlib.sha256((tmp_path / "board.bmp").read_bytes()).hexdigest()[:16] == BOARD


@pytest.mark.parametrize("text", ["a", '"seed":0', '\\"seed":0', '"seed":0,', '{"seed":0}', "seed", '\n"seed":0'])
def test_the_key_that_comes_with_a_takes_own_seed_is_that_of_its_form(text: str) -> None:
    capability = load("dashscope").capabilities[Mode.TEXT]
    request = Request(
        provider="dashscope", model=capability.model, mode=Mode.TEXT, prompt=text, negative_prompt=text, seed=0,
        seconds=Fraction(5), aspect_ratio=text, resolution=text, width=1280, height=720, references=(),
        first_frame=None, take=1,
    )  # fmt: skip
    seeded = request.with_own_seed()
    written = Request.model_validate(seeded.model_dump())
    assert seeded.seed and seeded.key == written.key == hashlib.sha256(written.canonical().encode()).hexdigest()
    assert seeded == written and seeded.canonical() == written.canonical() and repr(seeded) == repr(written)
    other = seeded.model_copy(update={"take": 2})
    assert other.key == hashlib.sha256(other.canonical().encode()).hexdigest() != seeded.key
