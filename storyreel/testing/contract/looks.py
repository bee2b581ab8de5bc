"""A take from order to file, and the looks at its task: only the service's own word fails it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from storyreel.specs.file_kind import VOICES, file_kind
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.errors import (
    Denied,
    TaskFailed,
    TaskForgotten,
    Transient,
)
from storyreel.tasks.providers.provider import TaskStatus
from storyreel.testing.faults import Answer, Call, HangUp, Page, Reset, Silence, Slow, Trouble
from storyreel.testing.service import HostedService, finished


@pytest.mark.asyncio
class Looks:
    """A task is believed to be finished or failed only if the service says so."""

    async def test_a_take_is_ordered_once_polled_and_downloaded(self, service: HostedService, tmp_path: Path) -> None:
        for mode in (capability.mode for capability in service.capabilities):
            async with service.opened() as (provider, emulator):
                ordered = service.request(mode)
                accepted = await provider.submit(ordered)
                status = accepted.answer or await finished(provider, accepted.task)
                seen: list[float] = []
                into = tmp_path / mode.value
                await provider.fetch(ordered, status, into, seen.append)
            assert len(emulator.accepted) == 1
            assert into.stat().st_size > 0
            if mode is Mode.STILL:
                with Image.open(into) as picture:
                    picture.load()
                    assert abs(picture.width / picture.height - ordered.width / ordered.height) < 0.01
            if mode is Mode.SPEECH:
                assert file_kind(into.read_bytes()) in VOICES, "it is neither a WAV nor an MP3"
            assert seen == sorted(seen) and seen[-1] == 1.0

    async def test_queued_and_running_tasks_are_told_apart(self, service: HostedService) -> None:
        looks = {kind: await self._look(service, kind) for kind in ("queued", "running", "finished")}
        told = [(look.state, look.is_queued, look.is_known) for look in looks.values()]
        assert told == [("pending", True, True), ("pending", False, True), ("finished", False, True)]
        assert looks["queued"].detail and looks["running"].detail
        assert looks["finished"].clip_url == "https://films.example/clip.mp4"
        if any(capability.mode is Mode.STILL for capability in service.capabilities):
            picture = await self._look(service, service.answers.kind_of_picture)
            assert (picture.state, picture.clip_url) == ("finished", "https://films.example/clip.mp4")

    @pytest.mark.parametrize(
        "trouble",
        [
            *(Answer(status) for status in (429, 500, 502, 503, 504)),
            *map(Page, (200, 403, 404, 502)),
            Reset(),
            HangUp(),
            Silence(),
            Slow(),
        ],
        ids=lambda trouble: f"{type(trouble).__name__}{getattr(trouble, 'status', '')}",
    )
    async def test_a_look_that_meets_an_error_may_be_repeated(self, service: HostedService, trouble: Trouble) -> None:
        async with service.opened() as (provider, emulator):
            accepted = await provider.submit(service.request())
            emulator.fault(Call.POLL, trouble)
            timeout = 0.4 if isinstance(trouble, Silence | Slow) else 10
            async with service.provider(emulator.base_url, timeout=timeout) as looking:
                with pytest.raises(Transient):
                    await looking.poll(accepted.task)
            assert (await finished(provider, accepted.task)).state == "finished"

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 410, 422, 499])
    async def test_a_refused_look_does_not_fail_the_task(self, service: HostedService, status: int) -> None:
        async with service.opened() as (provider, emulator):
            accepted = await provider.submit(service.request())
            emulator.fault(Call.POLL, service.refusal(status, "the moon is too bright"))
            with pytest.raises((Denied, TaskForgotten, Transient), match="the moon is too bright"):
                await provider.poll(accepted.task)
            assert (await finished(provider, accepted.task)).state == "finished"

    @pytest.mark.parametrize(
        "body", ["{}", '{"output": 7}', '{"data": {}}', '{"status": null}', "[]", '"done"', "[[]]"]
    )
    async def test_a_look_without_a_status_is_transient(self, service: HostedService, body: str) -> None:
        with pytest.raises(Transient):
            await service.look_at(lambda _: body.encode())

    @pytest.mark.parametrize("word", ["pondering", "error?", "FAILED-OVER", "expired soon"])
    async def test_an_unknown_word_is_pending(self, service: HostedService, word: str) -> None:
        answer = json.loads(service.answers.written("running"))
        form, _ = service.adapter.answers.form_of(answer)
        _put(answer, form.word, word)
        look = await service.look_at(lambda _: json.dumps(answer).encode())
        assert (look.state, look.is_known) == ("pending", False)

    async def test_a_failed_task_carries_the_services_reason(self, service: HostedService) -> None:
        failed = service.answers.written("failed", message="The size is not match")
        with pytest.raises(TaskFailed, match="could not make it") as failure:
            await service.look_at(lambda _: failed)
        if service.answers.has("failed", "message"):
            assert "The size is not match" in failure.value.message

    @pytest.mark.parametrize("kind", ["finished", "failed"])
    async def test_what_is_said_of_another_task_is_not_believed(self, service: HostedService, kind: str) -> None:
        if not service.answers.has(kind, "task"):
            pytest.skip("the service repeats no id")
        theirs = service.answers.written(kind, task="theirs", clip="https://films.example/theirs.mp4")
        with pytest.raises(Transient, match="another task"):
            await service.look_at(lambda _: theirs)

    async def test_a_finished_task_without_a_link_is_looked_at_again(self, service: HostedService) -> None:
        with pytest.raises(Transient, match="no link"):
            await service.look_at(lambda _: service.answers.written("finished", clip=""))

    async def _look(self, service: HostedService, kind: str) -> TaskStatus:
        answer = service.answers.written(kind, clip="https://films.example/clip.mp4")
        return await service.look_at(lambda _: answer)


def _put(answer: Any, path: tuple[str | int, ...], value: str) -> None:
    for step in path[:-1]:
        answer = answer[step]
    answer[path[-1]] = value
