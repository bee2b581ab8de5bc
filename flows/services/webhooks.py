"""Receiving callbacks: a service says that a task has moved, and the take that waits for it is looked at at once.

A callback is believed only as far as the service confirms it when asked, and it only shortens a wait: a run that
hears nothing looks by itself.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus

import uvicorn
from rich.console import Console
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from storyreel.flows.errors import RunFailed
from storyreel.specs.problems.phrases import shown
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Ledger, LedgerError, Purchase, State
from storyreel.tasks.providers import load
from storyreel.tasks.providers.errors import ProviderError, TaskFailed
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.providers.webhooks import (
    MAX_BODY_BYTES,
    Callback,
    CallbackReader,
    InvalidCallback,
    InvalidSignature,
    SeenMessages,
)
from storyreel.tasks.settings import WEBHOOK_SECRET, Settings

SERVICE = "freepik"
"""The only one of the services that calls back."""


PATH = f"/{SERVICE}"
"""Where it calls."""

_PATIENCE = 10
"""Seconds that a caller may take to send a body of a few hundred bytes."""

_AT_ONCE = 4
"""Callbacks that are confirmed at the same time; the others wait for their turn."""

_CALLERS = 100
"""Connections at the same time; further ones are told to come back."""

Tell = Callable[[str], None]
"""Told in a line what has happened."""


class _Refusal(Exception):
    """A call that is not taken."""

    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why
        super().__init__(why)


class Receiver:
    """Takes callbacks, has each confirmed, and wakes the take that waits."""

    def __init__(
        self,
        reader: CallbackReader,
        service: Provider,
        ledger: Ledger,
        tell: Tell,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._reader, self._service, self._ledger, self._tell, self._now = reader, service, ledger, tell, now
        self._seen = SeenMessages()
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def hear(self, request: Request) -> Response:
        """Answer one call: 200 when it was dealt with, 401 forged or stale, 400 no callback, 408 too slow,
        413 too large, 503 when it cannot be confirmed now and should be sent again."""
        try:
            body = await _body(request)
            callback = self._reader.read(request.headers, body, self._now())
            woken = callback.id not in self._seen and await self._dealt_with(callback)
            self._seen.add(callback.id, self._now())
            return JSONResponse({"woken": woken})
        except InvalidSignature as error:
            return self._refused(401, error.message)
        except InvalidCallback as error:
            return self._refused(400, error.message)
        except _Refusal as error:
            return self._refused(error.status, error.why)

    async def _dealt_with(self, callback: Callback) -> bool:
        """Whether somebody was woken. Raises _Refusal when that could not be found out."""
        try:
            async with self._turns:
                purchase = await asyncio.to_thread(self._awaited, callback.task)
                if purchase is None:
                    self._tell(f"{callback.task} is nothing that is waited for here")
                    return False
                said = await self._confirmed(purchase.task or "")
                if said:
                    await asyncio.to_thread(self._ledger.wake, SERVICE, purchase.task or "")
        except ProviderError as error:
            raise _Refusal(503, f"it could not be confirmed: {error.message}") from error
        except LedgerError as error:
            raise _Refusal(503, error.message) from error
        order = purchase.order
        what = f"{said}: its run is woken" if said else f"{shown(callback.status)}, which is not the end yet"
        self._tell(f"{shown(order.film)} {order.slate} take {order.take}: {what}")
        return bool(said)

    def _awaited(self, task: str) -> Purchase | None:
        """The purchase whose clip is waited for under this id. In the ledger the mode stands before it."""
        found = self._ledger.list(provider=SERVICE, state=State.SUBMITTED)
        return next((one for one in found if (one.task or "").rpartition("/")[2] == task), None)

    async def _confirmed(self, task: str) -> str:
        """What the service itself says when asked: `finished`, `failed`, or nothing while it is under way.

        Raises Transient, and Terminal when it does not say.
        """
        try:
            standing = await self._service.poll(task)
        except TaskFailed:
            return "failed"
        return "finished" if standing.state == "finished" else ""

    def _refused(self, status: int, why: str) -> Response:
        # Who called is told no more than what to do; the rest is ours.
        self._tell(f"a call was turned away ({status}): {why}")
        return JSONResponse({"error": HTTPStatus(status).phrase}, status)


async def _body(request: Request) -> bytes:
    """The body of a call, never more than a callback can have and never waited for long."""
    body = b""
    try:
        async with asyncio.timeout(_PATIENCE):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise _Refusal(413, f"it is larger than {MAX_BODY_BYTES >> 10} KB")
    except TimeoutError as error:
        raise _Refusal(408, f"it was not all there in {_PATIENCE} s") from error
    except ClientDisconnect as error:
        raise _Refusal(400, "the caller hung up") from error
    return body


def application(reader: CallbackReader, service: Provider, ledger: Ledger, tell: Tell) -> Starlette:
    """The ASGI application. The service must be open, and is used until the application ends."""
    receiver = Receiver(reader, service, ledger, tell)

    async def alive(_request: Request) -> Response:
        return JSONResponse({"receives": SERVICE})

    async def fault(_request: Request, error: Exception) -> Response:
        tell(f"a fault of storyreel's own: {type(error).__name__}: {shown(error)}")
        return JSONResponse({"error": HTTPStatus.INTERNAL_SERVER_ERROR.phrase}, 500)

    routes = [Route(PATH, receiver.hear, methods=["POST"]), Route("/health", alive)]
    return Starlette(routes=routes, exception_handlers={Exception: fault})


def serve(host: str, port: int, console: Console) -> None:
    """Receive callbacks until it is stopped. Raises RunFailed when it cannot begin."""
    adapter = load(SERVICE)
    secret = Settings.read().webhook_secret
    missing = adapter.missing_variable(os.environ)
    if missing or secret is None:
        missing = missing or WEBHOOK_SECRET
        raise RunFailed(f"callbacks of {SERVICE} cannot be received without {missing}", next=f"export {missing}=…")

    def tell(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    async def run(listening: socket.socket) -> None:
        with closing(Home.of().ledger()) as ledger:
            async with adapter() as service:
                app = application(CallbackReader(secret.get_secret_value()), service, ledger, tell)
                config = uvicorn.Config(
                    app, log_config=None, log_level="critical", access_log=False, lifespan="off",
                    limit_concurrency=_CALLERS, timeout_keep_alive=5, timeout_graceful_shutdown=10,
                    server_header=False,
                )  # fmt: skip
                await uvicorn.Server(config).serve([listening])

    with _listening(host, port) as listening:
        where = f"http://{host}:{listening.getsockname()[1]}{PATH}"
        tell(f"receiving at {where}; Ctrl-C ends it")
        tell("where films are rendered, STORYREEL_WEBHOOK_URL is to hold the public address of this")
        try:
            asyncio.run(run(listening))
        except (LedgerError, ProviderError) as error:
            raise RunFailed(error.message, hint=error.hint, next="storyreel doctor") from error
        except KeyboardInterrupt:
            tell("ended")


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that callers can connect to; whatever is wrong with the address is found before anything begins."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise RunFailed(f"cannot listen on {host}:{port}: {why}", next="storyreel webhooks --port 0") from error
    with listening:
        yield listening
