"""The example of sheets, stills and clips through two services by the real command: every order, field by field."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.flows.staging import Stage
from tests.services.emulator import Emulator
from tests.services.sales import Sale
from tests.tasks.providers.hosted_services import SERVICES

EXAMPLES = Path(__file__).parents[2] / "specs" / "examples"
SEEDREAM = "/v1/ai/text-to-image/seedream-v4-5"
SHEETS = {
    SEEDREAM: {
        "prompt": "Character sheet of a postwoman of thirty, navy coat, red scarf, canvas bag over her",
        "aspect_ratio": "widescreen_16_9",
    },
    f"{SEEDREAM}-edit": {
        "prompt": "Image 1 shows a boy of twelve, knitted cap, dark blue jumper. Character sheet of a boy of twelve,",
        "aspect_ratio": "widescreen_16_9",
        "reference_images": ["media/tom-front.png"],
    },
}
STILLS = {
    "walks out over the wet stones": ["ada@sheet", "media/causeway.png"],
    "polishes the lens": ["tom@sheet", "media/tom-front.png", "media/lamp-room.png"],
    "puts the telegram on the ledge": ["ada@sheet", "tom@sheet", "media/tom-front.png", "media/lamp-room.png"],
    "bends over the telegram": ["tom@sheet", "media/tom-front.png", "media/lamp-room.png"],
    "The lens lit and turning": ["tom@sheet", "media/tom-front.png", "media/lamp-room.png"],
}
"""By the words of a still, the pictures that it is made from."""
CLIPS = {
    "walks out over the wet stones": {"first_frame": "walks out over the wet stones"},
    "polishes the lens": {"first_frame": "polishes the lens"},
    "puts the telegram on the ledge": {"first_frame": "puts the telegram on the ledge"},
    "winds the clockwork": {"first_frame": "bends over the telegram", "last_frame": "The lens lit and turning"},
}
"""By the words of a clip, the words of the stills that it begins and ends with."""


def film() -> str:
    """The Relief with clips by DashScope and stills by Freepik, shorter and coarser in time, and without approvals."""
    text = (EXAMPLES / "the-relief.yaml").read_text()
    for before, after in (
        ("provider: animatic", "provider: dashscope\n  stills: {provider: freepik}"),
        ("fps: 24", "fps: 12"),
        ("duration: 4s", "duration: 1s"),
        ("duration: 3s", "duration: 1s"),
        ("{type: fade, duration: 1s}", "cut"),
        ("ending: {type: fade, duration: 1.5s}\n", ""),
        ("review: {still: required}", "review: {still: none}"),
    ):
        assert before in text
        text = text.replace(before, after)
    return text


def test_the_relief_is_made_by_two_services_sheets_first_then_stills_then_clips(
    tmp_path: Path, fresh_environment: dict[str, str], standing_server: str
) -> None:
    (tmp_path / "media").symlink_to(EXAMPLES / "media")
    dashscope, freepik = (SERVICES[name].emulated(fetches_references=True) for name in ("dashscope", "freepik"))
    with dashscope.served() as clips, freepik.served() as pictures:
        told = {**fresh_environment, "PREFECT_API_URL": standing_server}
        told |= SERVICES["dashscope"].environment(clips) | SERVICES["freepik"].environment(pictures)
        stage = Stage(tmp_path, film(), dashscope, told)
        code, out, err = stage.run()
        assert code == 0, err
        made = json.loads(out)
        assert made["frames"] == 60
        assert_pictures(freepik, {path.name: path.read_bytes() for path in (tmp_path / "media").glob("*.png")})
        assert_clips(dashscope, {sale.task.encode(): sale for sale in freepik.accepted})
        asked = len(dashscope.requests), len(freepik.requests)
        assert stage.run()[0] == 0
        assert (len(dashscope.requests), len(freepik.requests)) == asked, "a second run asks nobody for anything"


def assert_pictures(freepik: Emulator, media: Mapping[str, bytes]) -> None:
    """Every order of a sheet and a still, and what was uploaded for it."""
    sheets, stills = sorted(freepik.accepted[:2], key=lambda sale: sale.request.path), freepik.accepted[2:]
    tasks = dict(zip(("ada@sheet", "tom@sheet"), (sale.task for sale in sheets), strict=True))

    def sent(sale: Sale) -> dict[str, Any]:
        names = []
        for url in sale.body.get("reference_images", []):
            content = freepik.stored(url)
            assert content is not None
            by_file = [f"media/{name}" for name, each in media.items() if each == content]
            names += by_file or [slate for slate, task in tasks.items() if task.encode() in content]
        more = {"reference_images": names} if names else {}
        return {"prompt": sale.body["prompt"], "aspect_ratio": sale.body["aspect_ratio"], **more}

    for sale in sheets:
        asked, wanted = sent(sale), SHEETS[sale.request.path]
        assert asked["prompt"].startswith(str(wanted["prompt"]))
        assert {**asked, "prompt": wanted["prompt"]} == wanted
    assert all(sale.request.path == f"{SEEDREAM}-edit" for sale in stills)
    found = [(words, sent(sale)) for sale in stills for words in STILLS if words in sale.body["prompt"]]
    assert sorted(words for words, _ in found) == sorted([*STILLS, "polishes the lens"]), "2A has two takes"
    for words, asked in found:
        assert asked["reference_images"] == STILLS[words]
        assert asked["aspect_ratio"] == "widescreen_16_9"
        assert "grey morning light" in asked["prompt"] and "Avoid: text, watermark, modern objects" in asked["prompt"]
    for sale in freepik.accepted:
        assert set(sale.body) <= {"prompt", "aspect_ratio", "seed", "reference_images"}
    assert len({sale.body["seed"] for sale in freepik.accepted}) == len(freepik.accepted)


def assert_clips(dashscope: Emulator, pictures: Mapping[bytes, Sale]) -> None:
    """Every order of a clip: it begins, and ends, with the bytes of its own stills."""
    begun: dict[str, dict[str, str]] = {}
    for sale in dashscope.accepted:
        frames = {item["type"]: item["url"] for item in sale.body["input"]["media"] if item["type"].endswith("_frame")}
        words = next((words for words in CLIPS if words in sale.body["input"]["prompt"]), "")
        if not words:
            assert sale.body["model"] == "wan2.7-r2v", "1B goes on from 1A, and shows her by her sheet"
            continue
        assert sale.body["model"] == "wan2.7-i2v"
        begun[words] = {}
        for use, uri in frames.items():
            content = base64.b64decode(uri.partition(",")[2])
            (still,) = (sale for task, sale in pictures.items() if task in content)
            begun[words][use] = next(each for each in STILLS if each in still.body["prompt"])
            assert still.at < sale.at, "it waits for its still"
    assert begun == CLIPS
    first = [sale for sale in pictures.values() if "polishes the lens" in sale.body["prompt"]]
    used = [sale for sale in first if any(sale.task.encode() in _frame(each) for each in dashscope.accepted)]
    assert len(first) == 2 and len(used) == 1, "the circled one of two"


def _frame(sale: Sale) -> bytes:
    """The first frame of a clip's order, as it was sent."""
    return base64.b64decode(sale.body["input"]["media"][0]["url"].partition(",")[2])
