"""Runs players: one beside `storyreel ui`, one inside `serve`, one by itself.

All players of a home share its port. The first one has it; the others wait, and one of them takes over when it ends.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Event, Thread
from urllib.parse import urlsplit

import psutil
import uvicorn

from storyreel.flows.callers import CallerProtocol, listen
from storyreel.flows.errors import RunFailed
from storyreel.flows.player.application import Report, application
from storyreel.flows.player.links import LOOPBACK, PlayerRecord, answers, secret_of
from storyreel.flows.servers.local import free_port, recorded_server
from storyreel.flows.terminal import Terminal
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.owner import this_process
from storyreel.tasks.settings import PLAYER_URL, Settings
from storyreel.tasks.storage.disk import DiskError, in_words
from storyreel.tasks.storage.files import make_private_folder

_NAMES = ("127.0.0.1", "localhost", "::1")
_CHECK_SECONDS = 1
"""Between two looks whether a player should end, or can begin."""
_MAX_CONNECTIONS = 500
"""Further connections are answered with 503."""
_READERS = 32
"""Files and parts of files that are read at the same time."""
_START_SECONDS = 30
_END_SECONDS = 5

IsOver = Callable[[], bool]


def play(home: Home, report: Report, host: str = LOOPBACK, port: int | None = None) -> None:
    """Play until Ctrl-C at an address, by default the home's own.

    Raises RunFailed if that cannot be used, and DiskError if the home cannot.
    """
    own = PlayerRecord.of(home).port
    wanted = own if port is None else port
    with in_words(home.root), listen(host, wanted, next="storyreel player --port 0") as listening:
        found = int(listening.getsockname()[1])
        if found != own and not answers(home, own):  # else links lead to the player that runs there
            _note_port(home, found)
        report(f"plays films and takes at http://{host}:{found}; Ctrl-C ends it")
        if host not in _NAMES:
            report(f"set {PLAYER_URL} to its public address where films are rendered")
        with suppress(KeyboardInterrupt):
            _serve(home, listening, report, lambda: False, host)
    report("ended")


def stand_by(home: Home, report: Report, is_over: IsOver) -> None:
    """Play at the home's port until `is_over`; while another player of the home does, wait for its end.

    If the home cannot be written to, that is reported, and nothing is played.
    """
    try:
        with in_words(home.root):
            _stand_by(home, report, is_over)
    except DiskError as error:
        report(f"films and takes cannot be played: {error.message}")


def _stand_by(home: Home, report: Report, is_over: IsOver) -> None:
    while not is_over():
        port = PlayerRecord.of(home).port
        try:
            listening = socket.create_server((LOOPBACK, port))
        except OSError:
            if answers(home, port):
                time.sleep(_CHECK_SECONDS)
            else:  # the port of another program, or of another user's player
                _note_port(home, free_port())
            continue
        with listening:
            _serve(home, listening, report, is_over)


@contextmanager
def playing(home: Home, report: Report) -> Iterator[None]:
    """Stand by in a thread of this process inside the context."""
    ended = Event()
    thread = Thread(target=stand_by, args=(home, report, ended.is_set), name="player", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_END_SECONDS)


def start(home: Home) -> str:
    """Start a process that stands by until `stop`, unless one does; returns the player's address.

    Raises RunFailed and DiskError.
    """
    record = PlayerRecord.of(home)
    if not record.is_alive:
        with in_words(home.root):
            _start_process(home)
    deadline = time.monotonic() + _START_SECONDS
    while not answers(home, port := PlayerRecord.of(home).port):
        if time.monotonic() > deadline or not PlayerRecord.of(home).is_alive:
            raise RunFailed("the player did not start", hint=f"its log is {home.root / 'player.log'}")
        time.sleep(0.05)
    return f"http://{LOOPBACK}:{port}"


def stop(home: Home) -> bool:
    """Stop the process that `start` has started; returns whether it ran."""
    record = PlayerRecord.of(home)
    if not record.process or not record.is_alive:
        return False
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(record.process.pid)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
    return True


def _start_process(home: Home) -> None:
    """Start a process in a session of its own, which neither Ctrl-C nor the end of the terminal reaches."""
    make_private_folder(home.root)
    with (home.root / "player.log").open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, "-P", "-m", "storyreel.flows.player.running"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=home.root,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while not PlayerRecord.of(home).is_alive:
        if started.poll() is not None or time.monotonic() > deadline:
            started.kill()
            raise RunFailed("the player did not start", hint=f"its log is {home.root / 'player.log'}")
        time.sleep(0.05)


def _serve(home: Home, listening: socket.socket, report: Report, is_over: IsOver, host: str = LOOPBACK) -> None:
    """Answer requests until `is_over`, or in the main thread until a signal."""
    public = urlsplit(Settings.read().player_url).hostname
    hosts = {*_NAMES, host, *([public] if public else [])}

    async def check() -> None:
        server.should_exit = server.should_exit or is_over()

    async def run() -> None:
        # A bucket may be slow; its readers wait in threads.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_READERS))
        await server.serve([listening])

    app = application(home, secret_of(home), hosts, report)
    config = uvicorn.Config(
        app, http=CallerProtocol, log_config=None, log_level="critical", access_log=False, lifespan="off",
        limit_concurrency=_MAX_CONNECTIONS, timeout_keep_alive=5, timeout_graceful_shutdown=2, server_header=False,
        callback_notify=check, timeout_notify=_CHECK_SECONDS,
    )  # fmt: skip
    server = uvicorn.Server(config)
    asyncio.run(run())


def _note_port(home: Home, port: int) -> None:
    """Record the port, so that later links lead to it."""
    record = PlayerRecord.of(home)
    if record.port != port:
        record.model_copy(update={"port": port}).write(home)


def _main() -> None:
    """Stand by as the process of `start`, until `stop` or the end of this home's Prefect server."""
    home = Home.of()
    PlayerRecord.of(home).model_copy(update={"process": this_process()}).write(home)
    server = recorded_server()
    beside = server.process if server and server.process.is_alive() else None
    stand_by(home, Terminal(soft_wrap=True).print, lambda: beside is not None and not beside.is_alive())


if __name__ == "__main__":
    _main()
