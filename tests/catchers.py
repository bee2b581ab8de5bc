"""Receivers of notifications of Prefect's server, on this machine: an http address, and a mail server."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, TypeVar

Message = TypeVar("Message")

_PATIENCE = 60


class Caught(Generic[Message]):
    """The messages that have arrived at an address so far."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.messages: list[Message] = []

    def wait_for(self, is_it: Callable[[Message], bool], what: str) -> Message:
        """The first message that is it; fails if none comes."""
        deadline = time.monotonic() + _PATIENCE
        while not (found := [one for one in list(self.messages) if is_it(one)]):
            assert time.monotonic() < deadline, f"never told: {what}; but {self.messages}"
            time.sleep(0.1)
        return found[0]


@contextmanager
def catching_json(status: int = 200) -> Iterator[Caught[dict[str, Any]]]:
    """An http address that takes JSON, and answers with a status."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.headers["content-type"] == "application/json"
            caught.messages.append(json.loads(body))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"ok" if status < 400 else b"no_service")

        def log_message(self, *_: object) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, _in_a_thread(server):
        caught: Caught[dict[str, Any]] = Caught(f"http://127.0.0.1:{server.server_address[1]}/hook")
        yield caught


@contextmanager
def catching_mail() -> Iterator[Caught[EmailMessage]]:
    """A mail server that takes everything. Each mail is kept once, whoever it is for."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                word = line[:4].upper()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = iter(self.rfile.readline, b".\r\n")
                    mail = message_from_bytes(b"".join(lines), policy=policy.default)
                    assert isinstance(mail, EmailMessage)
                    caught.messages.append(mail)
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
                if word == b"QUIT":
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server, _in_a_thread(server):
        server.daemon_threads = True
        caught: Caught[EmailMessage] = Caught(f"smtp://127.0.0.1:{server.server_address[1]}?from=films@example.com")
        yield caught


@contextmanager
def _in_a_thread(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
