"""What only Freepik does: a path for each mode, a list without times, webhooks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.errors import Refused, TaskFailed, TaskForgotten, Terminal, Transient
from storyreel.tasks.providers.freepik import Freepik
from storyreel.testing.faults import Answer, Call
from tests.services.jobs import Failure, Phase, Script
from tests.tasks.providers.hosted_services import KEY, MADE, SERVICES, opened, request

SERVICE = SERVICES["freepik"]


@pytest.mark.parametrize(
    ("base", "header"),
    [
        ("https://api.freepik.com", "x-freepik-api-key"),
        ("https://api.magnific.com", "x-magnific-api-key"),
        ("https://api.magnific.com/", "x-magnific-api-key"),
        ("https://gateway.example.com/magnific", "x-freepik-api-key"),
    ],
)
def test_each_host_gets_the_key_in_its_own_header(base: str, header: str) -> None:
    adapter = Freepik({"FREEPIK_API_KEY": KEY, "FREEPIK_BASE_URL": base})
    assert adapter.headers(KEY) == {header: KEY}


@pytest.mark.parametrize("mode", MADE)
async def test_a_task_is_polled_under_the_path_of_its_mode(mode: Mode) -> None:
    async with opened(SERVICE) as (provider, emulator):
        accepted = await provider.submit(request(SERVICE, mode))
        await provider.poll(accepted.task)
    assert accepted.task == f"{mode.value}/{emulator.accepted[0].task}"
    assert emulator.requests[1].path == f"/v1/ai/{mode.value}/wan-2-7/{emulator.accepted[0].task}"


@pytest.mark.parametrize("task", ["046b6c7f-0b8a", "lip-sync/046b6c7f", ""])
async def test_an_id_without_its_mode_is_an_error(task: str) -> None:
    async with opened(SERVICE) as (provider, emulator):
        with pytest.raises(Terminal, match="cannot be asked") as refused:
            await provider.poll(task)
    assert "reference-to-video/" in refused.value.hint
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("shape", "said", "code"),
    [
        ("none", "it says 'failed' and gives no reason", ""),
        ("message", "too dark", ""),
        ("error", "DataInspectionFailed: too dark", "DataInspectionFailed"),
    ],
)
async def test_a_failure_with_and_without_a_reason(shape: str, said: str, code: str) -> None:
    failure = Failure("DataInspectionFailed", "too dark", shape)
    async with opened(SERVICE, settings={"script": Script(0, 0, end=Phase.FAILED, failure=failure)}) as (provider, _):
        with pytest.raises(TaskFailed, match=said) as failed:
            await provider.poll((await provider.submit(request(SERVICE))).task)
    assert (failed.value.code, failed.value.is_content) == (code, bool(code))


@pytest.mark.parametrize("invalid", ["message", "problem", "nested"])
async def test_a_refusal_names_the_field_in_each_of_its_shapes(invalid: str) -> None:
    async with opened(SERVICE, settings={"invalid": invalid}) as (provider, emulator):
        with pytest.raises(Refused, match="duration"):
            await provider.submit(request(SERVICE, Mode.REFERENCE, seconds=15))
    assert emulator.accepted == []


@pytest.mark.parametrize("body", [True, False])
async def test_statuses_without_a_message_are_understood(body: bool) -> None:
    async with opened(SERVICE, settings={"not_found_body": body}) as (provider, emulator):
        emulator.fault(Call.CREATE, Answer(429))
        with pytest.raises(Transient):
            await provider.submit(request(SERVICE))
        with pytest.raises(TaskForgotten):
            await provider.poll("text-to-video/unheard-of")


@pytest.mark.parametrize("status", [402, 403])
async def test_an_empty_balance_is_final(status: int) -> None:
    async with opened(SERVICE, settings={"balance": 0, "broke_status": status}) as (provider, emulator):
        with pytest.raises(Terminal) as broke:
            await provider.submit(request(SERVICE))
    assert not isinstance(broke.value, Refused)
    assert emulator.accepted == []


async def test_the_list_has_the_tasks_of_all_modes_and_no_times() -> None:
    async with opened(SERVICE, settings={"script": Script(1, 1)}) as (provider, _):
        ordered = {(await provider.submit(request(SERVICE, mode))).task for mode in MADE}
        listed = await provider.list_tasks(datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC))
    assert listed is not None
    assert {task.task for task in listed} == ordered
    assert all(task.created is None and task.detail == "created" for task in listed)


@pytest.mark.parametrize("trouble", [Answer(500), Answer(401), Answer(200, {"data": {}}), Answer(200, {})])
async def test_a_failed_request_for_the_list_is_no_empty_list(trouble: Answer) -> None:
    async with opened(SERVICE) as (provider, emulator):
        emulator.fault(Call.LIST, trouble)
        with pytest.raises((Transient, Terminal)):
            await provider.list_tasks(datetime.now(UTC), datetime.now(UTC))


async def test_an_order_names_the_webhook_if_one_is_set() -> None:
    hook = "https://hooks.films.example/freepik"
    async with opened(SERVICE, STORYREEL_WEBHOOK_URL=hook) as (provider, _):
        ordered = request(SERVICE, Mode.REFERENCE)
        places = {(use, attachment.digest): attachment.source for use, attachment in ordered.attachments}
        assert provider.body(ordered, places)["webhook_url"] == hook
        assert provider.sends_webhooks
    assert not SERVICE.provider("http://127.0.0.1:9").sends_webhooks
