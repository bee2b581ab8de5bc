from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storyreel.tasks import cores

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="films do not share cores there")

_HOLDING = """
import asyncio, os, sys
os.sched_getaffinity = lambda _: {0}
from storyreel.tasks.cores import one_core
async def main():
    async with one_core():
        print("held", flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def one_core_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of one core, which nothing but this test uses."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 1)


@contextmanager
def _holding() -> Iterator[subprocess.Popen[str]]:
    """Another film, which holds the core."""
    command = [sys.executable, "-c", _HOLDING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as film:
        assert film.stdout and film.stdout.readline() == "held\n"
        try:
            yield film
        finally:
            film.kill()


async def _take_and_give_back() -> None:
    async with cores.one_core():
        pass


async def _is_waiting(task: asyncio.Task[None]) -> bool:
    return not (await asyncio.wait([task], timeout=0.1))[0]


@pytest.mark.parametrize("end", [subprocess.Popen.kill, lambda film: film.stdin.close()], ids=["killed", "done"])
async def test_a_core_that_another_film_holds_is_free_when_its_process_ends(
    end: Callable[[subprocess.Popen[str]], None],
) -> None:
    with _holding() as film:
        task = asyncio.create_task(_take_and_give_back())
        assert await _is_waiting(task)
        end(film)
        await asyncio.wait_for(task, 20)


async def test_a_paused_film_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "_PATIENCE", 0.05)
    with _holding() as film:
        film.send_signal(signal.SIGSTOP)
        async with asyncio.timeout(20), cores.one_core():
            assert film.poll() is None


async def test_a_film_waits_for_others_as_long_as_they_go_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cores, "_PATIENCE", 0.05)
    with _holding() as film:
        (core,) = tmp_path.glob("storyreel-*/core-0")
        ahead = core.stat().st_mtime + 60
        os.utime(core, (ahead, ahead))  # as if one after the other took it
        task = asyncio.create_task(_take_and_give_back())
        assert await _is_waiting(task)
        film.kill()
        await asyncio.wait_for(task, 20)


async def test_a_film_that_encodes_for_long_is_not_taken_for_a_paused_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cores, "_PATIENCE", 0.03)
    async with asyncio.timeout(20), cores.one_core():
        (core,) = tmp_path.glob("storyreel-*/core-0")
        os.utime(core, (0, 0))
        while not core.stat().st_mtime:
            await asyncio.sleep(0.01)


async def test_a_film_that_is_cancelled_while_it_waits_leaves_the_core_to_others() -> None:
    with _holding() as film:
        task = asyncio.create_task(_take_and_give_back())
        assert await _is_waiting(task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        film.kill()
    with _holding():
        pass


async def test_work_goes_on_where_nothing_can_be_locked(tmp_path: Path) -> None:
    (tmp_path / f"storyreel-{os.getuid()}").write_text("no folder")
    async with asyncio.timeout(20):
        await _take_and_give_back()
