"""Collects the garbage of a server's process in a thread of its own, never in that of its event loop.

A freed cursor of SQLite waits for its connection. If that waits for the database, and the transaction that holds it for
the event loop, a collection on the loop stops the server until SQLite gives up, after 60 s (seen with Prefect 3.9.1,
aiosqlite and CPython 3.11.7 on 2026-11-29).
"""

from __future__ import annotations

import gc
import threading
import time

_PAUSE_SECONDS = 0.2
_COLLECT_AFTER = (50_000, 10, 10)
"""New objects, and collections of the generation below, after which a generation is collected. With Python's 700
objects, the imports of a server took a third longer."""


def collect_in_thread() -> None:
    """Turn automatic collection off, and collect in a thread that ends with the process."""
    gc.disable()
    threading.Thread(target=_collect, name="garbage", daemon=True).start()


def _collect() -> None:
    while True:
        time.sleep(_PAUSE_SECONDS)
        counts = gc.get_count()
        for generation in (2, 1, 0):
            if counts[generation] > _COLLECT_AFTER[generation]:
                gc.collect(generation)
                break
