"""The cores of this machine, which all films on it share: at most one ffmpeg, or thread that encodes, on each.

Twenty films that encode at once on two cores take an eighth longer than two do, and ten times the memory: each takes
the others' frames out of the processor's caches (measured on 30 November 2026, 720p).

Between processes a core is a locked file. So it is free again when its process ends, however that ends.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
import weakref
from asyncio import Future
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from threading import Event
from typing import IO, ClassVar, NamedTuple

from storyreel.tasks.threads import Lane

if sys.platform != "win32":
    import fcntl

_PATIENCE = 30.0
"""Seconds without a sign of the films that hold the cores, after which others go on without one: those are paused."""
_LOOK = 0.005
"""Seconds between two looks for a free core, by the first of those that wait."""


@asynccontextmanager
async def one_core() -> AsyncIterator[None]:
    """Wait for a free core and hold it while the context lasts."""
    cores = _Cores.of_loop()
    async with cores.own:
        core = await cores.shared()
        with _held(core) if core else nullcontext():
            yield


class _Core(NamedTuple):
    """A core that this process holds, until its file is closed."""

    path: Path
    locked: IO[bytes]


@contextmanager
def _held(core: _Core) -> Iterator[None]:
    """Keep a core while the context lasts, and show the others by its file's time that this film goes on."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle

    def show() -> None:
        nonlocal timer
        loop.run_in_executor(None, _touch, core.path)
        timer = loop.call_later(_PATIENCE / 3, show)

    timer = loop.call_later(_PATIENCE / 3, show)
    try:
        yield
    finally:
        timer.cancel()
        core.locked.close()


def _touch(path: Path) -> None:
    with suppress(OSError):  # It only tells others to wait.
        os.utime(path)


class _Cores:
    """The cores that an event loop may use. It exists while one is held or awaited."""

    _by_loop: ClassVar[weakref.WeakValueDictionary[int, _Cores]] = weakref.WeakValueDictionary()

    def __init__(self) -> None:
        self.own = asyncio.Semaphore(len(_numbers()))
        self._overdue: Future[_Core | None] | None = None

    @classmethod
    def of_loop(cls) -> _Cores:
        """Those of the running event loop."""
        return cls._by_loop.setdefault(id(asyncio.get_running_loop()), cls())

    async def shared(self) -> _Core | None:
        """Wait until no other film uses one of the cores; its file is to be closed.

        None if the others stand still, or if the system or its folder for temporary files has no locks.
        """
        if sys.platform == "win32" or self._overdue:
            return None
        left = Event()
        taking = Lane(1).close(partial(_take, left))
        try:
            while not (await asyncio.wait([taking], timeout=_PATIENCE))[0]:
                if await asyncio.to_thread(_stands_still):
                    self._overdue = taking
                    taking.add_done_callback(self._arrived)
                    return None
        except asyncio.CancelledError:
            left.set()
            taking.add_done_callback(_give_back)
            raise
        return taking.result()

    def _arrived(self, taken: Future[_Core | None]) -> None:
        self._overdue = None
        _give_back(taken)


def _give_back(taken: Future[_Core | None]) -> None:
    if held := taken.result():
        held.locked.close()


def _numbers() -> list[int]:
    """The cores that this process may use, by the numbers that the system has for them."""
    if sys.platform == "linux":
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"storyreel-{os.getuid()}"


def _files() -> list[Path]:
    return [_folder() / f"core-{number}" for number in _numbers()]


def _stands_still() -> bool:
    """Whether the films that hold the cores have given no sign of themselves for too long."""
    with suppress(OSError):
        return all(time.time() - file.stat().st_mtime > _PATIENCE for file in _files())
    return True


def _take(left: Event) -> _Core | None:
    """Wait for a core that no other process of this user holds; None if `left` is set first."""
    with suppress(OSError), ExitStack() as opened:
        folder = _folder()
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.lstat().st_uid != os.getuid():
            return None
        files = {path: opened.enter_context(path.open("ab")) for path in _files()}
        # Only the first in the queue looks for a core; the others are asleep.
        fcntl.flock(opened.enter_context((folder / "queue").open("ab")), fcntl.LOCK_EX)
        while not left.is_set():
            for path, file in files.items():
                with suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _touch(path)
                    return _Core(path, os.fdopen(os.dup(file.fileno()), "ab"))
            left.wait(_LOOK)
    return None
