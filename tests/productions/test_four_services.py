"""One storyboard through each of the four services by the real command; and no key anywhere but on the wire."""

from __future__ import annotations

import json
import math
import subprocess
from array import array
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
import s3fs
from moto.server import ThreadedMotoServer

from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.testing.faults import Answer, Call
from tests.everything import asked_for, asked_for_the_draft, impossible, parts, possible
from tests.flows.staging import Stage
from tests.services.emulator import Emulator
from tests.services.jobs import Script
from tests.tasks.providers.hosted_services import SERVICES

KEY = "sk-emulator-4d1c0ffee7f3a9b2"
MEDIA = Path(__file__).parents[2] / "specs" / "examples" / "media"

FILM = """\
storyboard: 1
title: The Keeper
format: {fps: 12}
look: {prompt: overcast coastal light, avoid: "text, watermark"}
cast:
  mira:
    name: Mira
    description: woman in her sixties
    references: [media/mira-front.png, media/mira-walk.mp4]
    voice: media/mira.wav
defaults: {provider: SERVICE, duration: 12f}
shots:
  - shot: 1A
    action: "{mira} climbs the last stair."
    cast: [mira]
    first_frame: media/boards/keeper-1A.png
    dialogue: [{mira: "Who's there?", sound: media/mira.wav}]
  - {shot: 1B, action: She reaches for the shutter., cast: [mira], continues: 1A}
  - {shot: 1C, action: The lamp turns., continues: 1B, transition: {type: dissolve, duration: 6f}}
  - {shot: 2A, action: The sea., takes: 2, circled: 1, sound: media/mira.wav}
"""


@pytest.fixture(scope="module")
def bucket() -> Iterator[dict[str, str]]:
    """An S3 on this machine, and how the command is told of it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    s3fs.S3FileSystem(key="user", secret="word", endpoint_url=address, skip_instance_cache=True).mkdir("four-films")
    yield {
        "STORYREEL_MEDIA_URL": "s3://four-films/references",
        "AWS_ACCESS_KEY_ID": "user",
        "AWS_SECRET_ACCESS_KEY": "word",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": address,
    }
    server.stop()


def stage_of(service: str, emulator: Emulator, base_url: str, folder: Path, told: dict[str, str]) -> Stage:
    (folder / "media").symlink_to(MEDIA)
    variables = {**told, **SERVICES[service].environment(base_url, KEY)}
    return Stage(folder, FILM.replace("SERVICE", service), emulator, variables)


def likeness(film: str, recording: Path, seconds: float) -> float:
    """The correlation of a film's first sound with a recording, without a shift: 1 if they are the same."""
    one, other = (
        subprocess.run(
            [find_ffmpeg().path, "-v", "error", "-i", file, "-t", str(seconds), "-ac", "1", "-ar", "48000",
             "-f", "s16le", "-"], check=True, capture_output=True,
        ).stdout
        for file in (film, recording)
    )  # fmt: skip
    a, b = array("h", one), array("h", other)
    powers = sum(x * x for x in a) * sum(y * y for y in b)
    return sum(x * y for x, y in zip(a, b, strict=False)) / math.sqrt(powers) if powers else 0.0


def wishes(service: str, body: dict[str, Any]) -> dict[str, Any]:
    """The wishes of a request's body, in one form for all services, without those that are missing."""
    if service in ("apiyi", "dashscope"):
        media, asked = body["input"].get("media", []), body["parameters"]
        by_kind = {kind: [item for item in media if item["type"] == kind] for kind in {item["type"] for item in media}}
        return {
            "prompt": body["input"]["prompt"],
            "seconds": asked["duration"],
            "resolution": asked["resolution"],
            "images": len(by_kind.get("reference_image", [])),
            "videos": len(by_kind.get("reference_video", [])),
            "voices": sum("reference_voice" in item for item in media),
            "first": len(by_kind.get("first_frame", [])),
            "expands": asked["prompt_extend"],
            "avoid": body["input"].get("negative_prompt", ""),
            "sounds": len(by_kind.get("driving_audio", [])) + ("audio_url" in body["input"]),
        }
    listed = [*body.get("image_urls", []), *body.get("video_urls", [])]
    return {
        "prompt": body["prompt"],
        "seconds": body["duration"],
        "resolution": body["resolution"],
        "images": len(body.get("image_urls", [])),
        "videos": len(body.get("video_urls", [])),
        "voices": sum(isinstance(item, dict) and "reference_voice" in item for item in listed),
        "first": sum(name in body for name in ("first_frame_image", "image_url", "start_image_url")),
        "expands": body["additional_settings"]["prompt_extend"] if service == "freepik" else body["enhance_prompt"],
        "avoid": body.get("negative_prompt", ""),
        "sounds": "audio_url" in body,
    }


@pytest.mark.parametrize("service", SERVICES)
def test_one_storyboard_is_rendered_by_every_service(
    service: str, tmp_path: Path, fresh_environment: dict[str, str], standing_server: str, bucket: dict[str, str]
) -> None:
    emulator = SERVICES[service].emulated(key=KEY, script=Script(waiting=1, running=1), fetches_references=True)
    told = {**fresh_environment, **bucket, "PREFECT_API_URL": standing_server}
    with emulator.served() as base_url:
        stage = stage_of(service, emulator, base_url, tmp_path, told)
        # One of them as a user begins it; the others are forked from a process that has imported everything.
        code, out, err = stage.run(cold=service == "freepik")
        assert code == 0, err
        made = json.loads(out)
        assert made["frames"] == 48
        with av.open(made["sequence"]) as film:
            assert sum(1 for _ in film.decode(video=0)) == 48
        assert len(emulator.accepted) == 5
        assert likeness(made["sequence"], MEDIA / "mira.wav", 0.9) > 0.99, "the recording is laid under 1A"
        _assert_asked_for_what_was_written(service, [sale.body for sale in emulator.accepted])
        before = len(emulator.requests)
        assert stage.run()[0] == 0
        assert len(emulator.requests) == before, "a second run asks nobody for anything"


