"""The emulator of DashScope: create, poll, list, cancel, uploads, and every code that it documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx
import pytest

from storyreel.testing.faults import Answer, Call
from tests.services.clock import BEIJING
from tests.services.dashscope import RATES, Dashscope, DashscopeSettings
from tests.services.dashscope_codes import CODES
from tests.services.jobs import Failure, Phase, Script
from tests.services.pictures import data_uri, picture

PATH = "/api/v1/services/aigc/video-generation/video-synthesis"
IMAGE = {"type": "reference_image", "url": "https://example.com/a.png"}
FILM = {"type": "reference_video", "url": "https://example.com/a.mp4"}
AT_ONCE = Script(waiting=0, running=0)


def item(kind: str) -> dict[str, str]:
    return {"type": kind, "url": f"https://example.com/{kind}"}


def r2v(*media: dict[str, str], prompt: str = "Image 1 walks.", **parameters: object) -> dict[str, Any]:
    return {
        "model": "wan2.7-r2v",
        "input": {"prompt": prompt, "media": list(media) or [IMAGE]},
        "parameters": {"resolution": "720P", "duration": 2} | parameters,
    }


def i2v(*kinds: str) -> dict[str, Any]:
    return {"model": "wan2.7-i2v", "input": {"media": [item(kind) for kind in kinds]}}


@contextmanager
def opened(**settings: Any) -> Iterator[tuple[Dashscope, httpx.Client]]:
    emulator = Dashscope(DashscopeSettings(**settings))
    headers = {"Authorization": f"Bearer {emulator.settings.key}", "X-DashScope-Async": "enable"}
    with emulator.served() as base_url, httpx.Client(base_url=base_url, headers=headers, timeout=30) as client:
        yield emulator, client


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with opened(at_once=None) as (_, client):
        yield client


def created(client: httpx.Client, body: dict[str, Any] | None = None, **headers: str) -> str:
    reply = client.post(PATH, json=body or r2v(), headers=headers)
    assert reply.status_code == 200, reply.text
    id: str = reply.json()["output"]["task_id"]
    return id


def poll(client: httpx.Client, id: str) -> dict[str, Any]:
    reply = client.get(f"/api/v1/tasks/{id}")
    assert reply.status_code == 200
    found: dict[str, Any] = reply.json()
    return found


def test_a_clip_is_made_as_the_pages_describe() -> None:
    with opened() as (_, client):
        reply = client.post(PATH, json=r2v(FILM, duration=10)).json()
        assert reply["output"]["task_status"] == "PENDING"
        id = reply["output"]["task_id"]
        polls = [poll(client, id) for _ in range(3)]
        assert [one["output"]["task_status"] for one in polls] == ["PENDING", "RUNNING", "SUCCEEDED"]
        assert polls[2]["usage"] == {
            "duration": 15,
            "input_video_duration": 5,
            "output_video_duration": 10,
            "video_count": 1,
            "SR": 720,
            "ratio": "16:9",
        }
        assert "usage" not in polls[1]


def test_times_are_in_beijings_zone_without_naming_it() -> None:
    with opened(script=AT_ONCE) as (emulator, client):
        output = poll(client, created(client))["output"]
        for name in ("submit_time", "scheduled_time", "end_time"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", output[name])
        read = datetime.strptime(output["submit_time"], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=BEIJING)
        assert abs(read.timestamp() - emulator.accepted[0].at) < 1


@pytest.mark.parametrize(
    "body",
    [
        r2v(IMAGE | {"reference_voice": "https://example.com/v.wav"}, FILM, item("first_frame"), duration=10, seed=0),
        r2v(*[IMAGE] * 5, duration=15, ratio="3:4", prompt_extend=False, watermark=False),
        r2v() | {"model": "wan2.7-r2v-2026-06-12"},
        r2v({"type": "reference_image", "url": data_uri(picture())}),
        i2v("first_frame"),
        i2v("first_frame", "driving_audio"),
        i2v("first_frame", "last_frame"),
        i2v("last_frame", "driving_audio", "first_frame"),
        i2v("first_clip"),
        i2v("first_clip", "last_frame"),
        {"model": "wan2.7-t2v", "input": {"prompt": "Rain.", "audio_url": "https://example.com/a.mp3"}},
    ],
)
def test_bodies_that_the_pages_describe_are_accepted(client: httpx.Client, body: dict[str, Any]) -> None:
    created(client, body)


@pytest.mark.parametrize(
    "body",
    [
        r2v(*[IMAGE] * 6),
        r2v(item("first_frame")),
        r2v(IMAGE, item("first_frame"), item("first_frame")),
        r2v(FILM, duration=11),
        r2v(duration="5"),
        r2v(duration=16),
        r2v(resolution="1080p"),
        r2v(ratio="2:1"),
        r2v(seed=2**31),
        r2v(shot_type="multi"),
        r2v(size="1280*720"),
        r2v(item("last_frame")),
        r2v(prompt=""),
        i2v("last_frame"),
        i2v("first_frame", "first_clip"),
        i2v("first_clip", "driving_audio"),
        i2v("first_frame", "first_frame"),
        i2v("first_frame") | {"parameters": {"ratio": "16:9"}},
        i2v("reference_image"),
        {"model": "wan2.7-i2v", "input": {"prompt": "x", "img_url": "https://example.com/a.png"}},
        {"model": "wan2.7-t2v", "input": {"prompt": "x", "media": [IMAGE]}},
        {"model": "wan2.7-r2v", "input": {"prompt": "x"}},
    ],
)
def test_bodies_that_the_pages_forbid_are_invalid_parameters(client: httpx.Client, body: dict[str, Any]) -> None:
    reply = client.post(PATH, json=body)
    assert (reply.status_code, reply.json()["code"]) == (400, "InvalidParameter")
    assert reply.json()["request_id"]


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"X-DashScope-Async": ""}, r2v(), 403, "AccessDenied"),
        ({"Authorization": "Bearer other"}, r2v(), 401, "InvalidApiKey"),
        ({"Authorization": ""}, r2v(), 401, "InvalidApiKey"),
        ({}, r2v() | {"model": "wan9-r2v"}, 404, "ModelNotFound"),
        ({}, {"input": {}}, 400, "BadRequest.EmptyModel"),
        ({}, {"model": "wan2.7-r2v"}, 400, "BadRequest.EmptyInput"),
        ({"Content-Type": "text/plain"}, r2v(), 400, "BadRequest.IllegalInput"),
        ({}, r2v({"type": "reference_image", "url": data_uri(b"x")}), 400, "InvalidImage.FileFormat"),
        ({}, r2v({"type": "reference_image", "url": data_uri(picture(100, 100))}), 400, "InvalidImage.ImageSize"),
    ],
)
def test_each_refusal_has_its_code(
    client: httpx.Client, headers: dict[str, str], body: dict[str, Any], status: int, code: str
) -> None:
    reply = client.post(PATH, json=body, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (status, code)


@pytest.mark.parametrize("code", CODES)
def test_each_documented_code_can_be_planned_with_its_status_or_under_200(code: str) -> None:
    emulator = Dashscope()
    assert emulator.refusal(code).status == CODES[code][0]
    assert emulator.refusal(code, status=200).status == 200


def test_a_refusal_may_come_under_200() -> None:
    with opened() as (emulator, client):
        emulator.fault(Call.CREATE, emulator.refusal("Throttling.RateQuota", status=200))
        reply = client.post(PATH, json=r2v())
        assert (reply.status_code, reply.json()["code"]) == (200, "Throttling.RateQuota")
        assert emulator.accepted == []


def test_a_502_of_a_gateway_has_no_code() -> None:
    with opened() as (emulator, client):
        emulator.fault(Call.CREATE, Answer(502))
        reply = client.post(PATH, json=r2v())
        assert (reply.status_code, reply.headers["content-type"]) == (502, "text/html")


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (
            Failure("DataInspectionFailed", "Output data may contain inappropriate content."),
            {"code": "DataInspectionFailed", "message": "Output data may contain inappropriate content."},
        ),
        (Failure(shape="none"), {}),
    ],
)
def test_a_failed_task_comes_under_200(failure: Failure, reason: dict[str, str]) -> None:
    with opened(script=Script(waiting=0, running=0, end=Phase.FAILED, failure=failure)) as (_, client):
        output = poll(client, created(client))["output"]
        assert output["task_status"] == "FAILED"
        assert {name: output[name] for name in ("code", "message") if name in output} == reason


def test_foreign_and_old_ids_are_unknown_under_200() -> None:
    with opened() as (emulator, client):
        id = created(client)
        emulator.clock.forward(hours=25)
        for one in (id, "foreign"):
            assert poll(client, one)["output"] == {"task_id": one, "task_status": "UNKNOWN"}


def test_a_long_prompt_is_cut_silently_and_billed() -> None:
    with opened(script=AT_ONCE) as (emulator, client):
        output = poll(client, created(client, r2v(prompt="x" * 5001)))["output"]
        assert len(output["orig_prompt"]) == 5000
        assert len(emulator.accepted) == 1
    with opened(long_prompt="refuse") as (_, client):
        assert client.post(PATH, json=r2v(prompt="x" * 5001)).status_code == 400


def test_five_run_and_the_others_wait() -> None:
    with opened(script=Script(waiting=0, running=2)) as (_, client):
        ids = [created(client) for _ in range(7)]
        statuses = [poll(client, id)["output"]["task_status"] for id in ids]
        assert statuses == ["RUNNING"] * 5 + ["PENDING"] * 2


def test_beyond_five_may_be_refused_instead() -> None:
    with opened(beyond_at_once="refuse", at_once=1) as (emulator, client):
        created(client)
        assert client.post(PATH, json=r2v()).status_code == 429
        assert len(emulator.accepted) == 1


def test_only_a_waiting_task_can_be_cancelled() -> None:
    with opened(at_once=1, script=Script(waiting=0, running=9)) as (_, client):
        running, waiting = created(client), created(client)
        refused = client.post(f"/api/v1/tasks/{running}/cancel")
        assert (refused.status_code, refused.json()["code"]) == (400, "UnsupportedOperation")
        done = client.post(f"/api/v1/tasks/{waiting}/cancel")
        assert (done.status_code, list(done.json())) == (200, ["request_id"])
        assert poll(client, waiting)["output"]["task_status"] == "CANCELED"


def test_tasks_are_listed_newest_first_in_pages() -> None:
    with opened(at_once=None) as (_, client):
        ids = [created(client) for _ in range(12)]
        first = client.get("/api/v1/tasks/").json()
        second = client.get("/api/v1/tasks/", params={"page_no": 2}).json()
        assert [entry["task_id"] for entry in first["data"] + second["data"]] == ids[::-1]
        assert (first["total"], first["total_page"], first["page_size"], second["page_no"]) == (12, 2, 10, 2)
        assert "prompt" not in first["data"][0]
        assert isinstance(first["data"][0]["gmt_create"], int)


def test_a_list_is_filtered_by_status_model_id_and_time() -> None:
    with opened(script=AT_ONCE) as (emulator, client):
        old = created(client)
        emulator.clock.forward(hours=2)
        new = created(client, i2v("first_frame"))

        def listed(**wanted: str) -> list[str]:
            return [entry["task_id"] for entry in client.get("/api/v1/tasks/", params=wanted).json()["data"]]

        def moment(hours: float) -> str:
            at = datetime.fromtimestamp(emulator.clock.now() + hours * 3600, BEIJING)
            return f"{at:%Y%m%d%H%M%S}"

        assert listed(model_name="wan2.7-i2v") == [new]
        assert listed(status="SUCCEEDED") == [new, old]
        assert listed(status="FAILED") == []
        assert listed(task_id=old) == [old]
        assert listed(start_time=moment(-3), end_time=moment(-1)) == [old]
        assert listed(start_time=moment(-1), end_time=moment(0)) == [new]


@pytest.mark.parametrize(
    "wanted",
    [
        {"start_time": "20261101000000", "end_time": "20261102000001"},
        {"start_time": "2026-11-01"},
        {"page_no": "0"},
    ],
)
def test_an_invalid_list_query_is_refused(client: httpx.Client, wanted: dict[str, str]) -> None:
    assert client.get("/api/v1/tasks/", params=wanted).json()["code"] == "InvalidParameter"


def uploaded(emulator: Dashscope, client: httpx.Client, content: bytes, model: str = "wan2.7-r2v") -> str:
    leave = client.get("/api/v1/uploads", params={"action": "getPolicy", "model": model}).json()["data"]
    assert leave["upload_host"] == emulator.uploads_url
    key = f"{leave['upload_dir']}/a.png"
    form = {
        "OSSAccessKeyId": leave["oss_access_key_id"],
        "Signature": leave["signature"],
        "policy": leave["policy"],
        "x-oss-object-acl": leave["x_oss_object_acl"],
        "x-oss-forbid-overwrite": leave["x_oss_forbid_overwrite"],
        "key": key,
        "success_action_status": "200",
    }
    reply = httpx.post(leave["upload_host"], data=form, files={"file": ("a.png", content)})
    assert reply.status_code == 200, reply.text
    again = httpx.post(leave["upload_host"], data=form, files={"file": ("a.png", content)})
    assert again.status_code == 409
    return f"oss://{key}"


def test_an_upload_is_found_only_with_the_header_and_for_its_model() -> None:
    content = picture(360, 640) + b"\r\n--\r\n"
    with opened() as (emulator, client):
        url = uploaded(emulator, client, content)
        assert emulator.stored(url) == content
        body = r2v(IMAGE, {"type": "first_frame", "url": url})
        resolve = {"X-DashScope-OssResourceResolve": "enable"}
        refused = client.post(PATH, json=body)
        assert (refused.status_code, refused.json()["code"]) == (400, "InvalidParameter.DataInspection")
        created(client, body, **resolve)
        assert emulator.accepted[0].order.ratio == "9:16"
        other = {"model": "wan2.7-i2v", "input": {"media": [{"type": "first_frame", "url": url}]}}
        assert client.post(PATH, json=other, headers=resolve).status_code == 400
        emulator.clock.forward(hours=49)
        assert client.post(PATH, json=body, headers=resolve).status_code == 400


def test_an_address_that_is_not_resolved_may_fail_the_task() -> None:
    with opened(unresolved="fail", script=AT_ONCE) as (emulator, client):
        url = uploaded(emulator, client, picture())
        output = poll(client, created(client, r2v({"type": "reference_image", "url": url})))["output"]
        assert (output["task_status"], output["code"]) == ("FAILED", "InvalidParameter.DataInspection")


def test_an_upload_without_a_policy_is_refused() -> None:
    with opened() as (emulator, client):
        assert client.get("/api/v1/uploads", params={"action": "getPolicy"}).status_code == 400
        names = (
            "OSSAccessKeyId",
            "Signature",
            "policy",
            "key",
            "x-oss-object-acl",
            "x-oss-forbid-overwrite",
            "success_action_status",
        )
        form = dict.fromkeys(names, "x")
        assert httpx.post(emulator.uploads_url, data=form, files={"file": b"x"}).status_code == 403
        assert httpx.post(emulator.uploads_url, data={"key": "x"}, files={"file": b"x"}).status_code == 400
        assert httpx.post(emulator.uploads_url, content=b"x").status_code == 400


def test_published_rates_can_be_enforced() -> None:
    with opened(rates=RATES, at_once=None) as (emulator, client):
        emulator.clock.stop()
        assert [client.post(PATH, json=r2v()).status_code for _ in range(6)] == [200] * 5 + [429]
        emulator.clock.forward(seconds=1)
        assert client.post(PATH, json=r2v()).status_code == 200
