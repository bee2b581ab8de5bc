"""The event loop of a run never stands still: files and the ledger are read and written in threads."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.render import render_storyboard
from storyreel.flows.review.status import review_status
from storyreel.tasks.ledger.database import Database
from tests.services.apiyi import Apiyi, ApiyiSettings
from tests.services.jobs import Script

FILM = """\
storyboard: 1
title: The Boat
format: {fps: 12}
defaults: {provider: apiyi, duration: 2s}
scenes:
  - scene: 3
    shots:
      - {shot: 1A, action: Ana enters.}
      - {shot: 1B, action: She sits., transition: {type: dissolve, duration: 6f}}
      - {shot: 1C, action: Rain., continues: 1B}
      - {shot: 1D, action: Night., provider: animatic}
"""
_OURS = tuple(f"/storyreel/{room}/" for room in ("flows", "tasks", "specs"))
_OTHERS = tuple(f"/{name}/" for name in ("prefect", "httpx", "httpcore", "importlib", "asyncio", "tests"))
_FILES = ("open", "os.", "shutil.", "sqlite3.connect", "tempfile.")
_NO_FILES = ("os.putenv", "os.unsetenv", "os.posix_spawn", "os.fork")


class Recorder:
    """Records accesses to files and the ledger on the thread of a run's event loop."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.thread = 0

    def note(self, what: str, frame: FrameType | None) -> None:
        if threading.get_ident() != self.thread or asyncio._get_running_loop() is None:
            return
        ours: list[str] = []
        while frame and len(ours) < 3:
            name = frame.f_code.co_filename
            if not ours and (any(other in name for other in _OTHERS) or name.startswith("<frozen")):
                return
            if any(room in name for room in _OURS):
                ours.append(f"{name.partition('/storyreel/')[2]}:{frame.f_lineno} {frame.f_code.co_name}")
            frame = frame.f_back
        if ours:
            self.seen[f"{what}: {' < '.join(ours)}"] += 1


_recorder = Recorder()


def _audit(event: str, _arguments: tuple[object, ...]) -> None:
    if _recorder.thread and event.startswith(_FILES) and event not in _NO_FILES:
        _recorder.note(event, sys._getframe(1))


@pytest.fixture(scope="module")
def hooked() -> None:
    sys.addaudithook(_audit)


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """The accesses on this thread during the test, counted by kind and place."""
    transaction = Database._transaction

    def recorded_transaction(self: Database, *arguments: object) -> object:
        _recorder.note("ledger", sys._getframe(1).f_back)
        return transaction(self, *arguments)

    monkeypatch.setattr(Database, "_transaction", recorded_transaction)
    _recorder.seen, _recorder.thread = Counter(), threading.get_ident()
    try:
        yield _recorder.seen
    finally:
        _recorder.thread = 0


async def test_a_run_and_a_review_read_and_write_nothing_on_their_event_loop(
    tmp_path: Path, prefect_server: None, hooked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "film.yaml").write_text(FILM)
    service = Apiyi(ApiyiSettings(script=Script(waiting=1, running=1)))
    with service.served() as base_url:
        monkeypatch.setenv("APIYI_API_KEY", "sk-emulator")
        monkeypatch.setenv("APIYI_BASE_URL", base_url)
        monkeypatch.setenv("STORYREEL_POLL_SECONDS", "0.2")
        with recorded(monkeypatch) as seen:
            await render_storyboard(str(tmp_path / "film.yaml"), out=str(tmp_path / "out"), buy=True)
            (tmp_path / "film.yaml").write_text(f"{FILM}review: required\n")
            planner = await asyncio.to_thread(Planner.of, RunRequest(storyboard=str(tmp_path / "film.yaml")))
            assert [review.state for review in await review_status(planner)] == ["wfa"] * 4
    assert not seen, "\n".join(f"{times} × {what}" for what, times in seen.most_common())
