"""What only AIMLAPI does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from storyreel.specs.money import Money
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.errors import Refused, TaskFailed, Terminal, Transient
from tests.services.aimlapi import FREE_TIER
from tests.services.faults import Answer, Call, Page, Reset
from tests.services.jobs import Failure, Phase, Script
from tests.tasks.providers.hosted_services import SERVICES, answering, opened, request, video

SERVICE = SERVICES["aimlapi"]


async def test_the_order_names_the_cost() -> None:
    async with opened(SERVICE) as (provider, _):
        plain = await provider.submit(request(SERVICE))
        dear = await provider.submit(
            request(SERVICE, Mode.REFERENCE, resolution="1080p", seconds=10, references=(video(),))
        )
        end = await provider.poll(plain.task)
    assert plain.cost == Money(amount=Decimal("0.45"), currency="USD")
    assert dear.cost == Money(amount=Decimal("1.95"), currency="USD")
    assert end.cost is None


@pytest.mark.parametrize(
    "meta",
    [None, {}, {"usage": None}, "free", *({"usage": {"usd_spent": spent}} for spent in (None, "?", -1, True))],
)
async def test_a_cost_that_is_not_named_is_unknown(meta: Any) -> None:
    async with opened(SERVICE) as (provider, _):
        assert provider.read_submission({"id": "t", "meta": meta}, request(SERVICE)).cost is None


async def test_a_cost_that_comes_with_the_clip_is_used_too() -> None:
    async with opened(SERVICE, settings={"usage_at_create": False, "usage_at_end": True}) as (provider, _):
        accepted = await provider.submit(request(SERVICE))
        assert accepted.cost is None
        assert (await provider.poll(accepted.task)).cost == Money(amount=Decimal("0.45"), currency="USD")


@pytest.mark.parametrize("ids", ["short", "uuid", "path"])
@pytest.mark.parametrize("created", [200, 201])
async def test_an_id_of_any_shape_is_found_again(ids: str, created: int) -> None:
    async with opened(SERVICE, settings={"ids": ids, "created": created}) as (provider, _):
        assert (await provider.poll((await provider.submit(request(SERVICE))).task)).state == "finished"


@pytest.mark.parametrize("word", ["waiting", "active", "queued", "generating"])
async def test_all_words_for_a_task_under_way_are_known(word: str) -> None:
    async with opened(SERVICE, settings={"script": Script(1, 0, words=(word,))}) as (provider, _):
        status = await provider.poll((await provider.submit(request(SERVICE))).task)
    assert (status.state, status.is_known) == ("pending", True)


@pytest.mark.parametrize(
    ("shape", "said", "code"),
    [
        ("message", "the face is hidden", "face_detection_error"),
        ("nameless", "the face is hidden", ""),
        ("detail", "the face is hidden", "face_detection_error"),
        ("text", "the face is hidden", ""),
        ("none", "it says 'error' and gives no reason", ""),
    ],
)
async def test_a_failure_in_each_of_its_shapes(shape: str, said: str, code: str) -> None:
    script = Script(0, 0, end=Phase.FAILED, failure=Failure("face_detection_error", "the face is hidden", shape))
    async with opened(SERVICE, settings={"script": script}) as (provider, _):
        with pytest.raises(TaskFailed, match=said) as failed:
            await provider.poll((await provider.submit(request(SERVICE))).task)
    assert failed.value.code == code


@pytest.mark.parametrize("word", ["rejected", "failed", "cancelled", "expired"])
async def test_an_error_under_a_word_that_is_not_its_own_is_no_failure(word: str) -> None:
    script = Script(0, 0, end=Phase.FAILED, last_word=word)
    async with opened(SERVICE, settings={"script": script}) as (provider, _):
        status = await provider.poll((await provider.submit(request(SERVICE))).task)
    assert (status.state, status.detail, status.is_known) == ("pending", word, False)


async def test_a_content_refusal_without_a_code_is_recognised_by_its_words() -> None:
    script = Script(0, 0, end=Phase.FAILED, failure=Failure("x", "content policy", "nameless"))
    async with opened(SERVICE, settings={"script": script}) as (provider, _):
        with pytest.raises(TaskFailed) as failed:
            await provider.poll((await provider.submit(request(SERVICE))).task)
    assert failed.value.is_content


async def test_an_empty_balance_comes_with_the_address_to_top_it_up() -> None:
    async with opened(SERVICE, settings={"balance": 1}) as (provider, emulator):
        await provider.submit(request(SERVICE))
        with pytest.raises(Terminal, match="run out of credits") as broke:
            await provider.submit(request(SERVICE))
    assert not isinstance(broke.value, Refused)
    assert "billing" in broke.value.hint
    assert len(emulator.accepted) == 1


async def test_the_limit_of_the_free_tier_is_transient() -> None:
    async with opened(SERVICE) as (provider, emulator):
        emulator.fault(Call.CREATE, Answer(429, {"message": FREE_TIER, "statusCode": "429"}))
        with pytest.raises(Transient, match="free limit for the hour"):
            await provider.submit(request(SERVICE))


@pytest.mark.parametrize("details", ["list", "map", "none"])
async def test_a_refusal_names_the_field(details: str) -> None:
    async with opened(SERVICE, settings={"details": details}) as (provider, emulator):
        with pytest.raises(Refused, match=r"refused it \(400\): Body validation error!.*'5' \| '10'") as refused:
            await provider.submit(request(SERVICE, seconds=7))
    assert ("duration" in str(refused.value)) == (details != "none")
    assert emulator.accepted == []


async def test_whole_seconds_are_sent_as_numbers() -> None:
    settings = {"duration_as_text": False, "whole_floats": False, "needs_reference": True, "combined_references": 5}
    async with opened(SERVICE, settings=settings) as (provider, emulator):
        for mode in Mode:
            await provider.submit(request(SERVICE, mode))
    assert len(emulator.accepted) == 3


async def test_the_log_has_all_orders_of_the_time_asked_for_with_their_keys_costs_and_outcomes() -> None:
    async with opened(SERVICE) as (provider, emulator):
        emulator.use_script(Script(waiting=0, running=0, end=Phase.FAILED))
        for number in range(102):
            if number == 1:
                emulator.clock.forward(hours=2)
            await provider.submit(request(SERVICE, seed=number))
        emulator.use_script(Script(waiting=0, running=1, end=None))
        await provider.submit(request(SERVICE, seed=1000))
        now = datetime.fromtimestamp(emulator.clock.now(), UTC)
        listed = await provider.list_tasks(now - timedelta(minutes=30), now)
        everything = await provider.list_tasks(now - timedelta(days=200), now)
    assert [task.task for task in listed] == [sale.task for sale in emulator.accepted[-2:0:-1]]
    assert [task.key for task in listed] == [request(SERVICE, seed=number).key for number in range(101, 0, -1)]
    assert {(task.model, task.outcome, str(task.cost)) for task in listed} == {
        ("alibaba/wan-2-7-t2v", "succeeded", "0.45 USD")
    }
    assert all(task.created and abs(task.created - now) < timedelta(minutes=1) for task in listed)
    (failed,) = (task for task in everything if task.outcome == "failed")
    assert (failed.task, str(failed.cost)) == (emulator.accepted[0].task, "0.00 USD")
    assert len(everything) == 102 and emulator.refused == []


@pytest.mark.parametrize("trouble", [Answer(500), Page(), Reset(), Answer(200, {"data": None}), Answer(401)])
async def test_a_failed_request_for_the_log_is_no_empty_log(trouble: Any) -> None:
    async with opened(SERVICE) as (provider, emulator):
        emulator.fault(Call.LIST, trouble)
        now = datetime.now(UTC)
        with pytest.raises((Transient, Terminal)):
            await provider.list_tasks(now - timedelta(minutes=30), now)


@pytest.mark.parametrize(
    "body",
    [
        '{"data": [], "pagination": {"total": 1, "has_more": false}}',
        '{"data": [], "pagination": {"total": 0, "has_more": true}}',
        '{"data": [{"inference_id": "a"}], "pagination": {"total": 2, "has_more": false}}',
        '{"data": [{"status": "failed"}], "pagination": {"total": 1, "has_more": false}}',
        '{"data": [], "pagination": {"total": true, "has_more": false}}',
        '{"data": [], "pagination": {"total": 0}}',
        '{"data": []}',
    ],
)
async def test_a_log_that_is_not_whole_proves_nothing(body: str) -> None:
    now = datetime.now(UTC)
    with answering(body) as base_url:
        async with SERVICE.provider(base_url) as provider:
            with pytest.raises(Transient):
                await provider.list_tasks(now - timedelta(minutes=30), now)
