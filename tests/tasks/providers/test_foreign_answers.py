"""Whatever text and numbers a service answers with: it can be stored and printed, and ids are asked for exactly."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.foreign_text import exact, printable
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.errors import Ambiguous, ProviderError, TaskFailed
from storyreel.tasks.providers.hosted import HostedProvider
from storyreel.tasks.providers.http.response import Response, amount_at, id_at, odd_amount, parsed, url_part, value_at
from tests.properties import one_in
from tests.services.wire import HttpRequest, Reply, app, listening_socket, serving
from tests.tasks.providers.hosted_services import KEY, Service, request

ANY = st.text(st.characters(exclude_categories=()) | st.sampled_from("\0\x1b\ud83d\u202e\\ux0\"'"), max_size=30)
ODD_IDS = (
    "cut \ud83d",
    "a\0b",
    "\x1b[31mred",
    "a'b; rm -rf ~",
    'quote"d',
    "$(id)",
    "a\u202eb",
    " padded ",
    r"\ud83d",
    "naïve/../x",
)
AMOUNTS = ("1e60", "-1", "NaN", "Infinity", "1" + "0" * 400, "1e999", '"free"', "true", "1000001")
WHERE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "aimlapi": ({"id": "!"}, {"id": "!", "status": "error", "error": {"name": "X", "message": "?"}}),
    "apiyi": (
        {"output": {"task_id": "!"}},
        {"task_id": "!", "status": "failed", "error": {"code": "X", "message": "?"}},
    ),
    "dashscope": (
        {"output": {"task_id": "!"}},
        {"output": {"task_id": "!", "task_status": "FAILED", "code": "X", "message": "?"}},
    ),
    "freepik": ({"data": {"task_id": "!"}}, {"data": {"task_id": "!", "status": "FAILED", "message": "?"}}),
}
"""By service, the answer to an order and the answer about a task that failed; `!` stands for its id, `?` for a text."""


@asynccontextmanager
async def replying(
    service: Service, answer: Callable[[HttpRequest], Awaitable[Reply]], key: str = KEY
) -> AsyncIterator[HostedProvider]:
    """An open adapter of a service that answers in this way."""
    listening = listening_socket()
    with serving((app(answer, lambda: 0.0), listening), background=asyncio.Event().wait):
        async with service.provider(f"http://127.0.0.1:{listening.getsockname()[1]}", key=key) as provider:
            yield provider


def filled(answer: dict[str, Any], text: str, id: str) -> bytes:
    return json.dumps(answer).replace('"?"', json.dumps(text)).replace('"!"', json.dumps(id)).encode()


@given(st.recursive(ANY | st.integers() | st.none(), lambda of: st.lists(of) | st.dictionaries(ANY, of), max_leaves=8))
def test_every_text_of_a_body_can_be_stored_and_printed_and_none_is_lost(value: Any) -> None:
    def check(read: Any, sent: Any) -> None:
        if isinstance(sent, str):
            assert printable(read) == read
            assert exact(read) == sent
            read.encode()
        elif isinstance(sent, list):
            for pair in zip(read, sent, strict=True):
                check(*pair)
        elif isinstance(sent, dict):
            assert len(read) == len(sent)
            for name in sent:
                check(next(value for key, value in read.items() if exact(key) == name), sent[name])

    check(parsed(json.dumps(value).encode()), value)


@given(ANY.filter(str.strip))
def test_an_id_is_asked_for_exactly_as_it_was_given(id: str) -> None:
    read = id_at(parsed(json.dumps({"id": id}).encode()), "id")
    asked = unquote_to_bytes(url_part(read))
    assert asked in (id.encode(errors="surrogatepass"), _as_bytes(id))
    assert url_part(read).isascii() and "/" not in url_part(read)


def _as_bytes(id: str) -> bytes | None:
    try:
        return id.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return None


@given(st.binary(max_size=40))
@one_in(2)
def test_bytes_of_no_encoding_beside_an_id_do_not_lose_it(noise: bytes) -> None:
    noise = noise.replace(b'"', b"").replace(b"\\", b"")
    read = parsed(b'{"id": "task-7", "message": "' + noise + b'"}')
    assert value_at(read, "id") == "task-7"


def test_a_number_is_an_id_too_and_a_long_one_stays_exact() -> None:
    assert id_at(parsed(b'{"id": 7}'), "id") == "7"
    assert id_at(parsed(b'{"id": 12345678901234567890123}'), "id") == "12345678901234567890123"
    assert id_at(parsed(b'{"id": true}'), "id") == ""
    assert id_at(parsed(json.dumps({"id": "x" * 5000}).encode()), "id") == ""


@pytest.mark.parametrize("amount", AMOUNTS)
def test_an_amount_that_makes_no_sense_is_unknown_with_a_warning(amount: str) -> None:
    body = parsed(f'{{"usage": {{"usd": {amount}}}}}'.encode())
    assert amount_at(body, "usage", "usd") is None
    warning = odd_amount(body, "usage", "usd")
    assert "makes no sense" in warning and len(warning) < 200


@pytest.mark.parametrize("amount", ["0", "0.42", "1e-7", "1000000"])
def test_an_amount_that_makes_sense_is_exact(amount: str) -> None:
    body = parsed(f'{{"usd": {amount}}}'.encode())
    assert amount_at(body, "usd") == Decimal(amount)
    assert odd_amount(body, "usd") == odd_amount(body, "nothing") == ""


@pytest.mark.parametrize("id", ODD_IDS)
async def test_a_task_of_any_name_is_polled_by_exactly_that_name(service: Service, id: str) -> None:
    accepted, failed = WHERE[service.name]
    received: list[HttpRequest] = []

    async def answer(received_one: HttpRequest) -> Reply:
        received.append(received_one)
        return Reply(200, filled(accepted if received_one.method == "POST" else failed, id, id))

    async with replying(service, answer) as provider:
        submission = await provider.submit(request(service))
        assert printable(submission.task) == submission.task
        with pytest.raises(TaskFailed) as failure:
            await provider.poll(submission.task)
    assert printable(str(failure.value)) == str(failure.value)
    asked = unquote_to_bytes(received[-1].target.replace("+", " "))
    assert asked.endswith(id.encode(errors="surrogatepass"))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b'{"output": {"task_id": ', b"[]", b"{}", b"<html>oops</html>"])
async def test_the_answer_to_an_order_that_cannot_be_read_is_kept_as_it_came(service: Service, content: bytes) -> None:
    async def answer(_: HttpRequest) -> Reply:
        return Reply(200, content)

    async with replying(service, answer) as provider:
        with pytest.raises(Ambiguous) as unknown:
            await provider.submit(request(service))
    assert content in unknown.value.answer


async def test_a_key_that_a_service_repeats_is_in_no_error(service: Service) -> None:
    key = "sk-0123456789abcdef"
    _, failed = WHERE[service.name]

    async def answer(received: HttpRequest) -> Reply:
        text = f"the key {key} (in base64 {base64.b64encode(key.encode()).decode()}) may not do this"
        id = "7" if service.name == "freepik" else f"{Mode.TEXT.value}/7"
        return Reply(400 if received.method == "POST" else 200, filled(failed, text, id))

    async with replying(service, answer, key=key) as provider:
        for attempt in (provider.submit(request(service)), provider.poll(f"{Mode.TEXT.value}/7")):
            with pytest.raises(ProviderError) as error:
                await attempt
            told = f"{error.value}{error.value!r}{vars(error.value)}"
            assert key not in told and "may not do this" in told
            assert base64.b64encode(key.encode()).decode().rstrip("=") not in told


def test_a_message_is_cut_without_leaving_half_a_secret() -> None:
    body = json.dumps({"message": "x" * 590 + " https://a.example/?token=verysecretvalue"}).encode()
    assert "very" not in Response(400, {}, body).message()


async def test_what_a_service_says_is_one_short_line(service: Service) -> None:
    """Else it could write lines that pass for ours: that a film was made, or a command to run."""
    text = "no\n\u2028\x85 ✓ film: done\r\nnext: storyreel\tledger " + "x" * 5000
    _, failed = WHERE[service.name]

    async def answer(received: HttpRequest) -> Reply:
        id = "7" if service.name == "freepik" else f"{Mode.TEXT.value}/7"
        return Reply(400 if received.method == "POST" else 200, filled(failed, text, id))

    async with replying(service, answer) as provider:
        for attempt in (lambda: provider.submit(request(service)), lambda: provider.poll(f"{Mode.TEXT.value}/7")):
            with pytest.raises(ProviderError) as error:
                await attempt()
            told = error.value.message
            assert "film: done" in told and len(told) < 700
            assert len(told.splitlines()) == 1
