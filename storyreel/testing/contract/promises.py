"""The promises of a service before an order, and its further offers."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from storyreel.specs.storyboard import Mode
from storyreel.tasks import providers
from storyreel.tasks.providers.errors import (
    ProviderError,
    TaskFailed,
)
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.providers.request import Use
from storyreel.testing.faults import Answer, Call, HangUp, Page
from storyreel.testing.requests import local_image, promised, request_for
from storyreel.testing.service import HostedService
from storyreel.testing.wire import HttpRequest

_WITH_PICTURES = (Mode.IMAGE, Mode.REFERENCE, Mode.STILL)


@pytest.mark.asyncio
class Promises:
    """All that its models promise can be ordered, and what it offers besides keeps to the rules."""

    async def test_it_is_found_by_its_name(self, service: HostedService) -> None:
        assert providers.is_installed(service.name), (
            f"no entry point {service.name!r} of storyreel.providers is installed"
        )
        assert providers.load(service.name) is service.adapter

    async def test_what_it_promises_makes_sense(self, service: HostedService) -> None:
        assert service.adapter.models
        assert service.adapter.min_poll_seconds > 0 and service.adapter.max_concurrent > 0
        for name, model in service.adapter.models.items():
            assert model.modes, f"{name} has no mode"
            for mode, capability in model.modes.items():
                assert capability.mode is mode, f"{name}: {capability.mode} stands under {mode}"
                sold = capability.durations
                assert sold is None or (sold and sorted({*sold}) == [*sold]), f"{name}, {mode}: {sold}"
                assert (sold == (0,)) is (mode is Mode.STILL), f"{name}, {mode}: a picture has 0 s, and it alone"
                if mode is Mode.SPEECH:
                    assert capability.speakers != () and capability.languages != (), f"{name} has no voice"
                    continue
                assert capability.ratios and capability.resolutions, f"{name}, {mode}"

    async def test_what_it_promises_can_be_ordered(self, service: HostedService) -> None:
        async with service.opened() as (provider, emulator):
            for request in promised(service.adapter):
                urls = {(use, attachment.digest): attachment.source for use, attachment in request.attachments}
                body = provider.body(request, urls)
                written = json.dumps(body, ensure_ascii=False)
                assert json.dumps(provider.body(request, urls), ensure_ascii=False) == written, "it is not pure"
                assert request.prompt in written and request.voice in written and request.delivery in written
                assert all(url in written for url in urls.values()), (
                    f"{request.mode}: an attachment is missing in {body}"
                )
                if request.negative_prompt:
                    assert request.negative_prompt in written
                before = len(emulator.accepted)
                await provider.submit(request)
                assert len(emulator.accepted) == before + 1

    async def test_a_picture_of_this_machine_goes_along(self, service: HostedService, tmp_path: Path) -> None:
        file = tmp_path / "mira.png"
        Image.effect_noise((1280, 720), 50).convert("RGB").save(file)
        async with service.opened() as (provider, emulator):
            for capability in service.capabilities:
                use: Use = "first_frame" if capability.mode is Mode.IMAGE else "image"
                if capability.mode not in _WITH_PICTURES or not capability.accepts_local_file(use):
                    continue
                picture = local_image(file)
                sent = {"first_frame": picture} if use == "first_frame" else {"references": (picture,)}
                before = len(emulator.accepted)
                await provider.submit(request_for(service.adapter, capability, **sent))
                assert len(emulator.accepted) == before + 1
                order = emulator.requests[-1].body.decode()
                assert str(file) not in order
                assert (base64.b64encode(file.read_bytes()).decode() in order) == (use in capability.data_uris)

    async def test_another_length_shape_or_prompt_is_another_order(self, service: HostedService) -> None:
        async with service.opened() as (provider, _):
            orders: dict[str, str] = {}
            for request in promised(service.adapter):
                urls = {(use, attachment.digest): attachment.source for use, attachment in request.attachments}
                shape = provider.capability_of(request).follows_first_frame
                told = {"seconds": str(request.seconds), "resolution": request.resolution,
                        "ratio": "" if shape else request.aspect_ratio, "model": request.model,
                        "mode": request.mode.value, "negative": request.negative_prompt, "urls": sorted(urls.values()),
                        "marks": (request.expand_prompt, request.watermark), "prompt": request.prompt,
                        "spoken": (request.voice, request.language, request.delivery)}  # fmt: skip
                order = json.dumps([provider.submit_path(request), provider.body(request, urls)], sort_keys=True)
                what = json.dumps(told)
                assert orders.setdefault(order, what) == what, f"the same order for {what} and {orders[order]}"

    async def test_a_list_of_tasks_is_whole_or_fails(self, service: HostedService) -> None:
        if service.adapter.list_tasks is Provider.list_tasks:
            pytest.skip("the service has no list")
        until = datetime.now(UTC) + timedelta(minutes=5)
        since = until - timedelta(minutes=30)
        for trouble in (Answer(500), Answer(429), Page(), Page(403), HangUp(), Answer(200, {"data": 7})):
            async with service.opened() as (provider, emulator):
                emulator.fault(Call.LIST, trouble)
                with pytest.raises(ProviderError):
                    await provider.list_tasks(since, until)
        if service.answers.listed is not None:
            async with service.answering(lambda _: service.answers.written("listed")) as provider:
                listed = await provider.list_tasks(since, until)
            assert listed is not None and [task.task for task in listed] == ["t-1"]

    async def test_a_cancel_is_believed_only_if_the_service_says_so(self, service: HostedService) -> None:
        if service.adapter.cancel is Provider.cancel:
            pytest.skip("the service cancels nothing")
        for trouble in (Answer(500), Page(), service.refusal(400, "it has begun")):
            async with service.opened() as (provider, emulator):
                task = (await provider.submit(service.request())).task
                emulator.fault(Call.CANCEL, trouble)
                try:
                    assert not await provider.cancel(task)
                except ProviderError as error:
                    assert not isinstance(error, TaskFailed)
        if service.answers.cancelled is not None:

            def answer(request: HttpRequest) -> bytes:
                is_cancel = request.method != "GET" and bool(asked)
                asked.append(request)
                return service.answers.written("cancelled" if is_cancel or len(asked) > 1 else "accepted")

            asked: list[HttpRequest] = []
            async with service.answering(answer) as provider:
                assert await provider.cancel((await provider.submit(service.request())).task)
