"""What all hosted services have in common, each against its emulator on real sockets.

The first promise is about money: what was surely not accepted may be tried again, what may have been accepted is never
sent twice, and a task that was paid for is given up by the service's own verdict alone.
"""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import socket
from pathlib import Path
from typing import Any

import pytest

from specs.storyboard import Mode
from tasks.inspection import verify
from tasks.media.errors import MediaError
from tasks.providers.answers import Answer as Answered
from tasks.providers.base import (
    Ambiguous,
    ProviderError,
    Refused,
    TaskFailed,
    TaskForgotten,
    Terminal,
    Transient,
    Verdict,
)
from tests.services.emulator import DAY
from tests.services.faults import (
    Answer,
    Call,
    Claims,
    Corrupt,
    HangUp,
    Labelled,
    Page,
    Redirect,
    Reset,
    Shortened,
    Silence,
    Truncated,
)
from tests.services.jobs import Failure, Phase, Script
from tests.services.wire import app, bound, said, serving
from tests.tasks.providers.houses import HOUSES, KEY, House, finished, opened, request

MODES = list(Mode)


@pytest.fixture(params=list(HOUSES))
def house(request: pytest.FixtureRequest) -> House:
    return HOUSES[request.param]


def nothing(_: float) -> None:
    """Progress that nobody watches."""


# A clip, from the order to the file


@pytest.mark.parametrize("mode", MODES)
async def test_a_take_is_ordered_once_waited_for_and_brought_here(house: House, mode: Mode, tmp_path: Path) -> None:
    async with opened(house, settings={"script": Script(waiting=1, running=1)}) as (provider, emulator):
        ordered = request(house, mode)
        accepted = await provider.submit(ordered)
        looks = [await provider.look(accepted.task) for _ in range(3)]
        seen: list[float] = []
        await provider.fetch(ordered, looks[-1], tmp_path / "take.mp4", seen.append)
    assert len(emulator.accepted) == 1
    assert [look.state for look in looks] == ["pending", "pending", "finished"]
    assert all(look.is_known and look.detail for look in looks)
    clip = verify(tmp_path / "take.mp4", ordered)
    assert (clip.width, clip.height, round(clip.seconds)) == (1280, 720, 5)
    assert seen == sorted(seen) and seen[-1] == 1.0


async def test_the_key_goes_to_the_service_and_to_nobody_else(house: House, tmp_path: Path) -> None:
    async with opened(house) as (provider, emulator):
        standing = await provider.look((await provider.submit(request(house))).task)
        await provider.fetch(request(house), standing, tmp_path / "take.mp4", nothing)
    assert all(KEY in str(heard.headers) for heard in emulator.requests)
    assert emulator.fetches and not any(KEY in str(heard.headers) + heard.target for heard in emulator.fetches)


# An order that goes wrong


@pytest.mark.parametrize(("written", "seconds"), [(None, None), ("7", 7.0), ("soon", None), ("inf", None), ("-3", 0.0)])
async def test_429_sold_nothing_and_says_how_long_to_wait(
    house: House, written: str | None, seconds: float | None
) -> None:
    async with opened(house) as (provider, emulator):
        emulator.fault(Call.CREATE, Answer(429, retry_after=written))
        with pytest.raises(Transient) as busy:
            await provider.submit(request(house))
        assert busy.value.retry_after == seconds
        assert emulator.accepted == []
        await provider.submit(request(house))
        assert len(emulator.accepted) == 1


def test_a_retry_after_may_be_a_date() -> None:
    later = Answered(429, {"retry-after": "Wed, 21 Oct 2099 07:28:00 GMT"}, b"").retry_after
    past = Answered(429, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, b"").retry_after
    assert later is not None and later > 10**9
    assert past == 0


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("sold", [True, False])
async def test_an_order_that_meets_an_error_of_the_servers_is_of_unknown_fate(
    house: House, status: int, sold: bool
) -> None:
    async with opened(house) as (provider, emulator):
        emulator.fault(Call.CREATE, Answer(status, retry_after="1"), accepted=sold)
        with pytest.raises(Ambiguous, match=str(status)) as unknown:
            await provider.submit(request(house))
    assert unknown.value.hint == "storyreel reconcile"
    assert len(emulator.requests) == 1
    assert len(emulator.accepted) == sold


