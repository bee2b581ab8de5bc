"""The emulator of Freepik: a path for each mode, lists, uploads, and failures without a reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from storyreel.testing.faults import Answer, Call
from tests.services.freepik import RATES, Freepik, FreepikSettings
from tests.services.jobs import Failure, Phase, Script
from tests.services.pictures import data_uri, picture

R2V, I2V, T2V = (f"/v1/ai/{name}-to-video/wan-2-7" for name in ("reference", "image", "text"))
IMAGE, FILM = {"url": "https://example.com/a.png"}, {"url": "https://example.com/a.mp4"}
URL = "https://example.com/x"
BODY = {"prompt": "Image 1 walks left.", "image_urls": [IMAGE], "resolution": "720P", "duration": 2}
AT_ONCE = Script(waiting=0, running=0)


@contextmanager
def opened(**settings: Any) -> Iterator[tuple[Freepik, httpx.Client]]:
    emulator = Freepik(FreepikSettings(**settings))
    headers = {str(emulator.doubts.key_header): emulator.settings.key}
    with emulator.served() as base_url, httpx.Client(base_url=base_url, headers=headers, timeout=30) as client:
        yield emulator, client


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with opened() as (_, client):
        yield client


def created(client: httpx.Client, body: dict[str, Any] | None = None, path: str = R2V) -> str:
    reply = client.post(path, json=body or BODY)
    assert reply.status_code == 200, reply.text
    id: str = reply.json()["data"]["task_id"]
    return id


def test_a_clip_is_made_as_the_pages_describe() -> None:
    with opened() as (_, client):
        reply = client.post(R2V, json=BODY).json()
        id = reply["data"]["task_id"]
        assert reply == {"data": {"generated": [], "task_id": id, "status": "CREATED"}}
        polls = [client.get(f"{R2V}/{id}").json()["data"] for _ in range(3)]
        assert [one["status"] for one in polls] == ["CREATED", "IN_PROGRESS", "COMPLETED"]
        assert [len(one["generated"]) for one in polls] == [0, 0, 1]
        assert httpx.get(polls[2]["generated"][0], headers={"Authorization": "any"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            R2V,
            BODY
            | {
                "video_urls": [FILM | {"reference_voice": URL}] * 4,
                "start_image_url": URL,
                "aspect_ratio": "3:4",
                "seed": 0,
                "negative_prompt": "blurry",
                "additional_settings": {"prompt_extend": False},
                "webhook_url": "https://example.com/hook",
                "duration": 10,
            },
        ),
        (R2V, {"prompt": "Video 1 sings.", "video_urls": [FILM]}),
        (T2V, {"prompt": "Rain.", "audio_url": URL, "aspect_ratio": "16:9", "duration": 15}),
        (I2V, {"start_image_url": URL, "end_image_url": URL, "audio_url": URL, "prompt": "x", "duration": 15}),
        (I2V, {"video_url": URL, "end_image_url": URL}),
    ],
)
def test_bodies_that_the_pages_describe_are_accepted(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    created(client, body, path)


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        (R2V, BODY | {"duration": 11}, "duration"),
        (R2V, BODY | {"duration": "5"}, "duration"),
        (R2V, BODY | {"resolution": "720p"}, "resolution"),
        (R2V, BODY | {"image_urls": [IMAGE] * 3, "video_urls": [FILM] * 3}, "image_urls"),
        (R2V, {"prompt": "x"}, "image_urls"),
        (R2V, BODY | {"image_urls": [URL]}, "image_urls[0]"),
        (R2V, BODY | {"image_urls": [{"reference_voice": URL}]}, "image_urls[0].url"),
        (R2V, BODY | {"image_urls": [{"url": data_uri(picture())}]}, "image_urls[0].url"),
        (R2V, BODY | {"prompt": "x" * 5001}, "prompt"),
        (R2V, BODY | {"negative_prompt": "x" * 501}, "negative_prompt"),
        (R2V, BODY | {"seed": 2**31}, "seed"),
        (R2V, BODY | {"watermark": False}, "watermark"),
        (R2V, BODY | {"model": "wan-2-7"}, "model"),
        (R2V, BODY | {"additional_settings": {"shot_type": "multi"}}, "additional_settings.shot_type"),
        (I2V, {"prompt": "x"}, "start_image_url"),
        (I2V, {"video_url": URL, "audio_url": URL}, "start_image_url"),
        (I2V, {"start_image_url": URL, "aspect_ratio": "16:9"}, "aspect_ratio"),
        (T2V, {"prompt": "x", "duration": 16}, "duration"),
    ],
)
def test_bodies_the_pages_forbid_are_refused(client: httpx.Client, path: str, body: dict[str, Any], where: str) -> None:
    reply = client.post(path, json=body)
    assert (reply.status_code, reply.json()) == (400, {"message": f"Parameter '{where}' is not valid"})


@pytest.mark.parametrize("status", [402, 403])
def test_an_account_that_cannot_pay_is_refused(status: int) -> None:
    with opened(balance=0, broke_status=status) as (emulator, client):
        assert client.post(R2V, json=BODY).status_code == status
        assert emulator.accepted == []


@pytest.mark.parametrize("layout", ["problem", "nested"])
def test_a_refusal_may_be_a_problem_with_parameters(layout: str) -> None:
    with opened(invalid=layout) as (_, client):
        reply = client.post(R2V, json=BODY | {"duration": 11}).json()
        problem = reply["problem"] if layout == "nested" else reply
        assert problem["invalid_params"] == [{"name": "duration", "reason": "Parameter 'duration' must be at most 10"}]


def test_the_name_of_the_key_header_can_be_chosen() -> None:
    with opened(key_header="x-magnific-api-key") as (emulator, client):
        created(client)
        old = httpx.get(emulator.base_url + R2V, headers={"x-freepik-api-key": emulator.settings.key})
        assert (old.status_code, old.json()) == (401, {"message": "Missing API key"})
        wrong = client.get(R2V, headers={"x-magnific-api-key": "other"})
        assert (wrong.status_code, wrong.json()) == (401, {"message": "Invalid API key"})


def test_the_list_has_ids_and_statuses_of_one_mode() -> None:
    with opened(script=Script(waiting=0, running=1)) as (_, client):
        first, other, last = created(client), created(client, {"prompt": "x"}, T2V), created(client)
        client.get(f"{R2V}/{last}")
        assert client.get(R2V).json() == {
            "data": [{"task_id": last, "status": "COMPLETED"}, {"task_id": first, "status": "IN_PROGRESS"}]
        }
        assert client.get(f"{R2V}/{other}").status_code == 404


def test_the_list_may_be_short() -> None:
    with opened(lists_last=1) as (_, client):
        created(client)
        last = created(client)
        assert [entry["task_id"] for entry in client.get(R2V).json()["data"]] == [last]


@pytest.mark.parametrize(
    ("reason", "more"),
    [("none", {}), ("message", {"message": "no"}), ("error", {"error": {"code": "nsfw", "message": "no"}})],
)
def test_a_failed_task_gives_no_reason_by_default(reason: str, more: dict[str, Any]) -> None:
    script = Script(waiting=0, running=0, end=Phase.FAILED, failure=Failure("nsfw", "no"))
    with opened(script=script, reason=reason) as (_, client):
        id = created(client)
        assert client.get(f"{R2V}/{id}").json()["data"] == {"generated": [], "task_id": id, "status": "FAILED"} | more


@pytest.mark.parametrize("status", [404, 429])
def test_bodies_that_no_page_shows_may_be_empty(status: int) -> None:
    with opened(not_found_body=False) as (emulator, client):
        emulator.fault(Call.POLL, Answer(status))
        reply = client.get(f"{R2V}/any")
        assert (reply.status_code, reply.content) == (status, b"")


def test_a_busy_service_says_so(client: httpx.Client) -> None:
    with opened() as (emulator, client):
        emulator.fault(Call.CREATE, Answer(503))
        assert client.post(R2V, json=BODY).json() == {"message": "Service Unavailable. Please try again later."}


def test_published_rates_can_be_enforced() -> None:
    with opened(rates=RATES) as (emulator, client):
        emulator.clock.stop()
        id = created(client)
        statuses = [client.get(f"{R2V}/{id}").status_code for _ in range(251)]
        assert statuses == [200] * 250 + [429]
        emulator.clock.forward(seconds=5)
        assert client.get(f"{R2V}/{id}").status_code == 200


@pytest.mark.parametrize("layout", ["data", "files"])
def test_a_file_is_put_to_the_upload_url_and_named_by_its_asset_url(layout: str) -> None:
    with opened(upload_reply=layout) as (emulator, client):
        issued = client.post("/v1/ai/uploads/request-url", json={"files": [{"content_type": "image/png"}]})
        leave = issued.json()[layout][0]
        content = picture(360, 640)
        wrong = httpx.put(leave["upload_url"], content=content, headers={"content-type": "image/jpeg"})
        assert wrong.status_code == 403
        put = httpx.put(leave["upload_url"], content=content, headers={"content-type": "image/png"})
        assert put.status_code == 200
        assert httpx.get(leave["asset_url"]).content == content
        created(client, BODY | {"start_image_url": leave["asset_url"]})
        assert emulator.accepted[0].order.ratio == "9:16"
        emulator.clock.forward(seconds=601)
        late = httpx.put(leave["upload_url"], content=content, headers={"content-type": "image/png"})
        assert late.status_code == 403


def test_an_asset_that_is_no_picture_is_refused() -> None:
    with opened() as (_, client):
        issued = client.post("/v1/ai/uploads/request-url", json={"files": [{"content_type": "image/png"}]})
        leave = issued.json()["data"][0]
        httpx.put(leave["upload_url"], content=b"x", headers={"content-type": "image/png"})
        assert client.post(R2V, json=BODY | {"start_image_url": leave["asset_url"]}).status_code == 400


def test_an_upload_needs_its_content_type(client: httpx.Client) -> None:
    bodies: tuple[dict[str, Any], ...] = ({}, {"files": []}, {"files": [{}]}, {"files": [{"content_type": 1}]})
    for body in bodies:
        assert client.post("/v1/ai/uploads/request-url", json=body).status_code == 400