def _assert_asked_for_what_was_written(service: str, bodies: list[dict[str, Any]]) -> None:
    asked = [wishes(service, body) for body in bodies]
    label = "image 1" if service == "apiyi" else "Image 1"
    climbs = next(part for part in asked if "climbs the last stair" in part["prompt"])
    assert climbs["prompt"].startswith(label) and "are Mira, a woman in her sixties" in climbs["prompt"]
    assert f"{label} climbs the last stair." in climbs["prompt"]
    assert f'{label} says: "Who\'s there?"' in climbs["prompt"]
    assert (climbs["images"], climbs["videos"], climbs["first"]) == (1, 1, 1)
    # One voice a person; AIMLAPI's schema has no place for one.
    assert climbs["voices"] in ((0,) if service == "aimlapi" else (1, 2))
    reaches = next(part for part in asked if "reaches for the shutter" in part["prompt"])
    assert (reaches["images"], reaches["videos"], reaches["first"]) == (1, 1, 1)
    # Whether she speaks a line or not.
    assert reaches["voices"] == climbs["voices"]
    turns = next(part for part in asked if "The lamp turns" in part["prompt"])
    assert (turns["images"], turns["videos"], turns["first"]) == (0, 0, 1)
    seas = [part for part in asked if "The sea" in part["prompt"]]
    assert [(part["images"], part["first"]) for part in seas] == [(0, 0), (0, 0)]
    # The clip of 2A is made to its recording; that of 1A, with references, cannot be.
    assert [part["sounds"] for part in (climbs, turns, *seas)] == [0, 0, 1, 1]
    for part in asked:
        assert part["seconds"] == (5 if service == "aimlapi" else 2)
        assert part["resolution"].lower() == "720p"
        assert part["expands"] is False
        assert "text, watermark" in (part["avoid"] or part["prompt"])
        assert "overcast coastal light" in part["prompt"]


WITH_DRAFTS = [pytest.param(service, service != "freepik", marks=pytest.mark.matrix) for service in SERVICES]
"""That of Freepik is another service's."""


@pytest.mark.parametrize(("service", "has_draft"), [("dashscope", False), *WITH_DRAFTS])
def test_one_storyboard_that_uses_everything_is_rendered_and_asked_for_field_by_field(
    service: str, has_draft: bool, tmp_path: Path, fresh_environment: dict[str, str], standing_server: str,
    bucket: dict[str, str],
) -> None:  # fmt: skip
    emulator = SERVICES[service].emulated(key=KEY, fetches_references=True)
    told = {**fresh_environment, **bucket, "PREFECT_API_URL": standing_server}
    with emulator.served() as base_url:
        (tmp_path / "media").symlink_to(MEDIA)
        film = possible(service)
        stage = Stage(tmp_path, film, emulator, {**told, **SERVICES[service].environment(base_url, KEY)})
        stage.film = ""  # not its draft
        code, out, err = stage.run()
        assert code == 0, err
        made = json.loads(out)
        with av.open(made["sequence"]) as sequence:
            assert sum(1 for _ in sequence.decode(video=0)) == 12 * film.count("- {shot: ") + 18
        assert _sold(service, emulator) == _counted(asked_for(service))
        if not has_draft:
            return
        before = len(emulator.accepted)
        stage.film = film
        code, out, err = stage.run()
        assert code == 0, err
        drafts = asked_for_the_draft()
        if service == "aimlapi":
            drafts = {take: drafts[take] | {"model": "alibaba/wan3.0-video"} for take in drafts}
        wanted = {take: drafts[take] for take in drafts if take[0] not in impossible(service)}
        assert _sold(service, emulator, before) == _counted(wanted)


def _sold(service: str, emulator: Emulator, after: int = 0) -> Counter[str]:
    return Counter(
        json.dumps(parts(service, sale.request.path, sale.body), sort_keys=True) for sale in emulator.accepted[after:]
    )


def _counted(asked: dict[tuple[str, int], dict[str, Any]]) -> Counter[str]:
    return Counter(json.dumps(each, sort_keys=True) for each in asked.values())


@pytest.mark.parametrize("service", ["aimlapi", "freepik"])
def test_no_key_is_written_down_anywhere(
    service: str, tmp_path: Path, fresh_environment: dict[str, str], bucket: dict[str, str]
) -> None:
    """A run that fails in several ways, on a Prefect server of its own, then everything that it wrote and said."""
    emulator = SERVICES[service].emulated(key=KEY, script=Script(waiting=0, running=0))
    with emulator.served() as base_url:
        echo = {"message": f"the header was {KEY}"}
        emulator.fault(Call.CREATE, Answer(400, echo), times=1)
        emulator.fault(Call.CREATE, Answer(500, echo), times=1)
        stage = stage_of(service, emulator, base_url, tmp_path, {**fresh_environment, **bucket})
        code, out, err = stage.run(cold=True)
        assert code == 1
        assert KEY not in out + err
    (tmp_path / "media").unlink()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "prefect.db" for path in written), "Prefect's own records are among them"
    for path in written:
        assert KEY.encode() not in path.read_bytes(), path
