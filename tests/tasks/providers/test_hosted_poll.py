"""Polling a task at every hosted service: only the service's own word fails a paid task."""

from __future__ import annotations

import pytest

from storyreel.tasks.providers.errors import Denied, TaskFailed, TaskForgotten, Transient
from storyreel.testing.faults import Call, Labelled
from tests.services.emulator import DAY
from tests.services.jobs import Failure, Phase, Script
from tests.tasks.providers.hosted_services import Service, answering, opened, own_error, request


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 408, 409, 410, 422, 425, 451, 499])
async def test_a_refused_poll_does_not_fail_the_task(service: Service, status: int) -> None:
    async with opened(service) as (provider, emulator):
        accepted = await provider.submit(request(service))
        emulator.fault(Call.POLL, own_error(service, status, "the moon is too bright"))
        with pytest.raises((Denied, TaskForgotten, Transient), match="the moon is too bright") as refused:
            await provider.poll(accepted.task)
        is_forgotten = status in (404, 410) and service.name != "dashscope"
        assert isinstance(refused.value, TaskForgotten) == is_forgotten
        assert isinstance(refused.value, Denied) == (status in (401, 402, 403))
        assert (await provider.poll(accepted.task)).state == "finished"


async def test_a_forgotten_task_has_not_failed(service: Service) -> None:
    async with opened(service, settings={"remembered": DAY}) as (provider, emulator):
        accepted = await provider.submit(request(service))
        emulator.clock.forward(seconds=DAY + 60)
        with pytest.raises(TaskForgotten, match="does not know"):
            await provider.poll(accepted.task)


async def test_a_failed_task_carries_the_services_reason(service: Service) -> None:
    script = Script(0, 0, end=Phase.FAILED, failure=Failure("InvalidParameter", "The size is not match"))
    async with opened(service, settings={"script": script}) as (provider, _):
        with pytest.raises(TaskFailed) as failed:
            await provider.poll((await provider.submit(request(service))).task)
    assert "could not make it" in failed.value.message
    assert ("The size is not match" in failed.value.message) == (service.name != "freepik")
    assert failed.value.is_content is False


async def test_a_task_stopped_by_moderation_is_recognised_by_its_code(service: Service) -> None:
    if service.name == "freepik":
        pytest.skip("gives no reason")
    script = Script(0, 0, end=Phase.FAILED, failure=Failure("DataInspectionFailed", "Output data may be bad."))
    async with opened(service, settings={"script": script}) as (provider, _):
        with pytest.raises(TaskFailed, match=r"DataInspectionFailed: Output data may be bad") as failed:
            await provider.poll((await provider.submit(request(service))).task)
    assert (failed.value.code, failed.value.is_content) == ("DataInspectionFailed", True)
    assert "moderation" in failed.value.hint


async def test_the_code_and_not_the_text_decides_about_moderation(service: Service) -> None:
    if service.name == "freepik":
        pytest.skip("gives no code")
    script = Script(0, 0, end=Phase.FAILED, failure=Failure("InvalidParameter", "content policy file is missing"))
    async with opened(service, settings={"script": script}) as (provider, _):
        with pytest.raises(TaskFailed) as failed:
            await provider.poll((await provider.submit(request(service))).task)
    assert failed.value.is_content is False


async def test_an_unknown_word_is_pending(service: Service) -> None:
    script = Script(waiting=1, running=0, words=("pondering",))
    async with opened(service, settings={"script": script}) as (provider, _):
        accepted = await provider.submit(request(service))
        first, second = await provider.poll(accepted.task), await provider.poll(accepted.task)
    assert (first.state, first.detail.lower(), first.is_known) == ("pending", "pondering", False)
    assert second.state == "finished"


async def test_queued_and_running_tasks_are_told_apart(service: Service) -> None:
    async with opened(service, settings={"script": Script(waiting=1, running=1)}) as (provider, _):
        accepted = await provider.submit(request(service))
        looks = [await provider.poll(accepted.task) for _ in range(3)]
    assert [(look.state, look.is_queued) for look in looks] == [
        ("pending", True), ("pending", False), ("finished", False),
    ]  # fmt: skip


async def test_trouble_without_a_status_is_told_in_the_services_words(service: Service) -> None:
    with answering('{"error": {"message": "upstream timeout, try again"}, "message": "upstream timeout"}') as base_url:
        async with service.provider(base_url) as provider:
            with pytest.raises(Transient, match="gives no status of the task: upstream timeout"):
                await provider.poll("text-to-video/t")


async def test_a_finished_task_without_a_link_is_polled_again(service: Service) -> None:
    done = {"aimlapi": "completed", "apiyi": "completed", "dashscope": "SUCCEEDED", "freepik": "COMPLETED"}[
        service.name
    ]
    script = Script(waiting=1, running=0, words=(done,))
    async with opened(service, settings={"script": script}) as (provider, _):
        accepted = await provider.submit(request(service))
        with pytest.raises(Transient, match="no link"):
            await provider.poll(accepted.task)
        assert (await provider.poll(accepted.task)).clip_url


async def test_a_plain_body_with_a_gzip_label_is_read(service: Service) -> None:
    async with opened(service) as (provider, emulator):
        emulator.fault(Call.CREATE, Labelled())
        emulator.fault(Call.POLL, Labelled())
        assert (await provider.poll((await provider.submit(request(service))).task)).state == "finished"
    assert len(emulator.accepted) == 1


@pytest.mark.parametrize("task", ["../../secret", "a b", "x?y=1", "наш", "a/b:c", "%2e%2e"])
async def test_an_id_cannot_change_the_path_that_is_polled(service: Service, task: str) -> None:
    task = f"text-to-video/{task}" if service.name == "freepik" else task
    async with opened(service) as (provider, emulator):
        with pytest.raises((TaskForgotten, Transient, Denied)):
            await provider.poll(task)
        with pytest.raises(TaskForgotten):
            await provider.poll("text-to-video/plain" if service.name == "freepik" else "plain")
    received, plain = emulator.requests
    assert received.path.startswith(plain.path.removesuffix("plain"))
    assert received.target.count("/") == plain.target.count("/") and received.target.count("?") == plain.target.count(
        "?"
    )
    if service.name == "aimlapi":
        assert received.query_value("generation_id") == task
