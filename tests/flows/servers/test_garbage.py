"""A server's garbage: collected, and never on its event loop."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_CYCLE = """
import gc, sqlite3, sys, threading
from storyreel.flows.servers.garbage import collect_in_thread

class Kept: pass

def connected(name):
    return sqlite3.connect(name, check_same_thread=False, isolation_level=None, timeout=3)

holding, waiting = connected("runs.db"), connected("films.db")
holding.execute("create table runs (name)")
waiting.execute("attach 'runs.db' as its")
waiting.executescript("create table films (title); insert into films values ('a'), ('b')")
kept = Kept()
kept.cursor, kept.itself = waiting.execute("select title from films"), kept
holding.execute("begin immediate")

def write():
    try:
        waiting.execute("insert into its.runs values ('a')")
        print("written")
    except sqlite3.OperationalError as error:
        print(error)

if sys.argv[1] == "in a thread":
    collect_in_thread()
else:
    gc.set_threshold(50_000)
writing = threading.Thread(target=write)
writing.start()
threading.Event().wait(0.3)  # it has come to wait for the lock
del kept
garbage = []
for _ in range(200_000):
    garbage.append([])
threading.Event().wait(0.5)  # what the loop has to do meanwhile
holding.execute("commit")
writing.join()
"""
"""One thread waits for the database's lock, and a cursor of its connection is garbage of the thread that has it."""


@pytest.mark.parametrize(("where", "outcome"), [("in a thread", "written"), ("where it arises", "database is locked")])
def test_a_cursor_that_is_freed_while_its_connection_waits_keeps_no_lock(
    tmp_path: Path, where: str, outcome: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CYCLE, where], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == outcome


def test_all_garbage_is_collected_in_the_end(tmp_path: Path) -> None:
    program = """
import gc, threading, weakref
from storyreel.flows.servers import garbage

class Kept: pass

old = Kept()
old.itself, freed = old, threading.Event()
weakref.finalize(old, freed.set)
gc.collect()
gc.collect()
garbage._PAUSE_SECONDS = 0.001
garbage.collect_in_thread()
del old
kept = []
while not freed.is_set():
    kept += ([] for _ in range(60_000))
    if len(kept) > 600_000:
        kept.clear()
    freed.wait(0.01)
print(gc.isenabled())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.strip() == "False"
