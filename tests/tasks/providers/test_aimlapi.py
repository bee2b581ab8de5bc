"""What only AIMLAPI does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from storyreel.specs.money import Money
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.aimlapi import Aimlapi
from storyreel.tasks.providers.errors import Refused, TaskFailed, Terminal, Transient
from storyreel.tasks.providers.provider import PublishedPrices
from storyreel.testing.faults import Answer, Call, Page, Reset
from tests.services.aimlapi import FREE_TIER
from tests.services.aimlapi_models import ListedModel, by_resolution, per_unit
from tests.services.jobs import Failure, Phase, Script
from tests.tasks.providers.hosted_services import KEY, MADE, SERVICES, answering, opened, request, video

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


async def test_an_order_that_is_accepted_without_a_body_is_known_by_its_header() -> None:
    async with opened(SERVICE, settings={"created": 204, "ids": "path"}) as (provider, emulator):
        accepted = await provider.submit(request(SERVICE))
        assert accepted.task == emulator.accepted[0].task and accepted.cost is None
        assert (await provider.poll(accepted.task)).state == "finished"


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
        for mode in MADE:
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


T2V, I2V, R2V = (f"alibaba/wan-2-7-{mode}" for mode in ("t2v", "i2v", "r2v"))


def listed_at(pricing: Any, **more: Any) -> tuple[ListedModel, ...]:
    return (ListedModel(T2V, pricing, **more),)


async def published(catalogue: tuple[ListedModel, ...] | None = None) -> tuple[PublishedPrices, Any]:
    """The prices that it publishes, asked without being opened and without a key; and the emulator."""
    emulator = SERVICE.emulated(catalogue=catalogue)
    with emulator.served() as base_url:
        return await Aimlapi({"AIMLAPI_BASE_URL": base_url}).published_prices([T2V, I2V, R2V]), emulator


async def test_its_prices_are_asked_for_without_a_key_in_one_request() -> None:
    answer, emulator = await published()
    (asked,) = emulator.requests
    assert asked.path == "/v1/models" and "authorization" not in asked.headers and KEY not in str(asked.headers)
    prices = {(one.model, one.resolution): str(one.price) for one in answer.prices}
    sizes = {"720p": "0.09 USD", "1080p": "0.13 USD"}
    assert prices == {(model, size): price for model in (T2V, I2V, R2V) for size, price in sizes.items()}
    assert answer.unclear == () and answer.source == f"{emulator.base_url.removeprefix('http://')}/v1/models"
    assert len(emulator.accepted) == 0


@pytest.mark.parametrize(
    ("pricing", "found"),
    [
        (per_unit("second", 0.65, 1), {"": "0.65 USD"}),
        (per_unit("second", 65, 100), {"": "0.65 USD"}),
        (per_unit("second", 1, 3), {"": "0.333334 USD"}),
        (by_resolution(p720="0.39", p1080="0.65"), {"720p": "0.39 USD", "1080p": "0.65 USD"}),
        (by_resolution(p720="0.39") | {"currency": "EUR"}, {"720p": "0.39 EUR"}),
    ],
)
async def test_a_price_is_for_a_second_whatever_it_is_listed_per(pricing: Any, found: dict[str, str]) -> None:
    answer, _ = await published(listed_at(pricing))
    assert {one.resolution: one.price.exactly for one in answer.prices} == found


async def test_of_prices_that_depend_on_more_than_the_resolution_the_dearest_counts_and_is_doubtful() -> None:
    variants = [
        {"when": {"resolution": "720P", "audio": audio}, "price": price, "unit": "second", "per": 1}
        for audio, price in ((True, 0.2), (False, 0.1))
    ]
    answer, _ = await published(listed_at({"kind": "variants", "dimensions": ["audio"], "variants": variants}))
    (one,) = answer.prices
    assert (one.resolution, one.price.exactly) == ("720p", "0.20 USD")
    assert one.doubt == "the dearest of its prices by audio"


async def test_a_model_is_found_by_an_alias_in_any_case() -> None:
    renamed = ListedModel("alibaba/wan-3", by_resolution(p720="0.5"), aliases=(T2V.upper(),))
    answer, _ = await published((renamed,))
    assert [(one.model, str(one.price)) for one in answer.prices] == [(T2V, "0.50 USD")]
    assert [line.partition(":")[0] for line in answer.unclear] == [I2V, R2V]


@pytest.mark.parametrize(
    "pricing",
    [
        {},
        {"kind": "variable"},
        {"kind": "fixed", "units": []},
        {"kind": "new", "units": [1]},
        {"kind": ["fixed"]},
        per_unit("token", 3.25, 1_000_000),
        per_unit("second", 3.25, 0),
        per_unit("second", -1, 1),
        per_unit("second", 0, 1),
        per_unit("second", 1e12, 1),
        per_unit("second", 1, 1) | {"currency": "credits"},
        {"kind": "fixed", "units": [{"name": "second", "price": 1, "per": 1}] * 2},
        {"kind": "variants", "variants": [{"when": 5, "price": "0.1", "unit": "second", "per": 1}]},
        {"kind": "variants", "variants": ["odd"]},
    ],
)
async def test_what_is_no_price_of_a_second_is_told_and_not_used(pricing: Any) -> None:
    answer, _ = await published(listed_at(pricing))
    assert answer.prices == () and any(line.startswith(f"{T2V}: the list ") for line in answer.unclear)


@pytest.mark.parametrize("trouble", [Answer(500), Page(), Reset(), Answer(200, {"data": None}), Answer(404)])
async def test_prices_that_cannot_be_read_are_no_prices(trouble: Any) -> None:
    emulator = SERVICE.emulated()
    emulator.fault(Call.PRICES, trouble)
    with emulator.served() as base_url, pytest.raises((Transient, Terminal)):
        await Aimlapi({"AIMLAPI_BASE_URL": base_url}).published_prices([T2V, I2V, R2V])
