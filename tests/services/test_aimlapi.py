"""The emulator of AIMLAPI replies as its pages show and refuses what its schemas forbid."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from storyreel.testing.faults import Answer, Call
from tests.services.aimlapi import FREE_TIER, Aimlapi, AimlapiSettings
from tests.services.jobs import Failure, Phase, Script
from tests.services.pictures import data_uri, picture

PATH = "/v2/video/generations"
VIDEO, PICTURE = "https://example.com/raccoon.mp4", "https://example.com/lamp.png"
R2V = {"model": "alibaba/wan-2-7-r2v", "prompt": "The raccoon of the reference video climbs.", "video_urls": [VIDEO]}
I2V = {"model": "alibaba/wan-2-7-i2v", "prompt": "She puts on glasses.", "image_url": PICTURE}
T2V = {"model": "alibaba/wan-2-7-t2v", "prompt": "A lighthouse in rain."}
AT_ONCE = Script(waiting=0, running=0)


@contextmanager
def opened(**settings: Any) -> Iterator[tuple[Aimlapi, httpx.Client]]:
    emulator = Aimlapi(AimlapiSettings(**settings))
    headers = {"Authorization": f"Bearer {emulator.settings.key}"}
    with emulator.served() as base_url, httpx.Client(base_url=base_url, headers=headers, timeout=30) as client:
        yield emulator, client


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with opened() as (_, client):
        yield client


def poll(client: httpx.Client, id: str) -> dict[str, Any]:
    reply: dict[str, Any] = client.get(PATH, params={"generation_id": id}).json()
    return reply


def test_a_clip_is_made_as_the_page_shows() -> None:
    with opened() as (emulator, client):
        created = client.post(PATH, json=R2V | {"resolution": "720p"})
        id = created.json()["id"]
        assert created.status_code == 200
        assert created.json() == {
            "id": id,
            "status": "queued",
            "meta": {"usage": {"credits_used": 2700000, "usd_spent": 1.35}},
        }
        assert poll(client, id) == {"id": id, "status": "queued"}
        assert poll(client, id) == {"id": id, "status": "generating"}
        done = poll(client, id)
        assert set(done) == {"id", "status", "video"}
        assert done["status"] == "completed"
        assert httpx.get(done["video"]["url"]).headers["content-type"] == "video/mp4"
        assert emulator.accepted[0].order.seconds == 10


def test_the_cost_of_the_pages_sample_is_charged() -> None:
    with opened() as (_, client):
        usage = client.post(PATH, json=R2V | {"video_urls": [VIDEO, VIDEO]}).json()["meta"]["usage"]
    assert usage == {"credits_used": 3900000, "usd_spent": 1.95}


@pytest.mark.parametrize(
    "body",
    [
        R2V | {"duration": "5"},
        R2V
        | {
            "image_urls": [PICTURE] * 5,
            "first_frame_image": PICTURE,
            "aspect_ratio": "9:16",
            "seed": 7,
            "negative_prompt": "text",
            "enhance_prompt": False,
            "watermark": False,
            "duration": 15,
        },
        I2V
        | {"image_url": data_uri(picture()), "audio_url": "https://example.com/a.mp3", "enable_prompt_expansion": True},
        T2V | {"shot_type": "multi", "generate_audio": False, "negative_prompt": "x" * 501},
    ],
)
def test_bodies_that_the_pages_show_are_accepted(client: httpx.Client, body: dict[str, Any]) -> None:
    assert client.post(PATH, json=body).status_code == 200


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (R2V | {"duration": 7}, "duration"),
        (R2V | {"duration": "seven"}, "duration"),
        (R2V | {"duration": 5.5}, "duration"),
        (R2V | {"resolution": "720P"}, "resolution"),
        (R2V | {"aspect_ratio": "21:9"}, "aspect_ratio"),
        (R2V | {"image_urls": [PICTURE] * 6}, "image_urls"),
        (R2V | {"image_urls": PICTURE}, "image_urls"),
        (R2V | {"image_urls": ["lamp.png"]}, "image_urls"),
        (R2V | {"image_urls": [data_uri(picture())]}, "image_urls"),
        (R2V | {"negative_prompt": "x" * 501}, "negative_prompt"),
        (R2V | {"seed": "7"}, "seed"),
        (R2V | {"watermark": 1}, "watermark"),
        (R2V | {"reference_voice": PICTURE}, "reference_voice"),
        ({"model": R2V["model"]}, "prompt"),
        (T2V | {"watermark": True}, "watermark"),
        ({"model": I2V["model"], "prompt": "x"}, "image_url"),
        (I2V | {"aspect_ratio": "16:9"}, "aspect_ratio"),
        (I2V | {"image_url": data_uri(b"no picture")}, "image_url"),
        (R2V | {"model": "alibaba/wan-3-r2v"}, "model"),
        ([], "model"),
    ],
)
def test_bodies_that_the_schema_forbids_are_refused(client: httpx.Client, body: Any, where: str) -> None:
    reply = client.post(PATH, json=body)
    assert reply.status_code == 400
    assert reply.json()["message"] == "Body validation error!"
    assert reply.json()["statusCode"] == "400"
    assert reply.json()["details"][0]["path"][0] == where


def test_a_refusal_costs_nothing() -> None:
    with opened() as (emulator, client):
        client.post(PATH, json=R2V | {"duration": 7})
        assert emulator.accepted == []
        assert [refused.status for refused in emulator.refused] == [400]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_wrong_key_is_refused(client: httpx.Client, method: str) -> None:
    reply = client.request(method, PATH, headers={"Authorization": "Bearer other"})
    assert reply.status_code == 401
    assert "valid API key" in reply.json()["message"]


def test_bodies_that_are_not_json_are_refused(client: httpx.Client) -> None:
    assert client.post(PATH, content=b"{", headers={"content-type": "application/json"}).status_code == 400
    assert client.post(PATH, content=b"{}", headers={"content-type": "text/plain"}).status_code == 400


def test_unknown_paths_and_ids_are_not_found(client: httpx.Client) -> None:
    assert client.post("/v2/video/generation", json=R2V).status_code == 404
    assert client.get(PATH, params={"generation_id": "none"}).status_code == 404
    assert client.get(PATH).status_code == 400


def test_an_empty_account_is_refused() -> None:
    with opened(balance=1) as (emulator, client):
        assert client.post(PATH, json=T2V).status_code == 200
        reply = client.post(PATH, json=T2V)
        assert reply.status_code == 403
        assert reply.json()["message"].startswith("You've run out of credits")
        assert len(emulator.accepted) == 1


def test_the_free_tiers_limit_is_the_other_429(client: httpx.Client) -> None:
    with opened() as (emulator, client):
        emulator.fault(Call.CREATE, Answer(429, {"message": FREE_TIER, "statusCode": "429"}))
        assert "Free-tier limit" in client.post(PATH, json=T2V).json()["message"]


@pytest.mark.parametrize(
    ("shape", "error"),
    [
        ("message", {"name": "nsfw", "message": "content policy"}),
        ("nameless", {"message": "content policy"}),
        ("detail", {"detail": [{"loc": ["body", "image_url"], "msg": "content policy", "type": "nsfw", "input": ""}]}),
        ("text", "content policy"),
    ],
)
def test_a_failed_task_gives_its_reason_in_each_known_shape(shape: str, error: object) -> None:
    script = Script(waiting=0, running=0, end=Phase.FAILED, failure=Failure("nsfw", "content policy"))
    with opened(script=script, failure=shape) as (_, client):
        id = client.post(PATH, json=T2V).json()["id"]
        assert poll(client, id) == {"id": id, "status": "error", "error": error}


def test_a_failed_task_may_give_no_reason() -> None:
    script = Script(waiting=0, running=0, end=Phase.FAILED, failure=Failure(shape="none"))
    with opened(script=script) as (_, client):
        id = client.post(PATH, json=T2V).json()["id"]
        assert poll(client, id) == {"id": id, "status": "error"}


def test_a_script_can_use_words_outside_the_schema() -> None:
    with opened(script=Script(words=("waiting", "active"), last_word="archived")) as (_, client):
        id = client.post(PATH, json=T2V).json()["id"]
        assert [poll(client, id)["status"] for _ in range(3)] == ["waiting", "active", "archived"]


@pytest.mark.parametrize(
    ("settings", "body", "status"),
    [
        ({"duration_as_text": False}, T2V | {"duration": "5"}, 400),
        ({"whole_floats": True}, T2V | {"duration": 5.0}, 200),
        ({"whole_floats": False}, T2V | {"duration": 5.0}, 400),
        ({"combined_references": 5}, R2V | {"image_urls": [PICTURE] * 5}, 400),
        ({"needs_reference": True}, {"model": R2V["model"], "prompt": "x"}, 400),
        ({"needs_reference": False}, {"model": R2V["model"], "prompt": "x"}, 200),
        ({"fifteen_with_video": "refuse"}, R2V | {"duration": 15}, 400),
        ({"prompt_limit": 5000}, T2V | {"prompt": "x" * 5001}, 400),
        ({"takes_data_uris": True}, R2V | {"image_urls": [data_uri(picture())]}, 200),
        ({"unknown_fields": "ignore"}, T2V | {"fps": 24}, 200),
        ({"created": 201}, T2V, 201),
        ({"created": 204}, T2V, 204),
    ],
)
def test_undocumented_behaviour_can_be_chosen(settings: dict[str, Any], body: dict[str, Any], status: int) -> None:
    with opened(**settings) as (_, client):
        assert client.post(PATH, json=body).status_code == status


def test_fifteen_seconds_may_come_as_ten_for_the_price_of_fifteen() -> None:
    with opened(fifteen_with_video="cap") as (emulator, client):
        reply = client.post(PATH, json=R2V | {"duration": 15})
        assert reply.json()["meta"]["usage"]["usd_spent"] == 2.6
        assert emulator.accepted[0].order.seconds == 10


@pytest.mark.parametrize("ids", ["short", "uuid", "path"])
def test_ids_of_each_kind_find_their_task(ids: str) -> None:
    with opened(ids=ids, script=AT_ONCE) as (_, client):
        created = [client.post(PATH, json=T2V).json()["id"] for _ in range(2)]
        assert [poll(client, id)["id"] for id in created] == created
        assert (":" in created[0]) == (ids == "path")


@pytest.mark.parametrize(("details", "expected"), [("list", list), ("map", dict), ("none", type(None))])
def test_details_of_a_refusal_come_in_each_layout(details: str, expected: type) -> None:
    with opened(details=details) as (_, client):
        assert isinstance(client.post(PATH, json=T2V | {"duration": 7}).json().get("details"), expected)


def test_the_cost_may_be_stated_never_or_again_at_the_end() -> None:
    with opened(usage_at_create=False, usage_at_end=True, script=AT_ONCE) as (_, client):
        created = client.post(PATH, json=T2V).json()
        assert "meta" not in created
        assert poll(client, created["id"])["meta"]["usage"]["usd_spent"] == 1.3


def test_links_and_ids_expire_after_a_day() -> None:
    with opened(script=AT_ONCE) as (emulator, client):
        id = client.post(PATH, json=T2V | {"duration": 5, "resolution": "720p"}).json()["id"]
        url = poll(client, id)["video"]["url"]
        assert poll(client, id)["video"]["url"] == url
        emulator.clock.forward(hours=25)
        assert httpx.get(url).status_code == 403
        assert client.get(PATH, params={"generation_id": id}).status_code == 404


def test_the_first_frame_decides_the_shape_of_i2v() -> None:
    with opened() as (emulator, client):
        client.post(PATH, json=I2V | {"image_url": data_uri(picture(360, 640)), "resolution": "720p"})
        assert (emulator.accepted[0].order.width, emulator.accepted[0].order.height) == (720, 1280)


def test_a_bad_reference_may_fail_the_task_instead() -> None:
    with opened(bad_reference="fail", script=AT_ONCE) as (emulator, client):
        created = client.post(PATH, json=I2V | {"image_url": data_uri(b"no picture")})
        assert created.status_code == 200
        assert poll(client, created.json()["id"])["error"]["name"] == "image_error"
        assert len(emulator.accepted) == 1
