"""What DashScope alone does: codes that say more than the status, a list of tasks, calling off, a bill."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.errors import Ambiguous, Refused, TaskFailed, TaskForgotten, Terminal, Transient
from tests.services.clock import BEIJING
from tests.services.dashscope_codes import CODES
from tests.services.faults import Answer, Call, Page, Reset
from tests.services.jobs import Phase, Script
from tests.tasks.providers.houses import HOUSES, local, opened, request, video

HOUSE = HOUSES["dashscope"]

CONTENT = ("DataInspectionFailed", "IPInfringementSuspect", "CustomRoleBlocked")
PASSING = (
    "InvalidParameter.DataInspection", "InvalidURL.ConnectionRefused", "InvalidURL.Timeout",
    "BadRequest.InputDownloadFailed",
)  # fmt: skip
UNPAID = ("Arrearage", "CommodityNotPurchased", "PrepaidBillOverdue", "PostpaidBillOverdue")
CLOSED = ("InvalidApiKey", "AccessDenied", "AccessDenied.Unpurchased", "Model.AccessDenied", "Workspace.AccessDenied",
          "AllocationQuota.FreeTierOnly")  # fmt: skip


def expected(code: str) -> type[Exception]:
    """What an order that met a code has come to."""
    if code.startswith("Throttling") or code in PASSING:
        return Transient
    if code in UNPAID or code in CLOSED:
        return Terminal
    return Ambiguous if CODES[code][0] >= 500 else Refused


@pytest.mark.parametrize("code", list(CODES))
async def test_every_code_decides_what_an_order_has_come_to(code: str) -> None:
    async with opened(HOUSE) as (provider, emulator):
        for status in (None, 200):
            emulator.fault(Call.CREATE, emulator.refusal(code, status=status))
            with pytest.raises((Transient, Terminal, Ambiguous)) as met:
                await provider.submit(request(HOUSE))
            assert type(met.value) is expected(code)
            assert isinstance(met.value, Ambiguous) or CODES[code][1] in str(met.value)
            if isinstance(met.value, Refused):
                assert (met.value.code, met.value.is_content) == (code, code in CONTENT)
    assert emulator.accepted == []
    assert len(emulator.requests) == 2


@pytest.mark.parametrize("code", list(CODES))
async def test_no_code_on_a_look_gives_up_a_task(code: str) -> None:
    async with opened(HOUSE) as (provider, emulator):
        accepted = await provider.submit(request(HOUSE))
        for status in (None, 200):
            emulator.fault(Call.LOOK, emulator.refusal(code, status=status))
            with pytest.raises((Transient, Terminal)) as met:
                await provider.poll(accepted.task)
            assert not isinstance(met.value, TaskFailed)
        assert (await provider.poll(accepted.task)).state == "finished"


async def test_throttling_says_how_long_to_wait() -> None:
    async with opened(HOUSE) as (provider, emulator):
        emulator.fault(Call.CREATE, Answer(429, {"code": "Throttling.RateQuota", "message": "slow"}, retry_after="4"))
        with pytest.raises(Transient) as busy:
            await provider.submit(request(HOUSE))
    assert busy.value.retry_after == 4


async def test_a_code_beside_a_task_does_not_hide_the_task() -> None:
    body = {"code": "Success", "message": "", "output": {"task_id": "t-1", "task_status": "PENDING"}}
    async with opened(HOUSE) as (provider, emulator):
        emulator.fault(Call.CREATE, Answer(200, body))
        assert (await provider.submit(request(HOUSE))).task == "t-1"


@pytest.mark.parametrize(
    ("end", "said"), [(Phase.CANCELED, "it was cancelled"), (Phase.FAILED, "InvalidParameter: The size is not match")]
)
async def test_what_has_ended_without_a_clip_is_a_verdict(end: Phase, said: str) -> None:
    async with opened(HOUSE, settings={"script": Script(0, 0, end=end)}) as (provider, _):
        with pytest.raises(TaskFailed, match=said):
            await provider.poll((await provider.submit(request(HOUSE))).task)


async def test_unknown_is_no_verdict() -> None:
    async with opened(HOUSE, settings={"script": Script(0, 0, end=Phase.FORGOTTEN)}) as (provider, _):
        with pytest.raises(TaskForgotten):
            await provider.poll((await provider.submit(request(HOUSE))).task)


@pytest.mark.parametrize("zone", [BEIJING, UTC], ids=str)
async def test_the_list_has_what_was_ordered_in_a_time_whatever_zone_it_is_asked_in(zone: Any) -> None:
    async with opened(HOUSE, settings={"list_zone": zone, "at_once": None}) as (provider, emulator):
        for hours in (0, 30, 1):
            emulator.clock.forward(hours=hours)
            for _ in range(60 if hours == 1 else 2):
                await provider.submit(request(HOUSE))
        now = datetime.fromtimestamp(emulator.clock.now(), UTC)
        listed = await provider.list_tasks(now - timedelta(minutes=30), now)
    assert listed is not None
    assert {task.task for task in listed} == {sale.task for sale in emulator.accepted[4:]}
    assert len(listed) == 60
    assert all(task.created and abs(task.created - now) < timedelta(minutes=1) for task in listed)
    assert {(task.model, task.detail) for task in listed} == {("wan2.7-t2v", "succeeded")}


@pytest.mark.parametrize("trouble", [Answer(500), Page(), Reset(), Answer(200, {"data": None}), Answer(401)])
async def test_a_list_that_cannot_be_had_is_no_empty_list(trouble: Any) -> None:
    async with opened(HOUSE) as (provider, emulator):
        await provider.submit(request(HOUSE))
        emulator.fault(Call.LIST, trouble)
        now = datetime.now(UTC)
        with pytest.raises((Transient, Terminal)):
            await provider.list_tasks(now - timedelta(minutes=30), now)


async def test_a_long_time_is_listed_a_day_at_a_time() -> None:
    async with opened(HOUSE) as (provider, emulator):
        now = datetime.fromtimestamp(emulator.clock.now(), UTC)
        assert await provider.list_tasks(now - timedelta(days=3), now) == []
    assert len(emulator.requests) == 4
    assert emulator.refused == []


async def test_only_what_still_waits_is_called_off() -> None:
    async with opened(HOUSE, settings={"at_once": 1, "script": Script(0, 5)}) as (provider, emulator):
        running = await provider.submit(request(HOUSE))
        waiting = await provider.submit(request(HOUSE))
        assert await provider.cancel(waiting.task) is True
        assert await provider.cancel(running.task) is False
        assert await provider.cancel("nobody's") is False
        emulator.fault(Call.CANCEL, Answer(401))
        with pytest.raises(Terminal, match="InvalidApiKey"):
            await provider.cancel(running.task)
        with pytest.raises(TaskFailed, match="was cancelled"):
            await provider.poll(waiting.task)


async def test_what_was_billed_is_told_at_the_end_input_video_included() -> None:
    async with opened(HOUSE) as (provider, _):
        plain = await provider.submit(request(HOUSE, seconds=7))
        moving = await provider.submit(request(HOUSE, Mode.REFERENCE, references=(video(),), seconds=7))
        billed = [(await provider.poll(accepted.task)).billed_seconds for accepted in (plain, moving)]
    assert billed == [7, 12]


@pytest.mark.parametrize(
    ("usage", "seconds"),
    [({"duration": 5}, 5), ({"duration": 7.5}, Fraction(15, 2)), ({"duration": 0}, 0), ({}, None), (None, None),
     *(({"duration": odd}, None) for odd in ("5", True, -1, float("inf"), float("nan"), None, [5]))],
)  # fmt: skip
def test_only_a_number_of_seconds_was_billed(usage: Any, seconds: Fraction | None) -> None:
    answer = {"output": {"task_status": "SUCCEEDED", "video_url": "https://x"}, "usage": usage}
    assert HOUSE.provider("http://127.0.0.1:9").read_status(answer, "t").billed_seconds == seconds


async def test_a_last_frame_goes_with_a_first_one_in_the_order_that_is_documented(tmp_path: Path) -> None:
    Image.new("RGB", (320, 240), "teal").save(tmp_path / "end.png")
    async with opened(HOUSE) as (provider, emulator):
        await provider.submit(request(HOUSE, Mode.IMAGE, last_frame=local(tmp_path / "end.png")))
        alone = request(HOUSE, Mode.IMAGE, first_frame=None, last_frame=local(tmp_path / "end.png"))
        with pytest.raises(Refused, match="first_frame"):
            await provider.submit(alone)
    (sold,) = emulator.accepted
    first, last = sold.body["input"]["media"]
    assert (first["type"], last["type"]) == ("first_frame", "last_frame")
    assert last["url"].startswith("data:image/png;base64,")
