"""A Prefect server that lives as long as a run, in a child process.

The child is this module, run as a program. It imports what a server needs, which takes seconds, and then reads its
port, one line on standard input. The parent holds the other end of that pipe; it closes when the parent ends, however
it ends, so that no server outlives a kill -9.
"""

from __future__ import annotations

import gc
import importlib
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress

from storyreel.flows.servers.local import LASTING_LEASES, free_port, pages_url, wait_until_ready

_END_SECONDS = 10


class EphemeralServer:
    """A Prefect server for one run, as a context manager.

    Most of its start is imports, so the process is created before it is known whether it is needed; it serves after
    `start`. In a session of its own, Ctrl-C does not reach it: it must still take the run's last states.
    """

    def __init__(self) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            # -P: a prefect.py in the user's folder is not imported.
            [sys.executable, "-P", "-m", "storyreel.flows.servers.ephemeral"],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={
                **LASTING_LEASES,
                **os.environ,
                "PREFECT_UI_ENABLED": "false",
                "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
            },
        )
        self._started = False

    def __enter__(self) -> EphemeralServer:
        return self

    def start(self) -> str:
        """Serve on a free port; returns the URL of the API. Raises RunFailed when it does not answer."""
        self._started = True
        port = free_port()
        assert self._process.stdin
        with suppress(BrokenPipeError):  # the process has ended; wait_until_ready says why
            self._process.stdin.write(b"%d\n" % port)
            self._process.stdin.flush()
        wait_until_ready(self._process, port, self._log, "storyreel ui, and when it answers, the same command again")
        return f"{pages_url(port)}/api"

    def __exit__(self, *_: object) -> None:
        """Stop the process; by SIGKILL if it has not served yet."""
        if not self._started:
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


def _end_with_the_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _import_server() -> None:
    """Import Prefect's server. The garbage collector is off meanwhile: it took an eighth of the time."""
    gc.disable()
    importlib.import_module("prefect.server.api.server")
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    _import_server()
    if port := sys.stdin.buffer.readline().decode().strip():
        threading.Thread(target=_end_with_the_parent, daemon=True).start()
        sys.argv = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
        runpy.run_module("prefect", run_name="__main__")