@pytest.mark.parametrize("trouble", [Reset(), HangUp(), Page(), Silence(), Truncated()], ids=lambda t: type(t).__name__)
@pytest.mark.parametrize("sold", [True, False])
async def test_an_order_without_a_usable_answer_is_of_unknown_fate_and_is_sent_once(
    house: House, trouble: Any, sold: bool
) -> None:
    if isinstance(trouble, Truncated) and not sold:
        pytest.skip("a part of the true answer: it was sold")
    async with opened(house, timeout=0.4) as (provider, emulator):
        emulator.fault(Call.CREATE, trouble, accepted=sold)
        with pytest.raises(Ambiguous):
            await provider.submit(request(house))
    assert len(emulator.requests) == 1
    assert len(emulator.accepted) == sold


@pytest.mark.parametrize("body", ['{"output": "?"}', '{"id": 7}', '{"data": []}', "{}", "[]", "null", "7", '"yes"'])
async def test_a_yes_that_names_no_task_is_of_unknown_fate(house: House, body: str) -> None:
    async def answer(_: object) -> Any:
        return said(json.loads(body))

    listening = bound()
    with serving((app(answer, lambda: 0.0), listening), beside=forever):
        async with house.provider(f"http://127.0.0.1:{listening.getsockname()[1]}") as provider:
            with pytest.raises(Ambiguous):
                await provider.submit(request(house))


async def forever() -> None:
    """Nothing beside the answers."""


async def test_a_service_that_cannot_be_reached_sold_nothing(house: House) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        async with house.provider(f"http://127.0.0.1:{taken.getsockname()[1]}") as provider:
            with pytest.raises(Transient, match="cannot be reached"):
                await provider.submit(request(house))


async def test_an_order_never_goes_out_on_a_connection_that_was_kept(house: House) -> None:
    """On one that the service is just closing it would be lost unread, and look like one whose answer was lost."""
    task = {"id": "t", "status": "queued", "output": {"task_id": "t"}, "data": {"task_id": "t", "status": "CREATED"}}
    body = json.dumps(task).encode()

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        await reader.readuntil(b"\r\n\r\n")  # a second request finds the door closing
        writer.transport.abort()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    async with server, house.provider(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as provider:
        for _ in range(3):
            assert (await provider.submit(request(house))).task.endswith("t")


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422])
async def test_a_plain_no_is_final_and_says_what_the_service_said(house: House, status: int) -> None:
    async with opened(house) as (provider, emulator):
        emulator.fault(Call.CREATE, Answer(status, {"message": "the moon is too bright"}))
        with pytest.raises(Terminal, match="the moon is too bright") as no:
            await provider.submit(request(house))
    assert isinstance(no.value, Refused) == (status in (400, 404, 422))
    assert emulator.accepted == []


async def test_a_wrong_key_is_said_and_never_shown(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    emulator = house.emulated()
    with emulator.served() as base_url:
        async with house.provider(base_url, key="sk-of-somebody-else") as provider:
            emulator.fault(Call.CREATE, Answer(401, {"message": "no such key: sk-of-somebody-else"}))
            for _ in range(2):
                with pytest.raises(Terminal, match="key") as refused:
                    await provider.submit(request(house))
                told = f"{refused.value!r} {refused.value} {refused.value.hint} {vars(refused.value)}"
                assert "somebody-else" not in told
                assert "storyreel doctor" in refused.value.hint
    assert "somebody-else" not in caplog.text


@pytest.mark.parametrize("key", ["sk-one\nsk-two", "sk-ключ", "sk with space", "“sk-quoted”"])
async def test_a_key_that_cannot_be_one_is_refused_before_it_can_stand_in_any_message(house: House, key: str) -> None:
    with pytest.raises(Terminal) as refused:
        async with house.provider("http://127.0.0.1:9", key=key):
            pass
    assert house.adapter.key_variable in str(refused.value)
    assert "sk" not in str(refused.value).replace("DASHSCOPE", "")


async def test_a_key_with_a_line_break_at_its_end_works(house: House) -> None:
    emulator = house.emulated()
    with emulator.served() as base_url:
        async with house.provider(base_url, key=f"{KEY}\n") as provider:
            await provider.submit(request(house))
    assert len(emulator.accepted) == 1


async def test_without_a_key_nothing_is_opened(house: House) -> None:
    assert house.adapter.lacks({}) == house.adapter.lacks({house.adapter.key_variable: " "})
    with pytest.raises(Terminal, match="needs a key") as refused:
        async with house.adapter({}):
            pass
    assert house.adapter.key_variable in refused.value.hint


@pytest.mark.parametrize("base", ["api.example.com", "ftp://example.com", "http://", "https://[::1"])
async def test_a_base_url_that_is_none_is_refused(house: House, base: str) -> None:
    with pytest.raises(Terminal, match=house.adapter.base_variable):
        async with house.provider(base):
            pass


@pytest.mark.parametrize("call", [Call.CREATE, Call.LOOK])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed_with_the_key(house: House, call: Call, status: int) -> None:
    async with opened(house) as (provider, emulator):
        accepted = await provider.submit(request(house))
        other = house.emulated()
        with other.served() as elsewhere:
            emulator.fault(call, Redirect(elsewhere, status))
            with pytest.raises(Terminal, match=r"sends us on to 127\.0\.0\.1") as refused:
                await (provider.submit(request(house)) if call is Call.CREATE else provider.look(accepted.task))
    assert not isinstance(refused.value, Verdict)
    assert other.requests == []
    assert len(emulator.accepted) == 1


# A look that goes wrong: nothing but a verdict says that a paid task is lost


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
            await provider.look(accepted.task)
        assert (await provider.look(accepted.task)).state == "finished"


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404])
async def test_a_look_that_is_refused_is_no_verdict_on_the_task(house: House, status: int) -> None:
    async with opened(house) as (provider, emulator):
        accepted = await provider.submit(request(house))
        emulator.fault(Call.LOOK, Answer(status))
        with pytest.raises(Terminal) as refused:
            await provider.look(accepted.task)
        assert not isinstance(refused.value, TaskFailed)
        assert isinstance(refused.value, TaskForgotten) == (status == 404)
        assert (await provider.look(accepted.task)).state == "finished"


