"""The HTTP client, the reading of responses and of refusals."""

from __future__ import annotations

import gzip
import json
import logging
import math
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import format_datetime
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.tasks.providers.aimlapi import ANSWERS
from storyreel.tasks.providers.errors import (
    Ambiguous,
    NotFound,
    ProviderError,
    Refused,
    TaskFailed,
    Terminal,
    Transient,
)
from storyreel.tasks.providers.http.client import Client, order_headers
from storyreel.tasks.providers.http.response import Response, text_at, value_at
from storyreel.tasks.providers.refusals import refusal, split_code
from storyreel.testing.wire import HttpRequest, Reply, app, listening_socket, serving


@asynccontextmanager
async def answering(*replies: Reply) -> AsyncIterator[tuple[Client, list[HttpRequest]]]:
    """A client of a server that sends these replies in turn, and then the last one again and again."""
    received_all: list[HttpRequest] = []
    left = list(replies)

    async def answer(received: HttpRequest) -> Reply:
        received_all.append(received)
        return left.pop(0) if len(left) > 1 else left[0]

    async def forever() -> None:
        """Nothing runs beside the server."""

    listening = listening_socket()
    with serving((app(answer, lambda: 0.0), listening), background=forever):
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        client = Client(
            "service", base, {"X-Key": "sk-top"}, partial(ANSWERS.error_in, "service"), secret="sk-top", timeout=5
        )
        yield client, received_all
        await client.close()


def as_json(value: object, status: int = 200, *headers: tuple[str, str]) -> Reply:
    return Reply(status, json.dumps(value).encode(), headers)


async def test_a_response_that_is_too_large_is_not_read_whole() -> None:
    async with answering(Reply(200, b" " * (9 << 20))) as (client, received):
        with pytest.raises(Ambiguous, match="more than"):
            await client.post_once("/order", {})
        with pytest.raises(Transient, match="more than"):
            await client.get("/look")
    assert len(received) == 2


async def test_a_compressed_body_is_read_whatever_its_label() -> None:
    packed = gzip.compress(b'{"id": "t"}')
    async with answering(Reply(200, packed), Reply(200, packed, (("content-encoding", "br"),))) as (client, received):
        assert await client.post_once("/order", {}) == await client.get("/look") == {"id": "t"}
    assert {one.headers["accept-encoding"] for one in received} == {"identity"}


async def test_a_zip_bomb_is_not_decompressed_whole() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    assert len(bomb) < 1 << 20
    assert len(Response(200, {}, bomb).content) <= 8 << 20


async def test_a_truncated_compressed_body_is_no_usable_response() -> None:
    packed = gzip.compress(json.dumps({"id": "t" * 999}).encode())
    async with answering(Reply(200, packed[:-30])) as (client, _):
        with pytest.raises(Ambiguous):
            await client.post_once("/order", {})


@pytest.mark.parametrize("body", [b"", b"null", b"[" * 100_000, b"\xff\xfe", b"NaN"])
async def test_a_body_that_is_not_a_json_object_is_no_usable_response(body: bytes) -> None:
    async with answering(Reply(200, body)) as (client, _):
        with pytest.raises(Ambiguous):
            await client.post_once("/order", {})
        with pytest.raises(Transient):
            await client.get("/look")


async def test_the_key_is_in_the_headers_and_in_no_message_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = {"message": "the key sk-top is bad"}
    async with answering(*(as_json(echo, status) for status in (400, 401, 403, 500, 429, 418))) as (client, received):
        errors = []
        for _ in range(6):
            with pytest.raises((Terminal, Transient, Ambiguous)) as error:
                await client.post_once("/order", {})
            errors.append(error.value)
    assert all(one.headers["x-key"] == "sk-top" for one in received)
    assert all("the key … is bad" in str(error) for error in errors)
    assert "sk-top" not in "".join(f"{error!r}{error.args}{vars(error)}" for error in errors) + caplog.text


@pytest.mark.parametrize("status", [404, 410])
async def test_not_found_is_told_from_a_refusal(status: int) -> None:
    async with answering(as_json({"message": "gone"}, status)) as (client, _):
        with pytest.raises(NotFound):
            await client.get("/look")
        with pytest.raises(Refused):
            await client.post_once("/order", {})


async def test_an_undocumented_status_leaves_an_order_ambiguous() -> None:
    for status in (204, 408, 418, 425, 499, 599):
        async with answering(Reply(status)) as (client, _):
            with pytest.raises(Ambiguous, match=str(status)):
                await client.post_once("/order", {})


