"""What only DashScope does: codes that tell more than the status, a list of tasks, cancelling, billed seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.errors import Ambiguous, Denied, Refused, TaskFailed, TaskForgotten, Terminal, Transient
from storyreel.testing.faults import Answer, Call, Page, Reset
from tests.services.clock import BEIJING
from tests.services.dashscope_codes import CODES
from tests.services.jobs import Phase, Script
from tests.tasks.providers.hosted_services import SERVICES, answering, local, opened, request, video

SERVICE = SERVICES["dashscope"]

CONTENT = ("DataInspectionFailed", "IPInfringementSuspect", "CustomRoleBlocked")
PASSING = (
    "InvalidParameter.DataInspection", "InvalidURL.ConnectionRefused", "InvalidURL.Timeout",
    "BadRequest.InputDownloadFailed",
)  # fmt: skip
UNPAID = ("Arrearage", "CommodityNotPurchased", "PrepaidBillOverdue", "PostpaidBillOverdue")
CLOSED = ("InvalidApiKey", "AccessDenied", "AccessDenied.Unpurchased", "Model.AccessDenied", "Workspace.AccessDenied",
          "AllocationQuota.FreeTierOnly")  # fmt: skip


def expected(code: str) -> type[Exception]:
    """The error of an order that got this code."""
    if code.startswith("Throttling") or code in PASSING:
        return Transient
    if code in UNPAID or code in CLOSED:
        return Denied
    return Ambiguous if CODES[code][0] >= 500 else Refused


@pytest.mark.parametrize("code", list(CODES))
async def test_every_code_decides_the_fate_of_an_order(code: str) -> None:
    async with opened(SERVICE) as (provider, emulator):
        for status in (None, 200):
            emulator.fault(Call.CREATE, emulator.refusal(code, status=status))
            with pytest.raises((Transient, Terminal, Ambiguous)) as met:
                await provider.submit(request(SERVICE))
            assert type(met.value) is expected(code)
            assert isinstance(met.value, Ambiguous) or CODES[code][1] in str(met.value)
            if isinstance(met.value, Refused):
                assert (met.value.code, met.value.is_content) == (code, code in CONTENT)
    assert emulator.accepted == []
    assert len(emulator.requests) == 2


@pytest.mark.parametrize("code", list(CODES))
async def test_no_code_in_a_poll_gives_up_a_task(code: str) -> None:
    async with opened(SERVICE) as (provider, emulator):
        accepted = await provider.submit(request(SERVICE))
        for status in (None, 200):
            emulator.fault(Call.POLL, emulator.refusal(code, status=status))
            with pytest.raises((Transient, Terminal)) as met:
                await provider.poll(accepted.task)
            assert not isinstance(met.value, TaskFailed)
        assert (await provider.poll(accepted.task)).state == "finished"


async def test_throttling_carries_the_time_to_wait() -> None:
    async with opened(SERVICE) as (provider, emulator):
        emulator.fault(Call.CREATE, Answer(429, {"code": "Throttling.RateQuota", "message": "slow"}, retry_after="4"))
        with pytest.raises(Transient) as busy:
            await provider.submit(request(SERVICE))
    assert busy.value.retry_after == 4


async def test_a_code_beside_a_task_does_not_hide_the_task() -> None:
    body = {"code": "Success", "message": "", "output": {"task_id": "t-1", "task_status": "PENDING"}}
    async with opened(SERVICE) as (provider, emulator):
        emulator.fault(Call.CREATE, Answer(200, body))
        assert (await provider.submit(request(SERVICE))).task == "t-1"


@pytest.mark.parametrize(
    ("end", "said"), [(Phase.CANCELED, "it says 'canceled'"), (Phase.FAILED, "InvalidParameter: The size is not match")]
)
async def test_a_task_that_ended_without_a_clip_has_failed(end: Phase, said: str) -> None:
    async with opened(SERVICE, settings={"script": Script(0, 0, end=end)}) as (provider, _):
        with pytest.raises(TaskFailed, match=said):
            await provider.poll((await provider.submit(request(SERVICE))).task)


async def test_unknown_is_not_a_failure() -> None:
    async with opened(SERVICE, settings={"script": Script(0, 0, end=Phase.FORGOTTEN)}) as (provider, _):
        with pytest.raises(TaskForgotten):
            await provider.poll((await provider.submit(request(SERVICE))).task)


@pytest.mark.parametrize("zone", [BEIJING, UTC], ids=str)
async def test_the_list_covers_the_time_asked_for_in_either_zone(zone: Any) -> None:
    async with opened(SERVICE, settings={"list_zone": zone, "at_once": None}) as (provider, emulator):
        for hours in (0, 30, 1):
            emulator.clock.forward(hours=hours)
            for _ in range(60 if hours == 1 else 2):
                await provider.submit(request(SERVICE))
        now = datetime.fromtimestamp(emulator.clock.now(), UTC)
        listed = await provider.list_tasks(now - timedelta(minutes=30), now)
    assert listed is not None
    assert {task.task for task in listed} == {sale.task for sale in emulator.accepted[4:]}
    assert len(listed) == 60
    assert all(task.created and abs(task.created - now) < timedelta(minutes=1) for task in listed)
    assert {(task.model, task.detail) for task in listed} == {("wan2.7-t2v", "succeeded")}


@pytest.mark.parametrize("trouble", [Answer(500), Page(), Reset(), Answer(200, {"data": None}), Answer(401)])
async def test_a_failed_request_for_the_list_is_no_empty_list(trouble: Any) -> None:
    async with opened(SERVICE) as (provider, emulator):
        await provider.submit(request(SERVICE))
        emulator.fault(Call.LIST, trouble)
        now = datetime.now(UTC)
        with pytest.raises((Transient, Terminal)):
            await provider.list_tasks(now - timedelta(minutes=30), now)


async def test_a_long_time_is_listed_day_by_day() -> None:
    async with opened(SERVICE) as (provider, emulator):
        now = datetime.fromtimestamp(emulator.clock.now(), UTC)
        assert await provider.list_tasks(now - timedelta(days=3), now) == []
    assert len(emulator.requests) == 4
    assert emulator.refused == []


async def test_only_a_waiting_task_is_cancelled() -> None:
    async with opened(SERVICE, settings={"at_once": 1, "script": Script(0, 5)}) as (provider, emulator):
        running = await provider.submit(request(SERVICE))
        waiting = await provider.submit(request(SERVICE))
        assert await provider.cancel(waiting.task) is True
        assert await provider.cancel(running.task) is False
        assert await provider.cancel("nobody's") is False
        emulator.fault(Call.CANCEL, Answer(401))
        with pytest.raises(Terminal, match="InvalidApiKey"):
            await provider.cancel(running.task)
        with pytest.raises(TaskFailed, match="canceled"):
            await provider.poll(waiting.task)


@pytest.mark.parametrize("status", [200, 202, 404])
@pytest.mark.parametrize("body", [{}, {"request_id": "r"}, {"message": "OK"}, {"code": "Odd", "message": "not now"}])
async def test_a_task_counts_as_cancelled_only_if_it_says_so(status: int, body: dict[str, object]) -> None:
    async with opened(SERVICE, settings={"script": Script(5, 5)}) as (provider, emulator):
        accepted = await provider.submit(request(SERVICE))
        emulator.fault(Call.CANCEL, Answer(status, body))
        try:
            assert await provider.cancel(accepted.task) is False
        except Transient:
            assert status == 404


async def test_billed_seconds_include_input_video() -> None:
    async with opened(SERVICE) as (provider, _):
        plain = await provider.submit(request(SERVICE, seconds=7))
        moving = await provider.submit(request(SERVICE, Mode.REFERENCE, references=(video(),), seconds=7))
        billed = [(await provider.poll(accepted.task)).billed_seconds for accepted in (plain, moving)]
    assert billed == [7, 12]


@pytest.mark.parametrize(
    ("usage", "seconds"),
    [({"duration": 5}, 5), ({"duration": 7.5}, Fraction(15, 2)), ({"duration": 0}, 0), ({}, None), (None, None),
     *(({"duration": odd}, None) for odd in ("5", True, -1, float("inf"), float("nan"), None, [5]))],
)  # fmt: skip
def test_billed_seconds_are_read_only_if_they_are_a_number(usage: Any, seconds: Fraction | None) -> None:
    answer = {"output": {"task_status": "SUCCEEDED", "video_url": "https://x"}, "usage": usage}
    assert SERVICE.provider("http://127.0.0.1:9").read_status(answer, "t").billed_seconds == seconds


async def test_a_last_frame_goes_with_a_first_one_in_the_order_that_is_documented(tmp_path: Path) -> None:
    Image.new("RGB", (320, 240), "teal").save(tmp_path / "end.png")
    async with opened(SERVICE) as (provider, emulator):
        await provider.submit(request(SERVICE, Mode.IMAGE, last_frame=local(tmp_path / "end.png")))
        alone = request(SERVICE, Mode.IMAGE, first_frame=None, last_frame=local(tmp_path / "end.png"))
        with pytest.raises(Refused, match="first_frame"):
            await provider.submit(alone)
    (sold,) = emulator.accepted
    first, last = sold.body["input"]["media"]
    assert (first["type"], last["type"]) == ("first_frame", "last_frame")
    assert last["url"].startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    "body",
    [
        '{"data": [], "total": 1000000000, "total_page": 1000000000}',
        '{"data": [{"task_id": "a"}], "total": 2, "total_page": 1}',
        '{"data": [{"status": "RUNNING"}], "total": 1}',
        '{"data": [{"task_id": true}], "total": 1}',
        '{"data": [], "total": true}',
        '{"data": []}',
        '{"data": [], "total_page": 2}',
        '{"data": [{}], "total_page": 2001}',
    ],
)
async def test_a_list_that_is_not_whole_proves_nothing(body: str) -> None:
    now = datetime.now(UTC)
    with answering(body) as base_url:
        async with SERVICE.provider(base_url) as provider:
            with pytest.raises(Transient):
                await provider.list_tasks(now - timedelta(minutes=30), now)
