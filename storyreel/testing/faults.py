"""Planned faults: of which call, how often, and whether the service does its work first."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import ClassVar

from storyreel.testing.wire import Ending, HttpRequest, Reply, json_reply

ErrorReply = Callable[[int], Reply]
"""Returns a service's reply with an error status."""

_PAGE = b"""<!DOCTYPE html><html><head><title>One moment, please</title></head>
<body><h1>We are checking your browser</h1></body></html>"""


class Call(Enum):
    """The calls that a client makes."""

    CREATE = "create"
    POLL = "poll"
    LIST = "list"
    CANCEL = "cancel"
    PRICES = "prices"
    UPLOAD = "upload"
    """Each step of an upload: asking where to, and sending."""
    FETCH = "fetch"
    """Getting the finished clip."""


class Trouble(ABC):
    """A fault that a client gets instead of the service's reply."""

    needs_reply: ClassVar[bool] = False
    """Whether it is made from the true reply, so that the service must do its work first."""

    @abstractmethod
    def spoil(self, reply: Reply, request: HttpRequest, error_reply: ErrorReply) -> Reply:
        """The reply that is sent."""


@dataclass(frozen=True)
class Answer(Trouble):
    """A status; without a `body`, with the service's own body for it."""

    status: int
    body: Mapping[str, object] | None = None
    retry_after: str | None = None
    """The header: seconds, or an HTTP date."""
    content: bytes | None = None
    """The body in bytes, in place of `body`."""

    def spoil(self, reply: Reply, request: HttpRequest, error_reply: ErrorReply) -> Reply:
        if self.content is not None:
            answer = Reply(self.status, self.content, (("content-type", "application/json"),))
        else:
            answer = error_reply(self.status) if self.body is None else json_reply(self.body, self.status)
        return answer if self.retry_after is None else answer.with_header("retry-after", self.retry_after)


@dataclass(frozen=True)
class Reset(Trouble):
    """The connection is reset before any byte of the answer."""

    def spoil(self, reply: Reply, request: HttpRequest, error_reply: ErrorReply) -> Reply:
        return Reply(sends_bytes=False, ending=Ending.RESET)


@dataclass(frozen=True)
class HangUp(Trouble):
    """The connection is closed in order, before any byte of the answer."""

    def spoil(self, reply: Reply, request: HttpRequest, error_reply: ErrorReply) -> Reply:
        return Reply(sends_bytes=False, ending=Ending.CLOSED)


@dataclass(frozen=True)
class Silence(Trouble):
    """No answer ever comes: the client's read timeout decides."""

    def spoil(self, reply: Reply, request: HttpRequest, error_reply: ErrorReply) -> Reply:
        return Reply(sends_bytes=False, ending=Ending.SILENT)


@dataclass(frozen=True)
class Slow(Trouble):
    """The true reply, byte by byte: none comes too late. After `slow_bytes` the others come at once; None: never."""

    needs_reply: ClassVar[bool] = True
    slow_bytes: int | None = None

    def spoil(self, reply: Reply, request: HttpRequest, error_reply: ErrorReply) -> Reply:
        return replace(
            reply.with_header("content-length", str(len(reply.body))), ending=Ending.SLOW, slow_bytes=self.slow_bytes
        )


@dataclass(frozen=True)
class Page(Trouble):
    """A page of HTML, as a gateway or a bot check sends it."""

    status: int = 200

    def spoil(self, reply: Reply, request: HttpRequest, error_reply: ErrorReply) -> Reply:
        return Reply(self.status, _PAGE, (("content-type", "text/html; charset=utf-8"),))


@dataclass(frozen=True)
class Labelled(Trouble):
    """The true reply, with a false Content-Encoding."""

    needs_reply: ClassVar[bool] = True
    encoding: str = "gzip"

    def spoil(self, reply: Reply, request: HttpRequest, error_reply: ErrorReply) -> Reply:
        return reply.with_header("content-encoding", self.encoding)


