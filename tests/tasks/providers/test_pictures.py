"""The models that make pictures: their orders field by field, what they refuse, and how their tasks are found again."""

from __future__ import annotations

import copy
import io
import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.errors import Refused, TaskFailed, Transient
from storyreel.tasks.providers.models import find_capability, find_model, models_of, still_model
from storyreel.tasks.providers.request import Request
from storyreel.testing.footage import still
from storyreel.testing.wire import HttpRequest
from tests.services.jobs import Failure, Phase, Script
from tests.tasks.providers.hosted_services import SERVICES, Service, image, local, nothing, opened, request

MIRA, TOM = "https://films.example/mira.png", "https://films.example/tom.jpg"
MAKERS = ["dashscope", "freepik"]


def asked(name: str, *references: str, of: str | None = None, **more: Any) -> Request:
    """A picture of 9:16, as a plan asks for it."""
    shape = {"aspect_ratio": "9:16", "width": 1080, "height": 1920}
    pictures = tuple(image(one) for one in references)
    return request(SERVICES[name], Mode.STILL, of=of, references=pictures, **shape, **more)


def native(*pictures: str, model: str = "wan2.7-image") -> dict[str, Any]:
    """A body in Model Studio's form."""
    content = [{"text": "A lamp is lit."}, *({"image": one} for one in pictures)]
    return {
        "model": model,
        "input": {"messages": [{"role": "user", "content": content}]},
        "parameters": {"size": "1080*1920", "n": 1, "watermark": False, "seed": 7},
    }


SEEDREAM = {"prompt": "A lamp is lit.", "aspect_ratio": "social_story_9_16", "seed": 7}


@pytest.mark.parametrize(
    ("wanted", "path", "body"),
    [
        (asked("dashscope"), "/api/v1/services/aigc/image-generation/generation", native()),
        (asked("dashscope", MIRA, TOM), "/api/v1/services/aigc/image-generation/generation", native(MIRA, TOM)),
        (
            asked("dashscope", MIRA, of="wan2.7-image-pro", watermark=True),
            "/api/v1/services/aigc/image-generation/generation",
            native(MIRA, model="wan2.7-image-pro") | {"parameters": native()["parameters"] | {"watermark": True}},
        ),
        (asked("freepik"), "/v1/ai/text-to-image/seedream-v4-5", SEEDREAM),
        (
            asked("freepik", MIRA, TOM),
            "/v1/ai/text-to-image/seedream-v4-5-edit",
            SEEDREAM | {"reference_images": [MIRA, TOM]},
        ),
    ],
)
async def test_every_field_of_an_order_is_as_the_service_documents(
    wanted: Request, path: str, body: dict[str, Any], tmp_path: Path
) -> None:
    async with opened(SERVICES[wanted.provider]) as (provider, emulator):
        accepted = await provider.submit(wanted)
        sent: HttpRequest = emulator.requests[0]
        assert (sent.path, sent.json()) == (path, body)
        status = await provider.poll(accepted.task)
        await provider.fetch(wanted, status, tmp_path / "still", nothing)
    assert sent.headers.get("x-dashscope-async") == ("enable" if wanted.provider == "dashscope" else None)
    assert len(emulator.accepted) == 1
    with Image.open(tmp_path / "still") as picture:
        picture.load()
        assert abs(picture.width / picture.height - 9 / 16) < 0.001


async def test_dashscope_says_how_many_pictures_it_billed() -> None:
    async with opened(SERVICES["dashscope"]) as (provider, _):
        status = await provider.poll((await provider.submit(asked("dashscope"))).task)
    assert (status.billed, status.billed_seconds) == (Fraction(1), None)


@pytest.mark.parametrize("count", ["-1", '"two"', "true", "1e30"])
async def test_a_number_of_pictures_that_makes_no_sense_is_unknown_with_a_warning(count: str) -> None:
    service = SERVICES["dashscope"]
    sane = service.answers.written("finished_picture", clip=MIRA)
    odd = sane.replace(b'"image_count": 1', f'"image_count": {count}'.encode())
    assert odd != sane
    status = await service.look_at(lambda _: odd)
    assert status.billed is None and "makes no sense" in status.remark and status.clip_url == MIRA


@pytest.mark.parametrize(
    "content",
    ["[]", "null", '"x"', "[7]", '[{"text": "Done."}]', '[{"image": 7}]'],
)
async def test_a_finished_task_without_a_picture_is_looked_at_again(content: str) -> None:
    answer = json.loads(SERVICES["dashscope"].answers.written("finished_picture"))
    answer["output"]["choices"][0]["message"]["content"] = json.loads(content)
    with pytest.raises(Transient, match="gives no link"):
        await SERVICES["dashscope"].look_at(lambda _: json.dumps(answer).encode())


async def test_a_picture_beside_words_is_found() -> None:
    answer = SERVICES["dashscope"].answers.written("finished_picture", clip=MIRA)
    wordy = answer.replace(b'"content": [', b'"content": [{"type": "text", "text": "Here."}, ')
    assert wordy != answer
    assert (await SERVICES["dashscope"].look_at(lambda _: wordy)).clip_url == MIRA


