"""Whole films at scale: many shots that each take 20 s at a service, on one machine.

    uv run python -m benchmarks.runs.scale [--only one|many] [--small]

`one` is a film of 500 shots, 50 at the service at once, that reports to a Prefect server on SQLite, with the ledger in
SQLite. `many` are 20 films of 50 shots begun at the same moment, each with 5 at the service at once, on the stack of
deployments/: server and services on PostgreSQL and Redis, the ledger in PostgreSQL. Each film is the command
`storyreel render` in a process of its own; the wall begins before the first and ends after the last, so imports, the
inspection of every clip, conforming, joining and the contact sheet are in it. The clips are small (256 × 144, 2 s),
but every one is fetched, decoded and inspected; the house format is 720p, so that a clip costs an encode too, unless
`--clips 720p` has the service deliver what fits. The rival is a bare asyncio loop that orders, polls every 3 s and
downloads from the same service, and makes nothing of it. It stops by itself after 20 minutes a row.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import psycopg

from benchmarks.runs.bare import seconds_of
from deployments.processes import Part, Processes, plain_environment, wait_for
from deployments.stack import Stack
from storyreel.flows.servers.local import free_port, probe
from storyreel.flows.servers.packed_database import write_database
from storyreel.tasks.ledger.ledger import Ledger
from storyreel.testing.footage import footage
from tests.services.dashscope import Dashscope, DashscopeSettings
from tests.services.jobs import Job, Script
from tests.services.results import Link

ROOT = Path(__file__).parents[2]
SECONDS = 20.0
"""A take at the service."""
_LONGEST = 1200
_COLUMNS = ("films × shots", "at once", "ideal", "bare loop", "wall", "to ideal", "to bare", "a film's process",
            "server, all parts", "task runs in a final state", "polls a second", "ledger rows", "sold")  # fmt: skip
_SIZES = {"144p": (256, 144), "720p": (1280, 720)}


@dataclass
class Row:
    """The thing that is measured."""

    films: int
    shots: int
    at_once: int
    """Takes of one film at the service."""
    on_stack: bool
    clips: str
    seconds: float = SECONDS

    @property
    def takes(self) -> int:
        return self.films * self.shots

    @property
    def records(self) -> int:
        """Task runs at least: a take is generated and conformed, and a film assembled."""
        return self.takes * 2 + self.films

    @property
    def ideal(self) -> float:
        """Seconds, if nothing but the service took time."""
        return math.ceil(self.shots / self.at_once) * self.seconds


@dataclass
class Memory:
    """The most that processes held together, in bytes, looked at twice a second."""

    of: Mapping[str, list[psutil.Process]]
    most: dict[str, int] = field(default_factory=dict)
    each: dict[str, int] = field(default_factory=dict)
    """The most of a single one, its children apart."""
    _over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self._over.wait(0.5):
            for name, processes in self.of.items():
                held = [_held(process) for process in processes]
                self.each[name] = max(self.each.get(name, 0), *(own for own, _ in held), 0)
                self.most[name] = max(self.most.get(name, 0), sum(own + children for own, children in held))

    @contextmanager
    def watched(self) -> Iterator[None]:
        thread = threading.Thread(target=self.watch)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()


def _held(process: psutil.Process) -> tuple[int, int]:
    """Bytes of a process and of its children: resident, what is shared counted in each."""
    try:
        return process.memory_info().rss, sum(child.memory_info().rss for child in process.children(recursive=True))
    except psutil.Error:
        return 0, 0


class Delivering(Dashscope):
    """The emulator of DashScope, whose clips have the size that is asked for here."""

    def __init__(self, size: tuple[int, int], seconds: float) -> None:
        script = Script(waiting=0, running=0, seconds=seconds)
        super().__init__(DashscopeSettings(script=script, at_once=None))
        self._size = size

    def link_to(self, job: Job) -> str:
        if not job.link:
            job.link = self.result_target(job)
            seconds = job.sale.order.seconds
            self.results.publish(job.link, Link(lambda: footage(seconds, *self._size, job.id), None, None))
        return self.results_url + job.link


def serve(clips: str, seconds: float) -> None:
    """Be the service until standard input ends; then tell what was heard."""
    service = Delivering(_SIZES[clips], seconds)
    with service.served() as base_url:
        print(base_url, flush=True)
        sys.stdin.read()
        polls = [heard.at for heard in service.requests if heard.method == "GET"]
        per_second = [sum(1 for at in polls if second <= at < second + 1) for second in range(*_span(polls))]
        keys = [json.dumps(sale.body, sort_keys=True) for sale in service.accepted]
        told = {"sold": len(keys), "twice": len(keys) - len(set(keys)), "polls": len(polls),
                "busiest": max(per_second, default=0)}  # fmt: skip
        print(json.dumps(told), flush=True)


def _span(times: list[float]) -> tuple[int, int]:
    return (int(min(times)), int(max(times)) + 1) if times else (0, 0)


@contextmanager
def service(row: Row) -> Iterator[tuple[str, dict[str, int]]]:
    """The service as a process of its own; what it heard is there when the context has ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.runs.scale", "--serve", "--clips", row.clips, "--seconds", str(row.seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    heard: dict[str, int] = {}
    try:
        yield process.stdout.readline().strip(), heard
    finally:
        process.stdin.close()
        heard.update(json.loads(process.stdout.readline() or "{}"))
        process.wait(30)


