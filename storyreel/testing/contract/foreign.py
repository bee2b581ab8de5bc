"""Ids, texts, costs and links from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from storyreel.specs.foreign_text import printable
from storyreel.tasks.providers.errors import (
    TaskFailed,
    Terminal,
)
from storyreel.tasks.providers.provider import TaskStatus
from storyreel.testing.recorded import KEY
from storyreel.testing.service import HostedService
from storyreel.testing.wire import HttpRequest

IDS = (r"cut \ud83d", "a\0b", "\x1b[31mred", "a'b; rm -rf ~", 'quote"d', "a\u202eb", " padded ", "naïve/../x", "?a=b#c")
AMOUNTS = ("1e60", "-1", "NaN", "Infinity", "1e999", '"free"', "true", "1000001")
LINKS = (
    "http://127.0.0.1:9/clip.mp4",
    "http://169.254.169.254/latest/meta-data",
    "http://[::1]/",
    "file:///etc/passwd",
)


@pytest.mark.asyncio
class ForeignAnswers:
    """Text and amounts from outside are checked."""

    @pytest.mark.parametrize("id", IDS)
    async def test_a_task_of_any_name_is_asked_for_by_exactly_that_name(self, service: HostedService, id: str) -> None:
        async def asked_for(given: str) -> str:
            received: list[HttpRequest] = []

            def answer(request: HttpRequest) -> bytes:
                received.append(request)
                return service.answers.written("accepted" if request.method == "POST" else "failed", task=given)

            async with service.answering(answer) as provider:
                task = (await provider.submit(service.request())).task
                assert printable(task) == task
                with pytest.raises(TaskFailed) as failure:
                    await provider.poll(task)
            assert printable(str(failure.value)) == str(failure.value)
            return received[-1].target

        odd, plain = await asked_for(id), await asked_for("plain")
        assert id.encode(errors="surrogatepass") in unquote_to_bytes(odd.replace("+", " "))
        assert all(odd.count(sign) == plain.count(sign) for sign in "/?&#"), f"the id is not quoted in {odd}"

    async def test_what_a_service_says_is_one_short_line(self, service: HostedService) -> None:
        """Else it could write lines that pass for ours: that a film was made, or a command to run."""
        text = "no\n\u2028\x85 film: done\r\nnext: storyreel\tledger \x1b[31m" + "x" * 5000
        for error in await service.told(text):
            assert len(error.message) < 700 and len(error.message.splitlines()) == 1
            assert printable(error.message) == error.message

    @pytest.mark.parametrize("amount", AMOUNTS)
    async def test_a_cost_that_makes_no_sense_is_unknown_with_a_warning(
        self, service: HostedService, amount: str
    ) -> None:
        kinds = [kind for kind in ("accepted", "finished") if service.answers.has(kind, "cost")]
        if not kinds:
            pytest.skip("the service names no cost")
        for kind in kinds:
            odd = service.answers.written(kind, clip="https://films.example/clip.mp4", cost=amount)
            sane = service.answers.written(kind, clip="https://films.example/clip.mp4", cost="0.42")
            if kind == "accepted":
                async with service.answering(lambda _, answer=odd: answer) as provider:  # type: ignore[misc]
                    told: Any = await provider.submit(service.request())
                async with service.answering(lambda _, answer=sane: answer) as provider:  # type: ignore[misc]
                    right: Any = await provider.submit(service.request())
            else:
                told = await service.look_at(lambda _, answer=odd: answer)  # type: ignore[misc]
                right = await service.look_at(lambda _, answer=sane: answer)  # type: ignore[misc]
            assert told.cost is None and "makes no sense" in told.remark
            assert right.cost is not None and not right.remark, "a cost of 0.42 is not read"

    @pytest.mark.parametrize("link", LINKS)
    async def test_a_link_into_the_machine_is_not_followed(
        self, service: HostedService, link: str, tmp_path: Path
    ) -> None:
        """The address of the service is its own here, so that no private host was chosen by the user."""
        provider = service.adapter({service.key_variable: KEY})
        finished = TaskStatus(state="finished", detail="done", clip_url=link)
        with pytest.raises(Terminal, match="is not downloaded"):
            await provider.fetch(service.request(), finished, tmp_path / "take.mp4", lambda _: None)
        assert not (tmp_path / "take.mp4").exists()
