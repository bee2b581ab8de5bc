"""What only APIYI does."""

from __future__ import annotations

import pytest

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.errors import Ambiguous, Denied, Refused, TaskFailed, TaskForgotten, Transient
from storyreel.testing.faults import Call
from tests.services.apiyi import REFUSALS
from tests.services.emulator import DAY
from tests.services.jobs import Failure, Phase, Script
from tests.tasks.providers.hosted_services import AT_ONCE, SERVICES, opened, request

SERVICE = SERVICES["apiyi"]


async def test_orders_and_polls_go_to_different_prefixes() -> None:
    async with opened(SERVICE) as (provider, emulator):
        await provider.poll((await provider.submit(request(SERVICE))).task)
    order, look = emulator.requests
    assert order.path.startswith("/wan/api/v1/services/")
    assert look.path.startswith("/v1/tasks/") and "x-dashscope-async" not in look.headers


@pytest.mark.parametrize("error", ["flat", "nested"])
@pytest.mark.parametrize(
    ("refusal", "kind", "is_content"),
    [
        ("key", Denied, None),
        ("moderation", Refused, True),
        ("group", Denied, None),
        ("rate", Transient, None),
        ("balance", Denied, None),
        ("media", Refused, False),
        ("upstream", Ambiguous, None),
    ],
)
async def test_each_refusal_becomes_the_right_error(
    refusal: str, kind: type[Exception], is_content: bool | None, error: str
) -> None:
    async with opened(SERVICE, settings={"error": error}) as (provider, emulator):
        emulator.fault(Call.CREATE, emulator.refusal(refusal))
        with pytest.raises(kind) as refused:
            await provider.submit(request(SERVICE))
    assert type(refused.value) is kind
    assert getattr(refused.value, "is_content", None) == is_content
    assert REFUSALS[refusal][2].split("] ")[-1] in str(refused.value)
    assert emulator.accepted == []
    if refusal == "balance":
        assert "top up" in refused.value.hint  # type: ignore[attr-defined]


@pytest.mark.parametrize("poll", ["own", "native"])
async def test_a_poll_is_read_in_both_forms(poll: str) -> None:
    async with opened(SERVICE, settings={"poll": poll, "script": Script(1, 1)}) as (provider, _):
        accepted = await provider.submit(request(SERVICE))
        looks = [await provider.poll(accepted.task) for _ in range(3)]
    assert [look.state for look in looks] == ["pending", "pending", "finished"]
    assert all(look.is_known for look in looks)
    assert looks[-1].clip_url
    assert looks[-1].billed_seconds == (5 if poll == "native" else None)


@pytest.mark.parametrize("poll", ["own", "native"])
@pytest.mark.parametrize(
    ("shape", "said", "code"),
    [
        ("error", "InvalidImageUrl: it is a page", "InvalidImageUrl"),
        ("fail_reason", "InvalidImageUrl: it is a page", "InvalidImageUrl"),
        ("both", "InvalidImageUrl: it is a page", "InvalidImageUrl"),
        ("none", "it says 'failed' and gives no reason", ""),
    ],
)
async def test_a_failure_in_each_of_its_shapes(shape: str, said: str, code: str, poll: str) -> None:
    script = Script(0, 0, end=Phase.FAILED, failure=Failure("InvalidImageUrl", "it is a page", shape))
    async with opened(SERVICE, settings={"script": script, "poll": poll}) as (provider, _):
        with pytest.raises(TaskFailed, match=said) as failed:
            await provider.poll((await provider.submit(request(SERVICE))).task)
    assert failed.value.code == code


@pytest.mark.parametrize("unknown", ["404", "UNKNOWN"])
async def test_after_a_day_the_task_is_forgotten_in_every_form(unknown: str) -> None:
    async with opened(SERVICE, settings={"unknown_task": unknown}) as (provider, emulator):
        accepted = await provider.submit(request(SERVICE))
        emulator.clock.forward(seconds=DAY + 1)
        with pytest.raises(TaskForgotten):
            await provider.poll(accepted.task)


async def test_plain_bodies_are_requested_and_wrong_gzip_labels_ignored() -> None:
    async with opened(SERVICE, settings={"labels_gzip": True}) as (provider, emulator):
        assert (await provider.poll((await provider.submit(request(SERVICE))).task)).state == "finished"
    assert {received.headers["accept-encoding"] for received in emulator.requests} == {"identity"}


async def test_a_refusal_of_a_missing_first_frame_may_come_as_500() -> None:
    async with opened(SERVICE, settings={"script": AT_ONCE}) as (provider, emulator):
        with pytest.raises(Refused, match="must provide an image"):
            await provider.submit(request(SERVICE, Mode.IMAGE, first_frame=None))
    assert emulator.accepted == []
