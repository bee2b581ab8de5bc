"""The emulator of AIMLAPI and the adapter against the published schemas of Wan 3.0 and HappyHorse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator

from storyreel.tasks.providers.aimlapi import Aimlapi as Adapter
from storyreel.testing.requests import promised
from tests.services.aimlapi import Aimlapi, AimlapiSettings
from tests.services.aimlapi_published import REPLY, SCHEMAS
from tests.services.jobs import Phase, Script
from tests.services.test_aimlapi_schema import PATH, bodies, checker
from tests.tasks.providers.hosted_services import SERVICES, opened, request
from tests.tasks.providers.test_later_models import full

UPSTREAM = ("image_url", "reference_image_urls", "video_url")
"""Fields of HappyHorse of which its maker takes one at a time, or pictures beside a video: not in the schema."""


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    emulator = Aimlapi(AimlapiSettings(duration_as_text=False, unknown_fields="ignore"))
    headers = {"Authorization": f"Bearer {emulator.settings.key}"}
    with emulator.served() as base_url, httpx.Client(base_url=base_url, headers=headers, timeout=30) as client:
        yield client


@pytest.mark.parametrize("model", SCHEMAS)
def test_the_emulator_and_the_published_schema_agree(client: httpx.Client, model: str) -> None:
    judge, reply_judge = Draft202012Validator(SCHEMAS[model], format_checker=checker()), Draft202012Validator(REPLY)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(drawn=bodies(SCHEMAS[model]))
    def agree(drawn: dict[str, Any]) -> None:
        body = {name: value for name, value in drawn.items() if value != []}
        if body.get("model") != model:
            return  # another schema's business
        errors = [error.message for error in judge.iter_errors(body)]
        reply = client.post(PATH, json=body)
        if not errors and "happyhorse" in model and len(body.keys() & set(UPSTREAM)) > 1:
            return
        assert reply.status_code == (400 if errors else 200), (errors, reply.text)
        if not errors:
            reply_judge.validate(reply.json())

    agree()


async def test_every_order_that_is_promised_fits_the_published_schema() -> None:
    orders = [ordered for ordered in promised(Adapter) if ordered.model in SCHEMAS]
    orders += [full("aimlapi", "happyhorse-1.1", mode) for mode in Adapter.models["happyhorse-1.1"].modes]
    provider = SERVICES["aimlapi"].provider("http://127.0.0.1:9")
    for ordered in orders:
        places = {(use, attachment.digest): attachment.source for use, attachment in ordered.attachments}
        body, schema = provider.body(ordered, places), SCHEMAS[ordered.model]
        Draft202012Validator(schema, format_checker=checker()).validate(body)
        assert body.keys() <= schema["properties"].keys()
    assert {ordered.model for ordered in orders} == SCHEMAS.keys()


@pytest.mark.parametrize("video", ["object", "list"])
async def test_a_finished_clip_is_found_in_both_published_forms(video: str) -> None:
    script = Script(waiting=0, running=0, end=Phase.DONE)
    async with opened(SERVICES["aimlapi"], settings={"video": video, "script": script}) as (provider, emulator):
        task = (await provider.submit(request(SERVICES["aimlapi"], of="wan3.0-video"))).task
        answer = httpx.get(
            f"{provider.base}{PATH}",
            params={"generation_id": task},
            headers={"Authorization": f"Bearer {emulator.settings.key}"},
        ).json()
        Draft202012Validator(REPLY).validate(answer)
        assert isinstance(answer["video"], list) == (video == "list")
        assert (await provider.poll(task)).clip_url.endswith(".mp4")