@dataclass(frozen=True)
class Truncated(Trouble):
    """A part of the body, under the length of the whole, then the end of the connection."""

    needs_reply: ClassVar[bool] = True
    part: float = 0.5
    ending: Ending = Ending.CLOSED

    def spoil(self, reply: Reply, request: HttpRequest, error_reply: ErrorReply) -> Reply:
        whole = reply.with_header("content-length", str(len(reply.body)))
        return replace(whole, body=reply.body[: int(len(reply.body) * self.part)], ending=self.ending)


@dataclass(frozen=True)
class Shortened(Trouble):
    """A part of the body that claims to be all of it: only looking inside the file finds out."""

    needs_reply: ClassVar[bool] = True
    part: float = 0.5

    def spoil(self, reply: Reply, request: HttpRequest, error_reply: ErrorReply) -> Reply:
        body = reply.body[: int(len(reply.body) * self.part)]
        return replace(reply, body=body).with_header("content-length", str(len(body)))


@dataclass(frozen=True)
class Corrupt(Trouble):
    """All bytes there, every second kilobyte of them overwritten."""

    needs_reply: ClassVar[bool] = True

    def spoil(self, reply: Reply, request: HttpRequest, error_reply: ErrorReply) -> Reply:
        body = bytearray(reply.body)
        for start in range(0, len(body), 2048):
            body[start : start + 1024] = b"\xa5" * len(body[start : start + 1024])
        return replace(reply, body=bytes(body))


@dataclass(frozen=True)
class Scratched(Trouble):
    """All bytes there and both ends whole; a stretch in the middle, longer than any picture, has its bits turned."""

    needs_reply: ClassVar[bool] = True
    part: float = 0.5
    """The beginning of the stretch, as a part of the body."""
    length: int = 50_000

    def spoil(self, reply: Reply, request: HttpRequest, error_reply: ErrorReply) -> Reply:
        body = bytearray(reply.body)
        start = int(len(body) * self.part)
        for at in range(start, min(start + self.length, len(body))):
            body[at] ^= 0x5A
        return replace(reply, body=bytes(body))


@dataclass(frozen=True)
class Claims(Trouble):
    """The true body under another Content-Length: 10 GB by default, of which the rest never comes."""

    needs_reply: ClassVar[bool] = True
    length: int = 10_000_000_000
    ending: Ending = Ending.SILENT

    def spoil(self, reply: Reply, request: HttpRequest, error_reply: ErrorReply) -> Reply:
        return replace(reply.with_header("content-length", str(self.length)), ending=self.ending)


@dataclass(frozen=True)
class Redirect(Trouble):
    """Go to the same path at another origin; without `to`, at this machine by its other name."""

    to: str = ""
    """`http://localhost:8000`."""
    status: int = 302

    def spoil(self, reply: Reply, request: HttpRequest, error_reply: ErrorReply) -> Reply:
        here = request.headers.get("host", "")
        there = "localhost" if here.startswith("127.0.0.1") else "127.0.0.1"
        origin = self.to or f"http://{there}:{here.rpartition(':')[2]}"
        return Reply(self.status, headers=(("location", origin + request.target),))


def always(request: HttpRequest) -> bool:
    """Any request."""
    return True


@dataclass
class Fault:
    """A trouble and when it happens."""

    call: Call
    trouble: Trouble
    accepted: bool = False
    """Whether the service does its work first: a create is then accepted, whatever response the client gets."""
    times: int = 1
    after: int = 0
    """Calls that succeed before."""
    when: Callable[[HttpRequest], bool] = always


@dataclass
class FaultPlan:
    """The planned faults. A call uses up the first that fits it."""

    faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> None:
        """Plan one more."""
        with self._lock:
            self.faults.append(fault)

    def due(self, call: Call, request: HttpRequest) -> Fault | None:
        """The fault of this call, or None."""
        with self._lock:
            for fault in self.faults:
                if fault.call is not call or fault.times <= 0 or not fault.when(request):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                fault.times -= 1
                return fault
            return None
