"""The emulator of APIYI: two prefixes, two forms, a strict gateway."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from storyreel.testing.faults import Call
from tests.services.apiyi import RATES, REFUSALS, Apiyi, ApiyiSettings
from tests.services.jobs import Failure, Phase, Script
from tests.services.pictures import data_uri, picture

PATH = "/wan/api/v1/services/aigc/video-generation/video-synthesis"
IMAGE = {"type": "reference_image", "url": "https://example.com/dress.png"}
FILM = {"type": "reference_video", "url": "https://example.com/walk.mp4"}
FRAME = {"type": "first_frame", "url": "https://example.com/frame.png"}
AT_ONCE = Script(waiting=0, running=0)


def r2v(*media: dict[str, str], prompt: str = "A girl in this gown walks.", **parameters: object) -> dict[str, Any]:
    return {
        "model": "wan2.7-r2v",
        "input": {"prompt": prompt, "media": list(media) or [IMAGE]},
        "parameters": {"resolution": "720P"} | parameters,
    }


@contextmanager
def opened(**settings: Any) -> Iterator[tuple[Apiyi, httpx.Client]]:
    emulator = Apiyi(ApiyiSettings(**settings))
    headers = {"Authorization": f"Bearer {emulator.settings.key}", "X-DashScope-Async": "enable"}
    with emulator.served() as base_url, httpx.Client(base_url=base_url, headers=headers, timeout=30) as client:
        yield emulator, client


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with opened() as (_, client):
        yield client


def created(client: httpx.Client, body: dict[str, Any] | None = None) -> str:
    reply = client.post(PATH, json=body or r2v())
    assert reply.status_code == 200, reply.text
    id: str = reply.json()["output"]["task_id"]
    return id


def test_a_clip_is_ordered_in_one_form_and_polled_in_another() -> None:
    with opened() as (_, client):
        reply = client.post(PATH, json=r2v(duration=2))
        assert reply.json()["output"]["task_status"] == "PENDING"
        id = reply.json()["output"]["task_id"]
        polls = [client.get(f"/v1/tasks/{id}").json() for _ in range(3)]
        assert polls[0] == {"task_id": id, "status": "submitted", "progress": 0}
        assert polls[1] == {"task_id": id, "status": "in_progress", "progress": 30}
        assert (polls[2]["status"], polls[2]["progress"]) == ("completed", 100)
        assert httpx.get(polls[2]["result_url"]).status_code == 200


def test_polls_have_their_own_prefix(client: httpx.Client) -> None:
    assert client.get(f"/wan/api/v1/tasks/{created(client)}").status_code == 404


def test_the_other_create_path_drops_the_references() -> None:
    with opened() as (emulator, client):
        reply = client.post("/v1/videos", json=r2v())
        assert reply.status_code == 500
        assert reply.json()["message"] == "[InvalidParameter] Field required: input.media"
        assert emulator.accepted == []


@pytest.mark.parametrize(("settings", "status"), [({}, 403), ({"synchronous_status": 400}, 400)])
def test_a_create_must_be_asynchronous(settings: dict[str, Any], status: int) -> None:
    with opened(**settings) as (_, client):
        reply = client.post(PATH, json=r2v(), headers={"X-DashScope-Async": "disable"})
        assert (reply.status_code, reply.json()["message"]) == (
            status,
            "current user api does not support synchronous calls",
        )


def test_a_duration_in_words_is_refused_by_the_gateway(client: httpx.Client) -> None:
    reply = client.post(PATH, json=r2v(duration="5"))
    assert reply.status_code == 400
    assert reply.json()["type"] == "parse_request_failed"
    assert "cannot unmarshal string into Go struct field" in reply.json()["message"]
    assert reply.json()["message"].endswith("of type int")


@pytest.mark.parametrize(
    "body",
    [
        r2v(IMAGE, duration=15, seed=2**31 - 1, ratio="3:4", prompt_extend=False, watermark=True),
        r2v(IMAGE | {"reference_voice": "https://example.com/a.mp3"}, FILM, FRAME, duration=10),
        r2v(*[IMAGE] * 4, FILM),
        r2v({"type": "reference_image", "url": data_uri(picture())}),
        {"model": "wan2.7-i2v", "input": {"media": [FRAME]}},
        {
            "model": "wan2.7-i2v",
            "input": {"media": [FRAME, {"type": "driving_audio", "url": "https://example.com/a.mp3"}]},
        },
        {"model": "wan2.7-t2v", "input": {"prompt": "Rain.", "audio_url": "https://example.com/a.mp3"}},
    ],
)
def test_bodies_that_the_pages_describe_are_accepted(client: httpx.Client, body: dict[str, Any]) -> None:
    created(client, body)


@pytest.mark.parametrize(
    "body",
    [
        r2v(*[IMAGE] * 6),
        r2v(*[IMAGE] * 3, *[FILM] * 3),
        r2v(IMAGE, FRAME, FRAME),
        r2v(FRAME),
        r2v(FILM, duration=11),
        r2v(duration=1),
        r2v(duration=16),
        r2v(duration=5.0),
        r2v(resolution="720p"),
        r2v(ratio="21:9"),
        r2v(seed=-1),
        r2v(seed=2**31),
        r2v(watermark="true"),
        r2v(fps=24),
        r2v(prompt="x" * 5001),
        r2v({"type": "driving_audio", "url": "https://example.com/a.mp3"}),
        r2v({"type": "reference_image", "url": "dress.png"}),
        r2v(FRAME | {"reference_voice": "https://example.com/a.mp3"}, IMAGE),
        {"model": "wan2.7-r2v", "input": {"media": [IMAGE]}},
        {
            "model": "wan2.7-i2v",
            "input": {"media": [FRAME, {"type": "last_frame", "url": "https://example.com/l.png"}]},
        },
        {"model": "wan2.7-i2v", "input": {"media": [FRAME]}, "parameters": {"ratio": "16:9"}},
    ],
)
def test_bodies_that_the_pages_forbid_are_refused(client: httpx.Client, body: dict[str, Any]) -> None:
    reply = client.post(PATH, json=body)
    assert reply.status_code == 400
    assert reply.json()["type"] in ("task_error", "parse_request_failed")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("wan2.7-r2v", "[InvalidParameter] Field required: input.media"),
        ("wan2.7-i2v", "image-to-video model wan2.7-i2v must provide an image"),
    ],
)
def test_missing_media_is_a_500(client: httpx.Client, model: str, message: str) -> None:
    reply = client.post(PATH, json={"model": model, "input": {"prompt": "x"}})
    assert (reply.status_code, reply.json()["message"]) == (500, message)


def test_a_wrong_key_and_a_wrong_group_are_told_apart(client: httpx.Client) -> None:
    assert client.post(PATH, json=r2v(), headers={"Authorization": "Bearer other"}).status_code == 401
    reply = client.post(PATH, json=r2v() | {"model": "wan9"})
    assert "no available channel" in reply.json()["message"]


@pytest.mark.parametrize("name", REFUSALS)
def test_each_documented_refusal_can_be_planned(name: str) -> None:
    status, kind, message = REFUSALS[name]
    with opened() as (emulator, client):
        emulator.fault(Call.CREATE, emulator.refusal(name))
        reply = client.post(PATH, json=r2v())
        assert (reply.status_code, reply.json()) == (status, {"type": kind, "message": message})
        assert emulator.accepted == []


def test_an_empty_account_is_a_permanent_429() -> None:
    with opened(balance=0, error="nested") as (_, client):
        reply = client.post(PATH, json=r2v())
        assert (reply.status_code, reply.json()["error"]["message"]) == (429, REFUSALS["balance"][2])


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ("error", {"error": {"message": "[InvalidImageUrl] gone"}}),
        ("fail_reason", {"fail_reason": "[InvalidImageUrl] gone"}),
        ("both", {"error": {"message": "[InvalidImageUrl] gone"}, "fail_reason": "[InvalidImageUrl] gone"}),
        ("none", {}),
    ],
)
def test_a_failed_task_gives_its_reason_in_each_shape(shape: str, reason: dict[str, Any]) -> None:
    script = Script(waiting=0, running=0, end=Phase.FAILED, failure=Failure("InvalidImageUrl", "gone"))
    with opened(script=script, failure=shape) as (_, client):
        id = created(client)
        assert client.get(f"/v1/tasks/{id}").json() == {"task_id": id, "status": "failed", "progress": 100} | reason


def test_a_poll_may_be_answered_in_dashscopes_form() -> None:
    with opened(poll="native", script=Script(waiting=1, running=0)) as (_, client):
        id = created(client, r2v(FILM, duration=2))
        assert client.get(f"/v1/tasks/{id}").json()["output"]["task_status"] == "PENDING"
        done = client.get(f"/v1/tasks/{id}").json()
        assert done["output"]["task_status"] == "SUCCEEDED"
        assert done["usage"]["duration"] == 7
        assert httpx.get(done["output"]["video_url"]).status_code == 200


def test_after_a_day_an_id_is_unknown_in_either_form() -> None:
    for settings, status in (({}, 404), ({"unknown_task": "UNKNOWN"}, 200)):
        with opened(**settings) as (emulator, client):
            id = created(client)
            emulator.clock.forward(hours=25)
            reply = client.get(f"/v1/tasks/{id}")
            assert reply.status_code == status
            assert status == 404 or reply.json()["status"] == "UNKNOWN"


def test_each_poll_may_renew_the_link() -> None:
    with opened(script=AT_ONCE, link_seconds=60) as (emulator, client):
        id = created(client, r2v(duration=2))
        first = client.get(f"/v1/tasks/{id}").json()["result_url"]
        emulator.clock.forward(seconds=61)
        second = client.get(f"/v1/tasks/{id}").json()["result_url"]
        assert [httpx.get(url).status_code for url in (first, second)] == [403, 200]


def test_the_host_of_the_clips_refuses_the_key() -> None:
    with opened(script=AT_ONCE) as (_, client):
        url = client.get(f"/v1/tasks/{created(client, r2v(duration=2))}").json()["result_url"]
        refused = client.get(url)
        assert refused.status_code == 403
        assert "SignatureDoesNotMatch" in refused.text


def test_plain_replies_are_labelled_gzip_unless_identity_is_requested() -> None:
    with opened(labels_gzip=True) as (emulator, client):
        with pytest.raises(httpx.DecodingError):
            client.post(PATH, json=r2v())
        assert len(emulator.accepted) == 1
        assert client.post(PATH, json=r2v(), headers={"Accept-Encoding": "identity"}).status_code == 200


def test_the_advised_rate_can_be_enforced() -> None:
    with opened(rates=RATES) as (emulator, client):
        emulator.clock.stop()
        id = created(client)
        assert [client.get(f"/v1/tasks/{id}").status_code for _ in range(2)] == [200, 429]
        emulator.clock.forward(seconds=3)
        assert client.get(f"/v1/tasks/{id}").status_code == 200
