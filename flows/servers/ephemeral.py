"""A Prefect server that lives as long as a run, in a child process.

The child is this module, run as a program. It imports what a server needs, which takes seconds, and then reads its
port, one line on standard input. The parent holds the other end of that pipe; it closes when the parent ends, however
it ends, so that no server outlives a kill -9. One that is kept for the next run gets the path of its record as another
line, and ends when it has not been used for its time.

It serves the application that `prefect server start` serves, but makes it before the port is known.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from io import FileIO
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import IO, Any

from storyreel.flows.servers import kept as kept_servers
from storyreel.flows.servers.garbage import collect_in_thread
from storyreel.flows.servers.kept import Keeping
from storyreel.flows.servers.local import LASTING_LEASES, Tell, free_port, pages_url
from storyreel.flows.servers.packed_database import may_have_automations, provide_database
from storyreel.flows.servers.readiness import wait_until_ready

_END_SECONDS = 10

FOR_ONE_RUN: Mapping[str, str] = MappingProxyType(
    {
        # What a person schedules, pauses or sends to workers needs a server that stays.
        **{
            f"PREFECT_SERVER_SERVICES_{service}_ENABLED": "false"
            for service in ("SCHEDULER", "LATE_RUNS", "PAUSE_EXPIRATIONS", "FOREMAN")
        },
        # The types of Prefect's blocks, for its pages and automations: 2 s of processor time in an empty home, and 0.2
        # s each time to find them known (3.9.1). A server that stays registers them.
        "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
        "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
    }
)
"""Settings of a server that one run from the command line reports to, and nothing else."""

_ONE_RUN = "one-run"
"""The argument of the server's process for these settings."""


class EphemeralServer:
    """A Prefect server as a context manager; `for_one_run` with the settings for that, which give way to the user's.

    Most of its start is imports, so the process is created before it is known whether it is needed; it serves after
    `begin`. In a session of its own, Ctrl-C does not reach it: it must still take the run's last states.
    """

    def __init__(self, keeping: Keeping | None = None, *, for_one_run: bool = False) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            self.program(for_one_run=for_one_run),
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={
                **LASTING_LEASES,
                **(FOR_ONE_RUN if for_one_run else {}),
                **os.environ,
                "PREFECT_UI_ENABLED": "false",
                "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
                # A run silences its own console; this is the log in which the server says why it cannot start.
                "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "ERROR",
            },
        )
        self._port: int | None = None
        self._keeping = keeping
        self._use: IO[bytes] | None = None
        """Open while this run uses the server, if that is kept afterwards."""

    @staticmethod
    def program(*, for_one_run: bool) -> list[str]:
        """The command line of the process."""
        # -P: a prefect.py in the user's folder is not imported.
        return [sys.executable, "-P", "-m", __name__, *([_ONE_RUN] if for_one_run else [])]

    def __enter__(self) -> EphemeralServer:
        return self

    def begin(self) -> int:
        """Have the process serve at a free port, once it can; returns the port."""
        if self._port is None:
            self._port = free_port()
            self._tell(str(self._port))
        return self._port

    @property
    def in_words(self) -> str:
        """A clause about how long it stays."""
        if not (self._use and self._keeping):
            return "a server of this run's own, which ends with it"
        return f"a server of this run's own, {self._keeping.in_words}"

    def _tell(self, line: str) -> None:
        assert self._process.stdin
        with suppress(BrokenPipeError):  # the process has ended; wait_until_ready says why
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()

    def start(self, tell: Tell = lambda text: None) -> str:
        """Wait until it serves; returns the URL of the API. Raises RunFailed when it does not answer."""
        port = self.begin()
        then = "storyreel ui, and when it answers, the same command again"
        wait_until_ready(self._process, port, self._log, then, tell)
        if self._keeping and (kept := kept_servers.keep(self._process.pid, port, self._keeping)):
            record, self._use = kept
            self._tell(str(record))
        return f"{pages_url(port)}/api"

    def __exit__(self, *_: object) -> None:
        """Stop the process, by SIGKILL if it has not served yet; leave one that is kept."""
        if self._use:
            self._use.close()
        else:
            if self._port is None:
                self._process.kill()
            self._process.terminate()
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._log.close()


def _end_in_time(told: FileIO) -> None:
    """End this process when its parent has ended and, if it is kept, when no run has used it for its time."""
    lines = told.readall().decode().splitlines()
    lock = kept_servers.wait_until_unused(Path(lines[0])) if lines else None
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_END_SECONDS)
    if lock:
        lock.close()
    os._exit(1)


def serving_application() -> tuple[Any, ModuleType]:
    """The application that `prefect server start` serves, and uvicorn, which serves it; both are imported here."""
    gc.disable()
    server = importlib.import_module("prefect.server.api.server")
    uvicorn = importlib.import_module("uvicorn")
    gc.freeze()  # Freeze what is imported, or collections during `create_app` would look through all of it.
    application = server.create_app(final=True)
    gc.freeze()
    collect_in_thread()
    return application, uvicorn


def without_triggers() -> AbstractContextManager[Any]:
    """A context in which a server looks for no automation that an event triggers.

    To be ready for one costs the second in which a run begins 0.2 s of the processor, and each event a bit (3.9.1).
    """
    from prefect.settings import PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED, temporary_settings

    return temporary_settings({PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED: False})


def _serve() -> None:
    """Import Prefect's server, and serve at the port that standard input gives."""
    application, uvicorn = serving_application()
    # Without a buffer: a thread that waits for one's lock ends the process by SIGABRT where the server cannot start,
    # and the last line of its log would not say why.
    told = FileIO(sys.stdin.fileno(), closefd=False)
    if port := told.readline().decode().strip():
        threading.Thread(target=_end_in_time, args=(told,), daemon=True).start()
        provide_database()
        with without_triggers() if _ONE_RUN in sys.argv and not may_have_automations() else nullcontext():
            uvicorn.run(application, host="127.0.0.1", port=int(port), log_level="error")


if __name__ == "__main__":
    _serve()
