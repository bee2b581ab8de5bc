"""A look at a task, at every hosted service: nothing but its own verdict says that a paid task is lost."""

from __future__ import annotations

from typing import Any

import pytest

from storyreel.tasks.providers.errors import TaskFailed, TaskForgotten, Terminal, Transient
from tests.services.emulator import DAY
from tests.services.faults import Answer, Call, HangUp, Labelled, Page, Reset, Silence
from tests.services.jobs import Failure, Phase, Script
from tests.tasks.providers.houses import House, answering, opened, request


@pytest.mark.parametrize(
    "trouble",
    [*(Answer(status) for status in (429, 500, 502, 503, 504)), Page(), Page(502), Reset(), HangUp(), Silence()],
    ids=lambda trouble: f"{type(trouble).__name__}{getattr(trouble, 'status', '')}",
)
async def test_a_look_that_meets_trouble_is_repeated(house: House, trouble: Any) -> None:
    async with opened(house, timeout=0.4) as (provider, emulator):
        accepted = await provider.submit(request(house))
        emulator.fault(Call.LOOK, trouble)
        with pytest.raises(Transient):
            await provider.poll(accepted.task)
        assert (await provider.poll(accepted.task)).state == "finished"


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404])
async def test_a_look_that_is_refused_is_no_verdict_on_the_task(house: House, status: int) -> None:
    async with opened(house) as (provider, emulator):
        accepted = await provider.submit(request(house))
        emulator.fault(Call.LOOK, Answer(status))
        with pytest.raises(Terminal) as refused:
            await provider.poll(accepted.task)
        assert not isinstance(refused.value, TaskFailed)
        assert isinstance(refused.value, TaskForgotten) == (status == 404)
        assert (await provider.poll(accepted.task)).state == "finished"


async def test_a_task_that_is_forgotten_is_not_a_task_that_failed(house: House) -> None:
    async with opened(house, settings={"remembered": DAY}) as (provider, emulator):
        accepted = await provider.submit(request(house))
        emulator.clock.forward(seconds=DAY + 60)
        with pytest.raises(TaskForgotten, match="does not know"):
            await provider.poll(accepted.task)


async def test_a_task_that_failed_is_a_verdict_with_the_services_reason(house: House) -> None:
    script = Script(0, 0, end=Phase.FAILED, failure=Failure("InvalidParameter", "The size is not match"))
    async with opened(house, settings={"script": script}) as (provider, _):
        with pytest.raises(TaskFailed) as failed:
            await provider.poll((await provider.submit(request(house))).task)
    assert "could not make it" in failed.value.message
    assert ("The size is not match" in failed.value.message) == (house.name != "freepik")
    assert failed.value.is_content is False


async def test_a_task_that_moderation_stopped_says_so_by_its_code(house: House) -> None:
    if house.name == "freepik":
        pytest.skip("gives no reason")
    script = Script(0, 0, end=Phase.FAILED, failure=Failure("DataInspectionFailed", "Output data may be bad."))
    async with opened(house, settings={"script": script}) as (provider, _):
        with pytest.raises(TaskFailed, match=r"DataInspectionFailed: Output data may be bad") as failed:
            await provider.poll((await provider.submit(request(house))).task)
    assert (failed.value.code, failed.value.is_content) == ("DataInspectionFailed", True)
    assert "moderation" in failed.value.hint


async def test_a_code_decides_about_moderation_and_not_the_text(house: House) -> None:
    if house.name == "freepik":
        pytest.skip("gives no code")
    script = Script(0, 0, end=Phase.FAILED, failure=Failure("InvalidParameter", "content policy file is missing"))
    async with opened(house, settings={"script": script}) as (provider, _):
        with pytest.raises(TaskFailed) as failed:
            await provider.poll((await provider.submit(request(house))).task)
    assert failed.value.is_content is False


async def test_a_word_that_nobody_knows_is_pending(house: House) -> None:
    script = Script(waiting=1, running=0, words=("pondering",))
    async with opened(house, settings={"script": script}) as (provider, _):
        accepted = await provider.submit(request(house))
        first, second = await provider.poll(accepted.task), await provider.poll(accepted.task)
    assert (first.state, first.detail.lower(), first.is_known) == ("pending", "pondering", False)
    assert second.state == "finished"


async def test_what_waits_at_the_service_is_told_from_what_is_being_made(house: House) -> None:
    async with opened(house, settings={"script": Script(waiting=1, running=1)}) as (provider, _):
        accepted = await provider.submit(request(house))
        looks = [await provider.poll(accepted.task) for _ in range(3)]
    assert [(look.state, look.is_queued) for look in looks] == [
        ("pending", True), ("pending", False), ("finished", False),
    ]  # fmt: skip


@pytest.mark.parametrize("body", ["{}", '{"output": 7}', '{"data": {}}', '{"status": null}', "[]", '"done"', "[[]]"])
async def test_a_look_without_a_status_tells_nothing(house: House, body: str) -> None:
    async with opened(house) as (provider, _):
        accepted = await provider.submit(request(house))
        with answering(body) as base_url:
            async with house.provider(base_url) as elsewhere:
                with pytest.raises(Transient):
                    await elsewhere.poll(accepted.task)


async def test_a_finished_task_without_a_link_is_looked_at_again(house: House) -> None:
    done = {"aimlapi": "completed", "apiyi": "completed", "dashscope": "SUCCEEDED", "freepik": "COMPLETED"}[house.name]
    script = Script(waiting=1, running=0, words=(done,))
    async with opened(house, settings={"script": script}) as (provider, _):
        accepted = await provider.submit(request(house))
        with pytest.raises(Transient, match="no link"):
            await provider.poll(accepted.task)
        assert (await provider.poll(accepted.task)).clip_url


async def test_a_body_that_lies_about_being_packed_is_read(house: House) -> None:
    async with opened(house) as (provider, emulator):
        emulator.fault(Call.CREATE, Labelled())
        emulator.fault(Call.LOOK, Labelled())
        assert (await provider.poll((await provider.submit(request(house))).task)).state == "finished"
    assert len(emulator.accepted) == 1


@pytest.mark.parametrize("task", ["../../secret", "a b", "x?y=1", "наш", "a/b:c", "%2e%2e"])
async def test_whatever_an_id_holds_it_stays_in_its_place(house: House, task: str) -> None:
    task = f"text-to-video/{task}" if house.name == "freepik" else task
    async with opened(house) as (provider, emulator):
        with pytest.raises(TaskForgotten):
            await provider.poll(task)
        with pytest.raises(TaskForgotten):
            await provider.poll("text-to-video/plain" if house.name == "freepik" else "plain")
    heard, plain = emulator.requests
    assert heard.path.startswith(plain.path.removesuffix("plain"))
    assert heard.target.count("/") == plain.target.count("/") and heard.target.count("?") == plain.target.count("?")
    if house.name == "aimlapi":
        assert heard.asked("generation_id") == task