def storyboard(number: int, shots: int) -> str:
    """A film in which every shot is another."""
    lines = [f"- {{shot: S{shot}, action: Film {number} and shot {shot}.}}" for shot in range(1, shots + 1)]
    head = f"storyboard: 1\ntitle: Film {number}\ndefaults: {{provider: dashscope, duration: 2s}}\nshots:\n"
    return head + "\n".join(lines) + "\n"


@contextmanager
def reported(row: Row, folder: Path) -> Iterator[tuple[dict[str, str], dict[str, list[psutil.Process]]]]:
    """A Prefect server for a row: the environment that films report to it with, and its processes."""
    processes = Processes(folder)
    try:
        if row.on_stack:
            stack = Stack(folder)
            stack.up(workers=0)
            told = {name: stack.environment[name] for name in ("PREFECT_API_URL", "STORYREEL_LEDGER_URL")}
        else:
            port = free_port()
            command = (sys.executable, "-P", "-m", "prefect", "server", "start", "--port", str(port))
            told = {"PREFECT_HOME": str(folder / "prefect"), "DO_NOT_TRACK": "1"}
            (folder / "prefect").mkdir(parents=True)
            write_database(folder / "prefect" / "prefect.db")  # as `storyreel ui` does; the films come after it
            environment = {**plain_environment(), **told, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
            processes.start(Part(name="server", command=command, environment=environment, folder=folder))
            wait_for("Prefect's server", lambda: probe(port) == "prefect", processes, "server", 120)
            told = {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}
        yield told, {name: [found] for name in processes.names() if (found := processes.find(name))}
    finally:
        for name in processes.names():
            processes.stop(name, 20)


def measure(row: Row) -> dict[str, object]:
    """Render, and tell what it took."""
    with tempfile.TemporaryDirectory(prefix="storyreel-scale-") as made:
        folder = Path(made)
        folder.chmod(0o711)
        with service(row) as (base_url, _):
            bare = seconds_of(row.films, row.shots, row.at_once, base_url)
        with reported(row, folder / "stack") as (told, server), service(row) as (base_url, heard):
            environment = {
                **plain_environment(),
                "PYTHONPATH": str(ROOT),
                "PREFECT_HOME": str(folder / "client"),
                "STORYREEL_HOME": str(folder / "home"),
                "DASHSCOPE_API_KEY": "sk-emulator",
                "DASHSCOPE_BASE_URL": base_url,
                "DASHSCOPE_AT_ONCE": str(row.at_once),
                **told,
            }
            before, begun = _films_cpu(), time.perf_counter()
            films = [_render(number, row, folder, environment) for number in range(row.films)]
            memory = Memory({"films": [psutil.Process(film.pid) for film in films], **server})
            try:
                with memory.watched():
                    codes = [_waited(film, begun) for film in films]
            finally:
                for film in films:
                    film.kill()
            wall = time.perf_counter() - begun
            spent = {"films": _films_cpu() - before, **{name: _cpu(each[0]) for name, each in server.items()}}
            records = _records(told["PREFECT_API_URL"], row.records)
            url = told.get("STORYREEL_LEDGER_URL") or f"sqlite:///{folder / 'home' / 'ledger.sqlite'}"
            ledger = Ledger(url)
            rows = len(ledger.list())
            ledger.close()
            kept = _kept(row, folder)
        if any(codes):  # what it said, while its folder is there
            said = (folder / f"film-{next(n for n, code in enumerate(codes) if code)}.log").read_text()[-2000:]
            raise SystemExit(f"a film was not made: {codes}\n{said}")
        found = {"spent": spent, "kept": kept}
        return {
            **found,
            "row": row,
            "bare": bare,
            "wall": wall,
            "memory": memory,
            "records": records,
            "rows": rows,
            **heard,
        }


def _render(number: int, row: Row, folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    film = folder / f"film-{number}.yaml"
    film.write_text(storyboard(number, row.shots))
    command = [
        Path(sys.executable).with_name("storyreel"),
        "render",
        str(film),
        "--yes",
        "--json",
        "--out",
        str(folder / f"out-{number}"),
    ]
    with (folder / f"film-{number}.log").open("wb") as log:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)


def _waited(film: subprocess.Popen[bytes], begun: float) -> int:
    try:
        return film.wait(max(1.0, _LONGEST - (time.perf_counter() - begun)))
    except subprocess.TimeoutExpired:
        film.kill()
        return film.wait()


def _records(api: str, expected: int) -> tuple[int, int, float]:
    """Task runs that Prefect's server has in a final state, and all; and seconds until it had them, at most 300."""
    final = {"task_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CANCELLED", "CRASHED"]}}}}
    begun = time.monotonic()
    while True:
        done, all_ = (httpx.post(f"{api}/task_runs/count", json=body, timeout=30).json() for body in (final, {}))
        waited = time.monotonic() - begun
        if done == all_ >= expected or waited > 300:
            return done, all_, waited
        time.sleep(1)