async def test_a_task_that_is_forgotten_is_not_a_task_that_failed(house: House) -> None:
    async with opened(house, settings={"remembered": DAY}) as (provider, emulator):
        accepted = await provider.submit(request(house))
        emulator.clock.forward(seconds=DAY + 60)
        with pytest.raises(TaskForgotten, match="does not know"):
            await provider.look(accepted.task)


async def test_a_task_that_failed_is_a_verdict_with_the_services_reason(house: House) -> None:
    script = Script(0, 0, end=Phase.FAILED, failure=Failure("InvalidParameter", "The size is not match"))
    async with opened(house, settings={"script": script}) as (provider, _):
        with pytest.raises(TaskFailed) as failed:
            await provider.look((await provider.submit(request(house))).task)
    assert "could not make it" in failed.value.message
    assert ("The size is not match" in failed.value.message) == (house.name != "freepik")
    assert failed.value.is_content is False


async def test_a_task_that_moderation_stopped_says_so_by_its_code(house: House) -> None:
    if house.name == "freepik":
        pytest.skip("gives no reason")
    script = Script(0, 0, end=Phase.FAILED, failure=Failure("DataInspectionFailed", "Output data may be bad."))
    async with opened(house, settings={"script": script}) as (provider, _):
        with pytest.raises(TaskFailed, match=r"DataInspectionFailed: Output data may be bad") as failed:
            await provider.look((await provider.submit(request(house))).task)
    assert (failed.value.code, failed.value.is_content) == ("DataInspectionFailed", True)
    assert "moderation" in failed.value.hint


async def test_a_code_decides_about_moderation_and_not_the_text(house: House) -> None:
    if house.name == "freepik":
        pytest.skip("gives no code")
    script = Script(0, 0, end=Phase.FAILED, failure=Failure("InvalidParameter", "content policy file is missing"))
    async with opened(house, settings={"script": script}) as (provider, _):
        with pytest.raises(TaskFailed) as failed:
            await provider.look((await provider.submit(request(house))).task)
    assert failed.value.is_content is False


async def test_a_word_that_nobody_knows_is_pending(house: House) -> None:
    script = Script(waiting=1, running=0, words=("pondering",))
    async with opened(house, settings={"script": script}) as (provider, _):
        accepted = await provider.submit(request(house))
        first, second = await provider.look(accepted.task), await provider.look(accepted.task)
    assert (first.state, first.detail.lower(), first.is_known) == ("pending", "pondering", False)
    assert second.state == "finished"


@pytest.mark.parametrize("body", ["{}", '{"output": 7}', '{"data": {}}', '{"status": null}', "[]", '"done"', "[[]]"])
async def test_a_look_without_a_status_tells_nothing(house: House, body: str) -> None:
    async with opened(house) as (provider, _):
        accepted = await provider.submit(request(house))

        async def answer(_: object) -> Any:
            return said(json.loads(body))

        listening = bound()
        with serving((app(answer, lambda: 0.0), listening), beside=forever):
            async with house.provider(f"http://127.0.0.1:{listening.getsockname()[1]}") as elsewhere:
                with pytest.raises(Transient):
                    await elsewhere.look(accepted.task)


