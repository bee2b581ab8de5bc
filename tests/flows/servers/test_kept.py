"""A run's server that is kept serves the next run of the same settings, and ends by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from storyreel.flows.servers import background, kept
from storyreel.flows.servers.kept import Keeping, borrowed_server, end_kept, kept_server, record_path
from storyreel.flows.servers.local import free_port

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no server is kept there")

SERVER = """
import os, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from storyreel.flows.servers.kept import wait_until_unused
class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"true")
    def log_message(self, *_): pass
threading.Thread(target=HTTPServer(("127.0.0.1", int(sys.argv[1])), Healthy).serve_forever, daemon=True).start()
print("serving", flush=True)
record = Path(sys.stdin.readline().strip())
sys.stdin.read()
lock = wait_until_unused(record)
os._exit(0)
"""
"""A server that Prefect's would answer for, with the end of one that is kept."""


STARTED: list[subprocess.Popen[str]] = []


class Run:
    """A run with a server of its own, which is kept."""

    def __init__(self, seconds: float) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(self.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        STARTED.append(self.process)
        assert self.process.stdin and self.process.stdout
        self.process.stdout.readline()
        made = kept.keep(self.process.pid, self.port, Keeping(seconds=seconds, settings="ours"))
        assert made
        record, self.use = made
        self.process.stdin.write(f"{record}\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.use.close()
        assert self.process.stdin
        self.process.stdin.close()

    @property
    def is_serving(self) -> bool:
        return self.process.poll() is None


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("STORYREEL_HOME", str(tmp_path))
    monkeypatch.setattr(kept, "_LOOK_SECONDS", 0.1)
    yield
    while STARTED:
        STARTED.pop().kill()


def test_the_next_run_of_the_same_settings_uses_it_and_others_do_not() -> None:
    first = Run(60)
    first.end()
    assert borrowed_server("others") is None
    second = borrowed_server("ours")
    assert second and second.start() == f"http://127.0.0.1:{first.port}/api"
    with second:
        assert "still in use" in end_kept()
        assert first.is_serving and borrowed_server("ours") is None
    assert first.process.wait(10) == 0


def test_one_whose_database_was_deleted_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    (tmp_path / "prefect.db").write_bytes(b"of the first")
    first = Run(60)
    (tmp_path / "prefect.db").rename(tmp_path / "kept aside")
    assert borrowed_server("ours") is None
    (tmp_path / "kept aside").rename(tmp_path / "prefect.db")
    again = borrowed_server("ours")
    assert again
    with again:
        first.end()


def test_it_ends_when_nobody_has_used_it_for_its_time_and_leaves_no_record() -> None:
    first = Run(1.5)
    assert kept_server() is not None
    first.end()
    assert first.process.wait(10) == 0
    assert kept_server() is None and not record_path().exists()


def test_one_that_another_server_has_replaced_ends_at_once() -> None:
    first, second = Run(60), Run(60)
    first.end()
    assert first.process.wait(10) == 0
    found = kept_server()
    assert found and found.port == second.port and second.is_serving
    second.end()


def test_a_stop_ends_it_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Run(60)
    first.end()
    monkeypatch.setattr(background.local, "recorded_server", lambda: None)
    assert background.stop() == (
        f"the server at http://127.0.0.1:{first.port}, which an earlier run has left, is stopped; its runs are kept"
    )
    first.process.wait(10)


def test_one_that_was_killed_is_not_used() -> None:
    first = Run(60)
    os.kill(first.process.pid, 9)
    first.process.wait(10)
    assert borrowed_server("ours") is None and kept_server() is None and end_kept() == ""
    first.use.close()