def _films_cpu() -> float:
    """Seconds of all processes that were begun here and waited for, and of their children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _cpu(process: psutil.Process) -> float:
    """Seconds of a process and its children, the start in it."""
    with suppress(psutil.Error):
        return sum(sum(each.cpu_times()[:4]) for each in (process, *process.children(recursive=True)))
    return 0.0


def _kept(row: Row, folder: Path) -> dict[str, float]:
    """The traces that a take leaves for good: rows of Prefect's database by table, and bytes of both databases."""
    if row.on_stack:
        stack = Stack(folder / "stack")
        with psycopg.connect(stack.database.url("prefect")) as prefect:
            prefect.execute("analyze")
            found = prefect.execute(
                "select relname, reltuples from pg_class where relkind = 'r' and reltuples > 0"
                " and relnamespace = 'public'::regnamespace"
            )
            rows = {name: float(count) for name, count in found.fetchall()}
            sizes = prefect.execute("select datname, pg_database_size(datname) from pg_database").fetchall()
        return {**rows, **{f"bytes of {name}": size for name, size in sizes if name in ("prefect", "storyreel")}}
    with sqlite3.connect(folder / "stack" / "prefect" / "prefect.db") as prefect:
        tables = [name for (name,) in prefect.execute("select name from sqlite_master where type = 'table'")]
        rows = {name: prefect.execute(f'select count(*) from "{name}"').fetchone()[0] for name in tables}
    files = {"prefect": folder / "stack/prefect/prefect.db", "storyreel": folder / "home/ledger.sqlite"}
    return {**rows, **{f"bytes of {name}": file.stat().st_size for name, file in files.items()}}


def tell(found: Mapping[str, object]) -> None:
    """A row of the table, and below it the memory of each part."""
    row, memory, wall, bare = found["row"], found["memory"], found["wall"], found["bare"]
    assert isinstance(row, Row) and isinstance(memory, Memory) and isinstance(wall, float) and isinstance(bare, float)
    kept, all_, late = found["records"]  # type: ignore[misc]
    polls = found["polls"]
    assert isinstance(polls, int)
    print(
        f"| {row.films} × {row.shots} | {row.films * row.at_once} | {row.ideal:.0f} s | {bare:.1f} s | {wall:.1f} s "
        f"| {wall / row.ideal:.2f} | {wall / bare:.2f} | {memory.each['films'] / 1e6:.0f} MB "
        f"| {sum(most for name, most in memory.most.items() if name != 'films') / 1e6:.0f} MB "
        f"| {kept} of {all_} (≥ {row.records}), after {late:.0f} s "
        f"| {polls / wall:.1f}, at most {found['busiest']} | {found['rows']} "
        f"| {found['sold']}, twice {found['twice']} |"
    )
    per_take = {name: seconds / row.takes for name, seconds in found["spent"].items()}  # type: ignore[attr-defined]
    print("\n  at most: " + ", ".join(f"{name} {most / 1e6:.0f} MB" for name, most in memory.most.items()))
    print("  CPU seconds a take: " + ", ".join(f"{name} {seconds:.3f}" for name, seconds in per_take.items()))
    print(
        "  kept a take: " + ", ".join(f"{name} {n / row.takes:.4g}" for name, n in sorted(found["kept"].items()) if n)
    )  # type: ignore[attr-defined]


def main() -> None:
    """Measure and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", choices=("one", "many"))
    options.add_argument("--small", action="store_true", help="a minute or two, to try")
    options.add_argument("--clips", choices=_SIZES, default="144p", help="the size that the service delivers")
    options.add_argument("--shots", type=int, default=500, help="of the one film")
    options.add_argument("--films", type=int, default=20, help="at the same time")
    options.add_argument("--each", type=int, default=50, help="shots of each of them")
    options.add_argument("--seconds", type=float, default=SECONDS, help="that a take is at the service")
    options.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.serve:
        with suppress(KeyboardInterrupt):
            serve(asked.clips, asked.seconds)
        return
    small = asked.small
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that what was begun is ended
    told = {"clips": asked.clips, "seconds": asked.seconds}
    rows = {
        "one": Row(1, 50 if small else asked.shots, at_once=50, on_stack=False, **told),
        "many": Row(4 if small else asked.films, 10 if small else asked.each, at_once=5, on_stack=True, **told),
    }
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()}\n")
    print("| " + " | ".join(_COLUMNS) + " |\n" + "|---" * len(_COLUMNS) + "|")
    for name, row in rows.items():
        if asked.only in (None, name):
            tell(measure(row))


if __name__ == "__main__":
    main()