async def test_a_finished_task_without_a_link_is_looked_at_again(house: House) -> None:
    done = {"aimlapi": "completed", "apiyi": "completed", "dashscope": "SUCCEEDED", "freepik": "COMPLETED"}[house.name]
    script = Script(waiting=1, running=0, words=(done,))
    async with opened(house, settings={"script": script}) as (provider, _):
        accepted = await provider.submit(request(house))
        with pytest.raises(Transient, match="no link"):
            await provider.look(accepted.task)
        assert (await provider.look(accepted.task)).result


async def test_a_body_that_lies_about_being_packed_is_read(house: House) -> None:
    async with opened(house) as (provider, emulator):
        emulator.fault(Call.CREATE, Labelled())
        emulator.fault(Call.LOOK, Labelled())
        assert (await provider.look((await provider.submit(request(house))).task)).state == "finished"
    assert len(emulator.accepted) == 1


@pytest.mark.parametrize("task", ["../../secret", "a b", "x?y=1", "наш", "a/b:c", "%2e%2e"])
async def test_whatever_an_id_holds_it_stays_in_its_place(house: House, task: str) -> None:
    task = f"text-to-video/{task}" if house.name == "freepik" else task
    async with opened(house) as (provider, emulator):
        with pytest.raises(TaskForgotten):
            await provider.look(task)
        with pytest.raises(TaskForgotten):
            await provider.look("text-to-video/plain" if house.name == "freepik" else "plain")
    heard, plain = emulator.requests
    assert heard.path.startswith(plain.path.removesuffix("plain"))
    assert heard.target.count("/") == plain.target.count("/") and heard.target.count("?") == plain.target.count("?")
    if house.name == "aimlapi":
        assert heard.asked("generation_id") == task


# The clip


async def test_a_link_that_has_expired_is_had_anew_from_the_task(house: House, tmp_path: Path) -> None:
    async with opened(house, settings={"link_seconds": 60, "renews_links": True}) as (provider, emulator):
        accepted = await provider.submit(request(house))
        standing = await provider.look(accepted.task)
        emulator.clock.forward(seconds=120)
        with pytest.raises(Transient, match="expired") as expired:
            await provider.fetch(request(house), standing, tmp_path / "take.mp4", nothing)
        assert type(expired.value).__name__ == "LinkExpired"
        again = await provider.look(accepted.task)
        await provider.fetch(request(house), again, tmp_path / "take.mp4", nothing)
    verify(tmp_path / "take.mp4", request(house))


@pytest.mark.parametrize("trouble", [Shortened(), Corrupt()], ids=lambda trouble: type(trouble).__name__)
async def test_a_damaged_clip_is_found_out(house: House, trouble: Any, tmp_path: Path) -> None:
    async with opened(house) as (provider, emulator):
        standing = await provider.look((await provider.submit(request(house))).task)
        emulator.fault(Call.FETCH, trouble)
        await provider.fetch(request(house), standing, tmp_path / "take.mp4", nothing)
    with pytest.raises(MediaError):
        verify(tmp_path / "take.mp4", request(house))


async def test_ten_gigabytes_are_refused_at_once(house: House, tmp_path: Path) -> None:
    async with opened(house) as (provider, emulator):
        standing = await provider.look((await provider.submit(request(house))).task)
        emulator.fault(Call.FETCH, Claims())
        with pytest.raises(Terminal, match=r"10\.0 GB") as refused:
            await provider.fetch(request(house), standing, tmp_path / "take.mp4", nothing)
    assert not isinstance(refused.value, Verdict)
    assert len(emulator.fetches) == 1


async def test_a_link_into_the_machine_is_not_followed_for_a_service_elsewhere(house: House, tmp_path: Path) -> None:
    provider = house.adapter({house.adapter.key_variable: KEY})
    for link in ("http://127.0.0.1:9/clip.mp4", "http://169.254.169.254/latest/meta-data", "file:///etc/passwd"):
        with pytest.raises(Terminal, match="is not fetched"):
            await provider.fetch(request(house), finished(link), tmp_path / "take.mp4", nothing)
    assert not (tmp_path / "take.mp4").exists()


# Errors, as they travel


def test_errors_keep_what_they_say_when_they_go_through_a_pickle() -> None:
    error = TaskFailed("freepik could not make it", service="freepik", hint="look at the words")
    error.code, error.is_content = "DataInspectionFailed", True
    back = pickle.loads(pickle.dumps(error))
    assert vars(back) == vars(error) and str(back) == str(error)
    assert isinstance(back, ProviderError)
