"""The public `dashscope` package makes a clip through the emulator, unchanged.

It is imported by the tests alone: that takes half a second, in each process that collects tests.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import av
import httpx
import pytest
from PIL import Image

from tests.services.dashscope import Dashscope
from tests.services.jobs import Failure, Phase, Script
from tests.services.pictures import picture
from tests.tasks.providers.test_later_models import HORSE, WAN_3


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dashscope]:
    import dashscope

    emulator = Dashscope()
    with emulator.served() as base_url:
        monkeypatch.setattr(dashscope, "base_http_api_url", f"{base_url}/api/v1")
        monkeypatch.setattr(dashscope, "api_key", emulator.settings.key)
        yield emulator


def test_the_package_uploads_orders_polls_and_downloads(service: Dashscope, tmp_path: Path) -> None:
    import dashscope

    image = tmp_path / "mira.png"
    image.write_bytes(picture())
    service.use_script(Script(waiting=0, running=1))
    media = [{"type": "reference_image", "url": str(image)}]
    reply = dashscope.VideoSynthesis.call(
        model="wan2.7-r2v", prompt="Image 1 climbs.", media=media, resolution="720P", ratio="9:16", duration=2, seed=7
    )
    assert reply.status_code == 200
    assert reply.output.task_status == "SUCCEEDED"
    assert reply.usage["output_video_duration"] == 2
    assert service.accepted[0].body["input"]["media"][0]["url"].startswith("oss://")
    with av.open(io.BytesIO(httpx.get(reply.output.video_url).content), "r") as container:
        assert (container.streams.video[0].width, container.streams.video[0].frames) == (720, 60)


def test_the_package_understands_failures_refusals_lists_and_cancels(service: Dashscope) -> None:
    import dashscope

    service.use_script(Script(waiting=0, running=0, end=Phase.FAILED, failure=Failure("InternalError.Algo", "no luck")))
    failed = dashscope.VideoSynthesis.call(model="wan2.7-t2v", prompt="Rain.")
    assert (failed.output.task_status, failed.output.code) == ("FAILED", "InternalError.Algo")
    refused = dashscope.VideoSynthesis.async_call(model="wan2.7-t2v", prompt="Rain.", duration=99)
    assert (refused.status_code, refused.code) == (400, "InvalidParameter")
    waiting = dashscope.VideoSynthesis.async_call(model="wan2.7-t2v", prompt="Rain.")
    assert dashscope.VideoSynthesis.cancel(waiting).status_code == 200
    listed = dashscope.VideoSynthesis.list(status="CANCELED")  # type: ignore[attr-defined]
    assert [entry["task_id"] for entry in listed.output["data"]] == [waiting.output.task_id]
    assert len(service.accepted) == 2


def test_the_package_makes_a_picture_from_pictures(service: Dashscope, tmp_path: Path) -> None:
    import dashscope
    from dashscope.aigc.image_generation import ImageGeneration
    from dashscope.api_entities.dashscope_response import Message

    image = tmp_path / "mira.png"
    image.write_bytes(picture())
    service.use_script(Script(waiting=0, running=0))
    content = [{"text": "image 1 climbs."}, {"image": str(image)}]
    message = Message(role="user", content=content)
    accepted = ImageGeneration.async_call(
        model="wan2.7-image", messages=[message], n=1, size="1080*1920", api_key=dashscope.api_key
    )
    assert (accepted.status_code, accepted.output.task_status) == (200, "PENDING")
    reply = ImageGeneration.wait(accepted)
    assert reply.output.task_status == "SUCCEEDED" and reply.usage.image_count == 1
    (part,) = reply.output.choices[0].message.content
    with Image.open(io.BytesIO(httpx.get(part["image"]).content)) as made:
        assert (made.format, made.size) == ("PNG", (1080, 1920))
    sold = service.accepted[0]
    assert sold.request.path == "/api/v1/services/aigc/image-generation/generation"
    assert any(one.get("image", "").startswith("oss://") for one in sold.body["input"]["messages"][0]["content"])


def test_the_package_writes_orders_of_later_models_as_the_adapter_does(service: Dashscope) -> None:
    import dashscope

    for body in (*WAN_3.values(), *HORSE.values()):
        content = body["input"]
        reply = dashscope.VideoSynthesis.async_call(
            model=body["model"], prompt=content["prompt"], media=content.get("media"), **body["parameters"]
        )
        assert reply.status_code == 200, (body, reply)
        sent = dict(service.accepted[-1].body)
        # Without the package's own two fields, which no page has.
        own = ("extend_prompt", "function")
        sent["input"] = {name: value for name, value in sent["input"].items() if name not in own}
        assert sent == body
    assert len(service.accepted) == len(WAN_3) + len(HORSE)


def test_the_package_speaks_a_line(service: Dashscope) -> None:
    import dashscope

    reply = dashscope.MultiModalConversation.call(
        model="qwen3-tts-flash", text="海上の灯り", voice="Cherry", language_type="Japanese"
    )
    assert (reply.status_code, reply.output.finish_reason, reply.usage.characters) == (200, "stop", 8)
    with av.open(io.BytesIO(httpx.get(reply.output.audio["url"]).content), "r") as container:
        (sound,) = container.streams.audio
        assert (sound.codec_context.sample_rate, sound.codec_context.channels) == (24_000, 1)
    refused = dashscope.MultiModalConversation.call(model="qwen3-tts-flash", text="Rain.", voice="Cherri")
    assert (refused.status_code, refused.code) == (400, "InvalidParameter") and len(service.accepted) == 1
