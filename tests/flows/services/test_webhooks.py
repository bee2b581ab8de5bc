"""Callbacks, as Freepik's emulator signs and sends them to the real command: true ones wake, no other does."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from storyreel.flows.planning.history import History
from storyreel.flows.planning.plan import make_plan
from storyreel.flows.services import webhooks
from storyreel.specs.reading import read
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Ledger, Order
from storyreel.tasks.procurement.collect import Take, collect
from storyreel.tasks.procurement.patience import Patience
from storyreel.tasks.providers import load
from storyreel.tasks.providers.provider import TaskStatus
from storyreel.tasks.providers.webhooks import CallbackReader
from storyreel.tasks.studio import open_studio
from storyreel.testing.faults import Answer, Call
from tests.flows.conftest import Command
from tests.services.freepik import Freepik, FreepikSettings
from tests.services.jobs import Phase, Script
from tests.services.webhooks import Delivery, Post, signature

RAIN = "storyboard: 1\ntitle: Rain\nshots:\n"
# Long enough for the order to be in the ledger before the service calls, on a busy machine too.
SOON = Script(waiting=0, running=0, seconds=1)
NEVER = Script(waiting=0, running=0, end=None)
MODE = "text-to-video"


@dataclass
class Place:
    """A receiver that runs, the service that calls it, and the ledger between them."""

    emulator: Freepik
    url: str
    home: Path
    ledger: Ledger
    process: subprocess.Popen[str]
    is_base64: bool

    def order(self, *posts: Post, script: Script = SOON) -> str:
        """A take at the service that is noted in the ledger; its callbacks are sent like this. Gives the task's id."""
        self.emulator.webhooks.posts.clear()
        self.emulator.webhooks.posts.extend(posts)
        self.emulator.use_script(script)
        reply = httpx.post(
            f"{self.emulator.base_url}/v1/ai/{MODE}/wan-2-7",
            json={"prompt": "Rain.", "webhook_url": self.url},
            headers={"x-freepik-api-key": self.emulator.settings.key},
        )
        task: str = reply.json()["data"]["task_id"]
        key = uuid4().hex * 2
        order = Order(key=key, provider="freepik", model="wan-2-7", request="{}", film="Rain", slate="1A", take=1)
        assert self.ledger.intend(order)
        self.ledger.mark_submitted(key, f"{MODE}/{task}", None)
        return task

    def delivered(self, task: str, status: str, times: int = 1) -> list[Delivery]:
        """The deliveries of callbacks with this status of a task, once so many were sent."""

        def sent() -> list[Delivery]:
            known = list(self.emulator.webhooks.delivered)
            return [one for one in known if (one.body["task_id"], one.body["status"]) == (task, status)]

        until(lambda: len(sent()) >= times)
        return sent()

    def is_woken(self, task: str) -> bool:
        """Whether a run that waits for the task would look now; asking takes the wake."""
        return self.ledger.take_wakeup("freepik", f"{MODE}/{task}")

    def polls(self, task: str) -> int:
        """The number of times that the service was asked about a task."""
        return sum(received.method == "GET" and received.path.endswith(task) for received in self.emulator.requests)

    def call(self, body: bytes, id: str = "") -> httpx.Response:
        """A callback that is signed as it should be, whatever it says."""
        id, now, secret = id or uuid4().hex, str(int(time.time())), self.emulator.doubts.webhook_secret
        signed = signature(secret, id, now, body, secret_is_base64=self.is_base64)
        headers = {"webhook-id": id, "webhook-timestamp": now, "webhook-signature": signed}
        return httpx.post(self.url, content=body, headers=headers)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A receiver and a service that signs with the secret as it is."""
    with receiving(tmp_path_factory.mktemp("home"), is_base64=False) as found:
        yield found


@contextmanager
def receiving(home: Path, *, is_base64: bool) -> Iterator[Place]:
    """`storyreel webhooks` as a process of its own, beside an emulator that signs in one of the two ways."""
    emulator = Freepik(FreepikSettings(webhook_secret_is_base64=is_base64))
    with emulator.served() as base_url:
        environment = {
            **{name: os.environ[name] for name in ("PYTHONPATH", "PATH", "LANG") if name in os.environ},
            "HOME": str(home),
            "STORYREEL_HOME": str(home),
            "FREEPIK_BASE_URL": base_url,
            "FREEPIK_API_KEY": emulator.settings.key,
            "FREEPIK_WEBHOOK_SECRET": emulator.doubts.webhook_secret,
        }
        command: list[str | Path] = [Path(sys.executable).with_name("storyreel"), "webhooks", "--port", "0"]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        assert process.stderr
        found = re.search(r"http://\S+/freepik", process.stderr.readline())
        assert found
        ledger = Ledger(f"sqlite:///{home / 'ledger.sqlite'}")
        try:
            yield Place(emulator, found[0], home, ledger, process, is_base64)
        finally:
            ledger.close()
            process.send_signal(signal.SIGTERM)
            said = process.stderr.read()
            code = process.wait(20)
    assert code == 0, said
    assert said.endswith("ended\n")
    assert "Traceback" not in said
    for never in (emulator.settings.key, emulator.doubts.webhook_secret):
        assert never not in said


def test_a_finished_task_wakes_its_take_once(place: Place) -> None:
    task = place.order()
    (delivery,) = place.delivered(task, "COMPLETED")
    assert delivery.status == 200
    assert place.is_woken(task)
    assert not place.is_woken(task)


def test_a_service_that_signs_with_the_secret_decoded_is_believed_too(tmp_path: Path) -> None:
    with receiving(tmp_path, is_base64=True) as place:
        task = place.order(Post(), Post())
        assert place.delivered(task, "COMPLETED")[0].status == 200
        assert place.is_woken(task)
        task = place.order(Post(forged=True), Post(forged=True))
        assert place.delivered(task, "COMPLETED")[0].status == 401
        assert not place.is_woken(task)


def test_a_task_that_failed_wakes_its_take_too(place: Place) -> None:
    task = place.order(script=Script(waiting=0, running=0, seconds=0.25, end=Phase.FAILED))
    assert place.delivered(task, "FAILED")[0].status == 200
    assert place.is_woken(task)


def test_a_task_that_goes_on_wakes_nobody(place: Place) -> None:
    task = place.order(script=NEVER)
    assert place.delivered(task, "IN_PROGRESS")[0].status == 200
    assert not place.is_woken(task)


def test_a_callback_is_believed_only_as_far_as_the_service_confirms_it(place: Place) -> None:
    task = place.order(script=NEVER)
    answer = place.call(json.dumps({"task_id": task, "status": "COMPLETED", "generated": ["http://x/"]}).encode())
    assert (answer.status_code, answer.json()) == (200, {"woken": False})
    assert place.polls(task) >= 1
    assert not place.is_woken(task)


def test_repeated_callbacks_are_dealt_with_once(place: Place) -> None:
    task = place.order(Post(), Post(copies=4))
    assert [one.status for one in place.delivered(task, "COMPLETED", 4)] == [200] * 4
    assert place.polls(task) <= 2, "one look for each message, however often it comes"
    assert place.is_woken(task)
    assert not place.is_woken(task)


def test_callbacks_in_the_wrong_order_wake_all_the_same(place: Place) -> None:
    task = place.order(Post(overtaken=True))
    assert place.delivered(task, "IN_PROGRESS")[0].status == 200
    assert place.is_woken(task)


@pytest.mark.parametrize("age", [-280, 0, 280])
def test_clocks_may_differ_by_some_minutes(place: Place, age: int) -> None:
    task = place.order(*[Post(age=age)] * 2)
    assert place.delivered(task, "COMPLETED")[0].status == 200
    assert place.is_woken(task)


@pytest.mark.parametrize("post", [Post(forged=True), Post(age=320), Post(age=-320), Post(age=86400)])
def test_a_callback_that_is_forged_or_stale_is_turned_away(place: Place, post: Post) -> None:
    task = place.order(post, post)
    assert place.delivered(task, "COMPLETED")[0].status == 401
    assert place.polls(task) == 0
    assert not place.is_woken(task)


def test_after_a_change_of_secrets_one_signature_of_several_is_enough(place: Place) -> None:
    post = Post(more_signatures=("v1,b2xk", "v2,Zm9v", "nonsense"))
    task = place.order(post, post)
    assert place.delivered(task, "COMPLETED")[0].status == 200
    assert place.is_woken(task)


@pytest.mark.parametrize(
    "missing", [(), ("webhook-id",), ("webhook-timestamp",), ("webhook-signature",)], ids=lambda names: "+".join(names)
)
def test_an_unsigned_call_is_turned_away(place: Place, missing: tuple[str, ...]) -> None:
    task = place.order(script=NEVER)
    headers = {"webhook-id": "a", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,b2xk"}
    body = json.dumps({"task_id": task, "status": "COMPLETED"}).encode()
    answer = httpx.post(place.url, content=body, headers={n: v for n, v in headers.items() if n not in missing})
    assert answer.status_code == 401
    assert place.emulator.doubts.webhook_secret not in answer.text
    assert not place.is_woken(task)


@pytest.mark.parametrize("stamp", ["soon", "-1", "1e9", "9" * 400, "१२३४५६७८९०"])
def test_a_time_that_is_none_is_turned_away(place: Place, stamp: str) -> None:
    body, secret = b'{"task_id": "x"}', place.emulator.doubts.webhook_secret
    signed = signature(secret, "a", stamp, body, secret_is_base64=place.is_base64)
    headers = {"webhook-id": "a", "webhook-timestamp": stamp, "webhook-signature": signed}
    answer = httpx.post(place.url, content=body, headers=[(n.encode(), v.encode()) for n, v in headers.items()])
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "body",
    [b"", b"no json", b"[]", b"{}", b'{"task_id": 7}', b'{"task_id": "../x"}', b'{"task_id": ""}', b"[" * 60_000],
)
def test_a_signed_call_that_is_no_callback_is_rejected(place: Place, body: bytes) -> None:
    answer = place.call(body)
    assert answer.status_code == 400
    assert "error" in answer.json()


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_larger_than_any_callback_is_not_read(place: Place, declared: bool) -> None:
    pieces = [b"x" * 50_000] * 20
    answer = httpx.post(place.url, content=b"".join(pieces) if declared else iter(pieces))
    assert answer.status_code == 413


def test_a_task_that_nobody_waits_for_is_let_be(place: Place) -> None:
    answer = place.call(b'{"task_id": "somebody-elses", "status": "COMPLETED"}')
    assert (answer.status_code, answer.json()) == (200, {"woken": False})


def test_what_cannot_be_confirmed_now_may_be_sent_again(place: Place) -> None:
    task = place.order(script=Script(waiting=0, running=0))
    place.delivered(task, "COMPLETED")
    place.is_woken(task)
    body = json.dumps({"task_id": task, "status": "COMPLETED"}).encode()
    place.emulator.fault(Call.POLL, Answer(503))
    assert place.call(body, "again").status_code == 503
    assert not place.is_woken(task)
    assert place.call(body, "again").json() == {"woken": True}
    assert place.is_woken(task)


def test_only_posts_to_its_address_are_callbacks(place: Place) -> None:
    assert httpx.get(place.url).status_code == 405
    assert httpx.post(place.url + "/more").status_code == 404
    assert httpx.get(place.url.replace("/freepik", "/health")).json() == {"receives": "freepik"}


def test_a_caller_who_hangs_up_is_no_trouble(place: Place) -> None:
    host, port = place.url.removeprefix("http://").removesuffix("/freepik").split(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(b"POST /freepik HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nhalf")
    test_only_posts_to_its_address_are_callbacks(place)


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST /freepik HTTP/1.1\r\nHost: x\r\n", b"POST /freepik HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"],
    ids=["nothing", "half a head", "half a body"],
)
def test_callers_who_send_no_whole_request_shut_nobody_out(place: Place, sent: bytes) -> None:
    host, port = place.url.removeprefix("http://").removesuffix("/freepik").split(":")
    with ExitStack() as held:
        for _ in range(150):
            held.enter_context(socket.create_connection((host, int(port)))).sendall(sent)
        assert place.call(b'{"task_id": "somebody-elses", "status": "COMPLETED"}').status_code == 200


async def test_a_confirmation_that_takes_too_long_may_be_sent_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "_CONFIRM_SECONDS", 0.05)
    service = load("freepik")()

    async def never(_: str) -> TaskStatus:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(service, "poll", never)
    with closing(Ledger(f"sqlite:///{home / 'ledger.sqlite'}")) as ledger:
        order = Order(key="a" * 64, provider="freepik", model="m", request="{}", film="Rain", slate="1A", take=1)
        assert ledger.intend(order)
        ledger.mark_submitted(order.key, f"{MODE}/t1", None)
        app = webhooks.application(CallbackReader("secret"), service, ledger, lambda _: None)
        body, now = b'{"task_id": "t1", "status": "COMPLETED"}', str(int(time.time()))
        signed = signature("secret", "a", now, body, secret_is_base64=False)
        headers = {"webhook-id": "a", "webhook-timestamp": now, "webhook-signature": signed}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as caller:
            assert (await caller.post("/freepik", content=body, headers=headers)).status_code == 503


async def test_a_slow_caller_is_rejected(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def drips() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    monkeypatch.setattr(webhooks, "_BODY_SECONDS", 0.05)
    told: list[str] = []
    with closing(Ledger(f"sqlite:///{home / 'ledger.sqlite'}")) as ledger:
        app = webhooks.application(CallbackReader("secret"), load("freepik")(), ledger, told.append)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as caller:
            answer = await caller.post("/freepik", content=drips())
    assert answer.status_code == 408
    assert len(told) == 1


async def test_a_run_that_waits_looks_as_soon_as_it_is_called(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "STORYREEL_HOME": str(place.home),
        "STORYREEL_WEBHOOK_URL": place.url,
        "STORYREEL_POLL_SECONDS": "60",
        "FREEPIK_BASE_URL": place.emulator.base_url,
        "FREEPIK_API_KEY": place.emulator.settings.key,
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "film.yaml").write_text(f"{RAIN}  - {{shot: 1A, action: Rain {uuid4()}., duration: 12f}}\n")
    plan = make_plan(read(tmp_path / "film.yaml"), History(purchases=lambda _: {}, holds=lambda _: False), "freepik")
    request, place.emulator.webhooks.posts = plan.takes[0].request, deque()
    place.emulator.use_script(Script(waiting=0, running=0, seconds=1.5))
    order = Order(
        key=request.key, provider="freepik", model=request.model, request="{}", film="Rain", slate="1A", take=1
    )
    async with open_studio(Home.of(), ["freepik"]) as studio, asyncio.timeout(30):
        service = studio.provider("freepik")
        assert studio.ledger.intend(order)
        task = (await service.submit(request)).task
        studio.ledger.mark_submitted(order.key, task, None)
        clip = await collect(
            Take(order=order, request=request), task, service, studio, Patience(60, "1A", 1), getLogger("take")
        )
    assert clip.path.stat().st_size > 0


def test_without_a_secret_it_does_not_begin(storyreel: Command) -> None:
    done = storyreel("webhooks", FREEPIK_API_KEY="sk-emulator")
    assert done.returncode == 1
    assert "FREEPIK_WEBHOOK_SECRET" in done.stderr and "sk-emulator" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_in_use_is_named(storyreel: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = storyreel("webhooks", "--port", port, FREEPIK_API_KEY="k", FREEPIK_WEBHOOK_SECRET="s")
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr and "in use" in done.stderr
    assert "Traceback" not in done.stderr
