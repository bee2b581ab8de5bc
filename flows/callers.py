"""HTTP/1.1 for a server that anybody may call: a caller who does not send its request in time is disconnected."""

from __future__ import annotations

import asyncio
import errno
import socket
import time

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from storyreel.flows.errors import RunFailed

REQUEST_SECONDS = 15
"""Seconds that a caller has to send a request, or to begin its next one."""
MAX_UNFINISHED = 50
"""Connections that wait for their callers; of more, the one that waits longest is closed. A true callback comes in one
piece, so that it is served even while others open connections and send nothing.
"""


class CallerProtocol(H11Protocol):
    """One connection. uvicorn itself limits only the time between two requests."""

    waits_since: float | None = None
    """Monotonic seconds at which it began to wait for a request; None while a whole request is being answered."""
    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._update()
        others = (one for one in self.connections if isinstance(one, CallerProtocol))
        unfinished = [(one.waits_since, one) for one in others if one.waits_since is not None]
        if len(unfinished) > MAX_UNFINISHED:
            min(unfinished, key=lambda pair: pair[0])[1].disconnect()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._update()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._update()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def disconnect(self) -> None:
        """Close the connection without an answer."""
        self._stop()
        self.transport.abort()

    def _update(self) -> None:
        if self.transport.is_closing() or self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._stop()
        elif self.waits_since is None:
            self.waits_since = time.monotonic()
            self._limit = self.loop.call_later(REQUEST_SECONDS, self.disconnect)

    def _stop(self) -> None:
        self.waits_since = None
        if self._limit:
            self._limit.cancel()
            self._limit = None


def listen(host: str, port: int, next: str) -> socket.socket:
    """A socket that listens. Raises RunFailed if the address cannot be used; the command `next` takes another port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        # A host without an address has a number of its own; Python adds the address to the words.
        why = (error.strerror or str(error)).partition(" (while")[0].lower()
        message = f"cannot listen on {host}:{port}: {why}"
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise RunFailed(message, next=next) from error
        hint = "--host is an address of this machine: 127.0.0.1, or 0.0.0.0 for all that it has"
        raise RunFailed(message, hint=hint) from error