def _size(written: str) -> Any:
    return lambda body: body["parameters"].__setitem__("size", written)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["parameters"].__setitem__("negative_prompt", "text"),
        lambda body: body["parameters"].__setitem__("prompt_extend", False),
        lambda body: body["parameters"].__setitem__("n", 5),
        lambda body: body["parameters"].__setitem__("seed", 2**31),
        lambda body: body["input"]["messages"][0]["content"].extend([{"image": MIRA}] * 10),
        lambda body: body["input"]["messages"][0]["content"].clear(),
        lambda body: body["input"]["messages"].append(body["input"]["messages"][0]),
        lambda body: body.__setitem__("model", "wan2.7-t2v"),
        _size("1080x1920"),
        _size("700*700"),
        _size("2100*2100"),
        _size("4000*400"),
        _size("4K"),
    ],
)
async def test_what_wan_does_not_take_for_a_picture_is_refused_and_not_sold(change: Any) -> None:
    body = copy.deepcopy(native())
    change(body)
    async with opened(SERVICES["dashscope"]) as (provider, emulator):
        path, headers = provider.submit_path(asked("dashscope")), provider.submit_headers({})
        with pytest.raises(Refused):
            await provider._client.post_once(path, body, headers)
    assert not emulator.accepted


@pytest.mark.parametrize(
    ("references", "change"),
    [
        ((), {"reference_images": [MIRA]}),
        ((), {"aspect_ratio": "9:16"}),
        ((), {"negative_prompt": "text"}),
        ((), {"prompt": "x" * 4097}),
        ((MIRA,), {"reference_images": []}),
        ((MIRA,), {"reference_images": [MIRA] * 15}),
        ((MIRA,), {"reference_images": [{"url": MIRA}]}),
    ],
)
async def test_what_seedream_does_not_take_is_refused_and_not_sold(
    references: tuple[str, ...], change: dict[str, Any]
) -> None:
    wanted = asked("freepik", *references)
    async with opened(SERVICES["freepik"]) as (provider, emulator):
        urls = {(use, one.digest): one.source for use, one in wanted.attachments}
        with pytest.raises(Refused):
            await provider._client.post_once(provider.submit_path(wanted), provider.body(wanted, urls) | change, {})
    assert not emulator.accepted


@pytest.mark.parametrize("name", MAKERS)
async def test_a_picture_of_this_machine_is_put_into_the_services_store_once(name: str, tmp_path: Path) -> None:
    file = tmp_path / "sheet.png"
    file.write_bytes(still(1920, 1080, "sheet"))
    sent = local(file)
    async with opened(SERVICES[name]) as (provider, emulator):
        for take in (1, 2):
            await provider.submit(asked(name).model_copy(update={"references": (sent,), "take": take}))
    urls = set()
    for order in emulator.accepted:
        content = order.body["input"]["messages"][0]["content"] if name == "dashscope" else []
        urls |= {content[1]["image"]} if content else {*order.body["reference_images"]}
        resolves = order.request.headers.get("x-dashscope-ossresourceresolve")
        assert resolves == ("enable" if name == "dashscope" else None)
    (url,) = urls
    assert emulator.stored(url) == file.read_bytes()


async def test_a_task_of_freepik_is_polled_under_the_path_of_its_model() -> None:
    async with opened(SERVICES["freepik"]) as (provider, emulator):
        tasks = [(await provider.submit(asked("freepik", *references))).task for references in ((), (MIRA,))]
        for task in tasks:
            await provider.poll(task)
    numbers = [one.task for one in emulator.accepted]
    models = ("seedream-v4-5", "seedream-v4-5-edit")
    assert tasks == [f"still:{model}/{number}" for model, number in zip(models, numbers, strict=True)]
    paths = [each.path for each in emulator.requests[2:]]
    assert paths == [f"/v1/ai/text-to-image/{model}/{number}" for model, number in zip(models, numbers, strict=True)]


@pytest.mark.parametrize("name", MAKERS)
async def test_a_lost_order_of_a_picture_is_found_in_the_list_under_its_model(name: str) -> None:
    now = datetime.now(UTC)
    async with opened(SERVICES[name], settings={"script": Script(1, 1)}) as (provider, _):
        ordered = [(await provider.submit(one)).task for one in (asked(name), asked(name, MIRA))]
        await provider.submit(request(SERVICES[name], Mode.TEXT))
        listed = await provider.list_tasks(now - timedelta(hours=1), now + timedelta(minutes=5))
    assert listed is not None and len(listed) == 3
    model = asked(name).model
    assert sorted(task.task for task in listed if task.model == model) == sorted(ordered)


@pytest.mark.parametrize("name", MAKERS)
async def test_a_picture_that_cannot_be_made_fails_with_the_services_words(name: str) -> None:
    script = Script(0, 0, end=Phase.FAILED, failure=Failure("DataInspectionFailed", "too dark", "message"))
    async with opened(SERVICES[name], settings={"script": script}) as (provider, _):
        with pytest.raises(TaskFailed, match="too dark"):
            await provider.poll((await provider.submit(asked(name))).task)


@pytest.mark.parametrize("service", SERVICES.values(), ids=lambda service: service.name)
def test_a_model_of_pictures_is_made_only_if_a_picture_is_wanted(service: Service) -> None:
    models = models_of(service.adapter)
    usual, pictures = find_model(service.adapter, None), still_model(service.adapter, None)
    assert usual and Mode.TEXT in usual.modes
    assert (pictures is not None) is (service.name in MAKERS)
    if pictures:
        assert list(pictures.modes) == [Mode.STILL]
        assert find_capability(service.adapter, None, Mode.STILL) == pictures.modes[Mode.STILL]
        # Whatever stands first.
        swapped = {"pictures": pictures, **models}
        assert find_model(service.adapter, None, swapped) == usual
    else:
        with pytest.raises(LookupError, match="has no model for still"):
            find_capability(service.adapter, None, Mode.STILL)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_pictures_of_emulators_differ_in_bytes_and_not_in_what_they_show(form: Any) -> None:
    one, other = still(640, 360, "one", form), still(640, 360, "other", form)
    assert one != other
    with Image.open(io.BytesIO(one)) as first, Image.open(io.BytesIO(other)) as second:
        assert first.format == form and first.size == (640, 360)
        assert first.tobytes() == second.tobytes() and len(first.getcolors(640 * 360) or ()) > 100
