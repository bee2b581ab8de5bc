"""SIGTERM ends a run as Ctrl-C does: by cancelling it, so that children end and nothing half-written stays.

Prefect's own handler raises wherever the event loop happens to be; the exception is then lost in some callback and
the run hangs (seen with 3.8.8).
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cancelled_by_sigterm() -> Iterator[None]:
    """Cancel the current task on SIGTERM, inside; only the main thread can be asked to."""
    running, loop = asyncio.current_task(), asyncio.get_running_loop()
    if running is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        loop.add_signal_handler(signal.SIGTERM, running.cancel)
    except NotImplementedError:  # Windows has no SIGTERM to wait for
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)