async def test_an_invalid_redirect_is_refused_too() -> None:
    async with answering(Reply(302, headers=(("location", "http://[::1"),))) as (client, received):
        with pytest.raises((Terminal, Transient)):
            await client.get("/look")
    assert len(received) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"message": "no"}, "no"),
        ({"error": {"message": "no"}}, "no"),
        ({"error": "no"}, "no"),
        ({"problem": {"message": "no", "invalid_params": [{"name": "seed", "reason": "too big"}]}},
         "no; seed: too big"),
        ({"message": "no", "details": [{"path": ["a", 0], "message": "bad"}, {"path": ["b"], "message": "worse"}]},
         "no; a.0: bad; b: worse"),
        ({"message": "no", "details": {"a": "bad"}}, "no; a: bad"),
        ({"detail": [{"loc": ["body", "image_url"], "msg": "no face"}]}, "body.image_url: no face"),
        ({"message": {"deep": 1}}, '{"message": {"deep": 1}}'),
        ({}, "{}"),
    ],
)  # fmt: skip
def test_the_message_is_found_in_every_shape(body: object, said: str) -> None:
    assert Response(400, {}, json.dumps(body).encode()).message() == said


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<!DOCTYPE html><html><head><title>Just a\nmoment&hellip;</title></head><body><p>x</p></body></html>",
         "a web page, “Just a moment…”"),
        (b"<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body><center><h1>403 Forbidden</h1></center>",
         "a web page, “403 Forbidden”"),
        (b"<html><body><h1>Bad <b>Gateway</b></h1>" + b"<h1" * 100_000, "a web page, “Bad Gateway”"),
        (b"<html><body>upstream error</body></html>", "a web page"),
        (json.dumps({"message": "<html><title>502 Bad Gateway</title></html>"}).encode(),
         "a web page, “502 Bad Gateway”"),
        (b'{"message": "duration must be <= 10 and > 2"}', "duration must be <= 10 and > 2"),
        (b"error code: 1020", "error code: 1020"),
    ],
)  # fmt: skip
def test_a_page_is_named_by_its_title(body: bytes, said: str) -> None:
    assert Response(403, {}, body).message() == said


def test_a_long_message_is_shortened() -> None:
    assert len(Response(400, {}, json.dumps({"message": "no " * 9999}).encode()).message()) < 700
    assert Response(400, {}, b"").message() == "no reason given"


def test_a_path_that_does_not_exist_in_json_gives_none() -> None:
    body = {"data": {"list": ["a", 7]}}
    assert value_at(body, "data", "list", 1) == 7
    assert text_at(body, "data", "list", 0) == "a"
    for path in (
        ("data", "list", 2),
        ("data", "x"),
        ("list",),
        ("data", "list", "x"),
        ("data", 0),
        ("data", "list", 1),
    ):
        assert text_at(body, *path) == ""
    assert value_at(None, "x") is None and value_at("text", 0) is None


@pytest.mark.parametrize(
    ("code", "reason", "content"),
    [
        ("DataInspectionFailed", "Input data may contain inappropriate content.", True),
        ("IPInfringementSuspect", "", True),
        ("CustomRoleBlocked", "", True),
        ("", "[DataInspectionFailed] Output data may contain inappropriate content.", True),
        ("", "content policy", True),
        ("InvalidParameter.DataInspection", "Unable to download", False),
        ("InvalidParameter", "the field content policy is missing", False),
        ("", "[InvalidParameter] content policy", False),
        ("", "a mistake", False),
    ],
)
def test_moderation_is_recognised_by_code_and_by_words_only_without_one(code: str, reason: str, content: bool) -> None:
    error = refusal(Refused, "refused it", service="apiyi", code=code, reason=reason)
    assert error.is_content is content
    assert ("moderation" in error.hint) is content
    assert error.code == split_code(code, reason)[0]


_ODD_WAITS = st.sampled_from(
    [
        "1e400",
        "nan",
        "-nan",
        "inf",
        "-1",
        "1" * 500,
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Sat, 1 Jan 0001 00:00:00 +2359",
    ]
)


@given(
    st.one_of(_ODD_WAITS, st.text(), st.floats().map(str), st.integers().map(str), st.datetimes().map(format_datetime))
)
def test_any_retry_after_is_a_finite_time_or_none(written: str) -> None:
    seconds = Response(429, {"retry-after": written}, b"").retry_after
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))


def test_a_retry_after_may_be_a_date() -> None:
    later = Response(429, {"retry-after": "Wed, 21 Oct 2099 07:28:00 GMT"}, b"").retry_after
    past = Response(429, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, b"").retry_after
    assert later is not None and later > 10**9
    assert past == 0


def test_errors_survive_pickling() -> None:
    error = TaskFailed("freepik could not make it", service="freepik", hint="look at the words")
    error.code, error.is_content = "DataInspectionFailed", True
    back = pickle.loads(pickle.dumps(error))
    assert vars(back) == vars(error) and str(back) == str(error)
    assert isinstance(back, ProviderError)


async def test_order_headers_are_those_that_are_sent() -> None:
    async with answering(as_json({"id": "t"})) as (client, received):
        await client.post_once("/orders", {"seed": 7}, {"X-Async": "enable"})
        headers = order_headers(f"{client.base}/orders", {"X-Key": "sk-top"}, {"X-Async": "enable"})
    sent = dict(received[0].headers)
    assert sent.pop("content-length") == "10"
    assert {name.lower(): value for name, value in headers.items()} == sent
    assert "X-Key" in headers and headers["Content-Type"] == "application/json"
