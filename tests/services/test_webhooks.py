"""Webhooks are signed, sent once for each change, and fail as planned."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from storyreel.testing.wire import HttpRequest, Reply, app, listening_socket, serving
from tests.services.freepik import Freepik, FreepikSettings
from tests.services.jobs import Script
from tests.services.webhooks import Post

PATH = "/v1/ai/text-to-video/wan-2-7"
SOON = Script(waiting=0, running=0, seconds=0.05)


class Mailbox:
    """A receiver of webhooks."""

    def __init__(self) -> None:
        self.request: list[HttpRequest] = []
        self.statuses: list[int] = []
        """The next status codes of its answers; then 200."""
        self.url = ""

    async def answer(self, request: HttpRequest) -> Reply:
        self.request.append(request)
        return Reply(self.statuses.pop(0) if self.statuses else 200)

    def wait_for(self, count: int) -> list[HttpRequest]:
        until(lambda: len(self.request) >= count)
        return self.request


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box, listening = Mailbox(), listening_socket()
    box.url = f"http://127.0.0.1:{listening.getsockname()[1]}/hook"
    with serving((app(box.answer, time.time), listening), background=asyncio.Event().wait):
        yield box


def ordered(emulator: Freepik, mailbox: Mailbox) -> str:
    reply = httpx.post(
        emulator.base_url + PATH,
        json={"prompt": "Rain.", "webhook_url": mailbox.url},
        headers={"x-freepik-api-key": emulator.settings.key},
    )
    id: str = reply.json()["data"]["task_id"]
    return id


def signed(request: HttpRequest, key: bytes) -> str:
    message = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    return "v1," + base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


def test_each_change_is_sent_once_without_the_wrapper(mailbox: Mailbox) -> None:
    emulator = Freepik(FreepikSettings(script=SOON))
    with emulator.served():
        id = ordered(emulator, mailbox)
        bodies = [request.json() for request in mailbox.wait_for(2)]
        assert [(body["task_id"], body["status"]) for body in bodies] == [(id, "IN_PROGRESS"), (id, "COMPLETED")]
        assert len(bodies[1]["generated"]) == 1
        until(lambda: len(emulator.webhooks.delivered) == 2)
    assert [one.status for one in emulator.webhooks.delivered] == [200, 200]


@pytest.mark.parametrize("is_base64", [False, True])
def test_the_signature_is_right_for_either_form_of_the_secret(mailbox: Mailbox, is_base64: bool) -> None:
    emulator = Freepik(FreepikSettings(script=SOON, webhook_secret_is_base64=is_base64))
    secret = emulator.doubts.webhook_secret
    with emulator.served():
        ordered(emulator, mailbox)
        request = mailbox.wait_for(1)[0]
    as_text, as_base64 = signed(request, secret.encode()), signed(request, base64.b64decode(secret))
    assert request.headers["webhook-signature"] == (as_base64 if is_base64 else as_text)


def test_a_webhook_can_be_repeated_old_forged_and_signed_twice(mailbox: Mailbox) -> None:
    emulator = Freepik(FreepikSettings(script=SOON))
    emulator.posts(Post(copies=2, age=3600, more_signatures=("v1,b2xk",)))
    emulator.posts(Post(forged=True))
    with emulator.served():
        ordered(emulator, mailbox)
        first, again, forged = mailbox.wait_for(3)
    key = emulator.doubts.webhook_secret.encode()
    assert first.headers["webhook-id"] == again.headers["webhook-id"] != forged.headers["webhook-id"]
    assert time.time() - int(first.headers["webhook-timestamp"]) > 3500
    assert first.headers["webhook-signature"] == f"v1,b2xk {signed(first, key)}"
    assert forged.headers["webhook-signature"] != signed(forged, key)


def test_a_webhook_can_be_overtaken(mailbox: Mailbox) -> None:
    emulator = Freepik(FreepikSettings(script=SOON))
    emulator.posts(Post(overtaken=True))
    with emulator.served():
        ordered(emulator, mailbox)
        assert [request.json()["status"] for request in mailbox.wait_for(2)] == ["COMPLETED", "IN_PROGRESS"]


def test_a_webhook_that_meets_an_error_may_be_sent_again(mailbox: Mailbox) -> None:
    mailbox.statuses = [500, 500]
    emulator = Freepik(FreepikSettings(script=SOON, webhook_tries=3))
    with emulator.served():
        ordered(emulator, mailbox)
        request = mailbox.wait_for(4)
    assert len({one.headers["webhook-id"] for one in request[:3]}) == 1
    assert request[3].headers["webhook-id"] != request[0].headers["webhook-id"]
