"""Receives callbacks, in which a service reports that a task has ended, and wakes the run that waits for the task.

A callback alone changes nothing: the service is asked to confirm it. It only shortens the wait of a run, which also
polls by itself.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from contextlib import closing
from http import HTTPStatus

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from storyreel.flows.callers import CallerProtocol, listen
from storyreel.flows.errors import RunFailed
from storyreel.flows.terminal import Terminal
from storyreel.specs.errors import StoryreelError
from storyreel.specs.problems.phrases import shown
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Ledger, LedgerError, Purchase, State
from storyreel.tasks.providers import load, webhooks
from storyreel.tasks.providers.errors import ProviderError, TaskFailed
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.providers.webhooks import MAX_BODY_BYTES, Callback, CallbackReader
from storyreel.tasks.settings import WEBHOOK_SECRET, Settings

SERVICE = "freepik"
"""The only service that sends callbacks."""
PATH = f"/{SERVICE}"

_BODY_SECONDS = 10
"""Seconds that a caller has to send its body of a few hundred bytes."""
_MAX_CONFIRMATIONS = 4
"""Callbacks that are confirmed at the same time."""
_CONFIRM_SECONDS = 30
"""Seconds in which a callback must be confirmed, with those before it."""
_MAX_CONNECTIONS = 100
"""Further connections are answered with 503."""

Report = Callable[[str], None]
Clock = Callable[[], float]


class _Rejected(StoryreelError):
    """A call is not accepted; it is answered with `status`."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class Receiver:
    """Checks the signature of callbacks, confirms each with the service, and wakes the run that waits for its task."""

    def __init__(
        self, reader: CallbackReader, service: Provider, ledger: Ledger, report: Report, now: Clock = time.time
    ) -> None:
        self._reader, self._service, self._ledger, self._report, self._now = reader, service, ledger, report, now
        self._seen = webhooks.SeenMessages()
        self._confirmations = asyncio.Semaphore(_MAX_CONFIRMATIONS)

    async def receive(self, request: Request) -> Response:
        """Answer a call: 200 if it was handled, 401 for a wrong or old signature, 400 if it is no callback, 408 if it
        is too slow, 413 if it is too large, 503 if it cannot be confirmed now and should be sent again."""
        try:
            body = await _body(request)
            callback = self._reader.read(request.headers, body, self._now())
            woken = callback.id not in self._seen and await self._handle(callback)
            self._seen.add(callback.id, self._now())
            return JSONResponse({"woken": woken})
        except webhooks.InvalidSignature as error:
            return self._reject(401, error.message)
        except webhooks.InvalidCallback as error:
            return self._reject(400, error.message)
        except _Rejected as error:
            return self._reject(error.status, error.message)

    async def _handle(self, callback: Callback) -> bool:
        """Wake the run that waits for a task if the service confirms its end, and return whether one was woken."""
        try:
            async with asyncio.timeout(_CONFIRM_SECONDS), self._confirmations:
                purchase = await asyncio.to_thread(self._find_purchase, callback.task)
                if purchase is None:
                    self._report(f"no run waits for {callback.task}")
                    return False
                outcome = await self._outcome(purchase.task or "")
                if outcome:
                    await asyncio.to_thread(self._ledger.wake, SERVICE, purchase.task or "")
        except ProviderError as error:
            raise _Rejected(503, f"it could not be confirmed: {error.message}") from error
        except LedgerError as error:
            raise _Rejected(503, error.message) from error
        except TimeoutError as error:
            raise _Rejected(503, f"it could not be confirmed within {_CONFIRM_SECONDS} s") from error
        order = purchase.order
        what = f"{outcome}; its run is woken" if outcome else f"{shown(callback.status)}; not finished yet"
        self._report(f"{shown(order.film)} {order.slate} take {order.take}: {what}")
        return bool(outcome)

    def _find_purchase(self, task: str) -> Purchase | None:
        """The submitted purchase with this task, whose id in the ledger begins with the mode; None if there is none."""
        found = self._ledger.list(provider=SERVICE, state=State.SUBMITTED)
        return next((one for one in found if (one.task or "").rpartition("/")[2] == task), None)

    async def _outcome(self, task: str) -> str:
        """`finished` or `failed`; empty while it is under way. Raises Transient and Terminal."""
        try:
            status = await self._service.poll(task)
        except TaskFailed:
            return "failed"
        return "finished" if status.state == "finished" else ""

    def _reject(self, status: int, reason: str) -> Response:
        # The reason is not sent: the caller may be an attacker.
        self._report(f"a call was rejected ({status}): {reason}")
        return JSONResponse({"error": HTTPStatus(status).phrase}, status)


async def _body(request: Request) -> bytes:
    """The body of a call. Raises _Rejected if it is too large or takes too long."""
    body = b""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise _Rejected(413, f"it is larger than {MAX_BODY_BYTES >> 10} KB")
    except TimeoutError as error:
        raise _Rejected(408, f"it did not arrive within {_BODY_SECONDS} s") from error
    except ClientDisconnect as error:
        raise _Rejected(400, "the caller closed the connection") from error
    return body


def application(reader: CallbackReader, service: Provider, ledger: Ledger, report: Report) -> Starlette:
    """The ASGI application. `service` must be open for as long as it runs."""
    receiver = Receiver(reader, service, ledger, report)

    async def alive(_request: Request) -> Response:
        return JSONResponse({"receives": SERVICE})

    async def fault(_request: Request, error: Exception) -> Response:
        report(f"a bug in storyreel: {type(error).__name__}: {shown(error)}")
        return JSONResponse({"error": HTTPStatus.INTERNAL_SERVER_ERROR.phrase}, 500)

    routes = [Route(PATH, receiver.receive, methods=["POST"]), Route("/health", alive)]
    return Starlette(routes=routes, exception_handlers={Exception: fault})


def serve(host: str, port: int, console: Terminal) -> None:
    """Receive callbacks until Ctrl-C. Raises RunFailed if a variable is missing or the port cannot be used."""
    adapter = load(SERVICE)
    secret = Settings.read().webhook_secret
    missing = adapter.missing_variable(os.environ)
    if missing or secret is None:
        missing = missing or WEBHOOK_SECRET
        message = f"callbacks of {SERVICE} cannot be received without {missing}"
        raise RunFailed(message, next=f"export {missing}=…")

    def report(line: str) -> None:
        console.print(line, soft_wrap=True)

    async def run(listening: socket.socket, ledger: Ledger) -> None:
        async with adapter() as service:
            app = application(CallbackReader(secret.get_secret_value()), service, ledger, report)
            config = uvicorn.Config(
                app, http=CallerProtocol, log_config=None, log_level="critical", access_log=False, lifespan="off",
                limit_concurrency=_MAX_CONNECTIONS, timeout_keep_alive=5, timeout_graceful_shutdown=10,
                server_header=False,
            )  # fmt: skip
            await uvicorn.Server(config).serve([listening])

    with listen(host, port, next="storyreel webhooks --port 0") as listening:
        where = f"http://{host}:{listening.getsockname()[1]}{PATH}"
        report(f"receiving at {where}; Ctrl-C ends it")
        report("set STORYREEL_WEBHOOK_URL to its public address where films are rendered")
        try:
            with closing(Home.of().ledger()) as ledger:
                asyncio.run(run(listening, ledger))
        except (LedgerError, ProviderError) as error:
            raise RunFailed(error.message, hint=error.hint, next=error.next or "storyreel doctor") from error
        except KeyboardInterrupt:
            report("ended")
