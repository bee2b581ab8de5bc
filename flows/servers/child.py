"""A Prefect server that lives as long as whoever started it: it ends when its standard input does.

Run as `python -m storyreel.flows.servers.child`. It imports what a server needs, which takes seconds, and then
waits for its port, one line on standard input. The input is a pipe that the parent holds; it closes when the parent
ends, however it ends, so that no server is left behind by a kill -9.
"""

from __future__ import annotations

import gc
import importlib
import os
import runpy
import signal
import sys
import threading


def _end_with_the_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _import_all() -> None:
    """What is imported stays; the collector would look through it again and again, an eighth of the time."""
    gc.disable()
    importlib.import_module("prefect.server.api.server")
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    _import_all()
    if port := sys.stdin.buffer.readline().decode().strip():
        threading.Thread(target=_end_with_the_parent, daemon=True).start()
        sys.argv = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
        runpy.run_module("prefect", run_name="__main__")
