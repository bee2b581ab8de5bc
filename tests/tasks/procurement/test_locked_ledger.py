"""Another program holds the ledger's lock: a run goes on with all else, stops when it is told to, and loses nothing."""

from __future__ import annotations

import asyncio
import logging
import signal
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from storyreel.specs.storyboard import Mode
from storyreel.tasks import studio as studios
from storyreel.tasks.ledger.ledger import Ledger, Order, State
from storyreel.tasks.prices.price_list import PriceList
from storyreel.tasks.procurement.collect import Take
from storyreel.tasks.procurement.order import obtain
from storyreel.tasks.procurement.patience import Patience
from storyreel.tasks.storage.acceptances import acceptances
from storyreel.tasks.storage.clips import ClipStore
from storyreel.tasks.studio import Studio
from storyreel.testing.faults import Call, Reset
from tests import postgres
from tests.services.emulator import Emulator
from tests.services.jobs import Script
from tests.tasks.procurement.killing import FINISHED, Place
from tests.tasks.providers.hosted_services import SERVICES
from tests.tasks.providers.hosted_services import request as request_for

SERVICE = SERVICES["apiyi"]
_LONGEST = 60


class Lock:
    """The lock of a ledger, held by another program from `take` to `release`; may be taken in any thread.

    In PostgreSQL its mode is one that keeps out readers, too, unless set.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.mode = "access exclusive"
        self._held: Any = None
        self._once = threading.Lock()
        self.is_held = threading.Event()

    def take(self) -> None:
        if self._url.startswith("sqlite"):
            self._held = sqlite3.connect(self._url[10:], isolation_level=None, check_same_thread=False)
            self._held.execute("begin immediate")
        else:
            self._held = psycopg.connect(self._url)
            self._held.execute(f"lock table purchases, earlier, events in {self.mode} mode")
        self.is_held.set()

    def take_once(self, _: object) -> bool:
        """Take it when a service is first asked for a take; False, so that a fault with this condition never comes."""
        with self._once:
            if self._held is None:
                self.take()
        return False

    def is_waited_for(self) -> bool:
        """Whether somebody waits for it; True for SQLite, which does not tell."""
        if self._url.startswith("sqlite"):
            return True
        (waiting,) = self._held.execute("select count(*) from pg_locks where not granted").fetchone()
        return bool(waiting)

    def release(self) -> None:
        if self.is_held.is_set():
            self._held.rollback()
            self._held.close()
            self.is_held.clear()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}" if request.param == "sqlite" else postgres.running().fresh()
    Ledger(url).close()
    return url


@pytest.fixture
def lock(url: str) -> Iterator[Lock]:
    lock = Lock(url)
    yield lock
    lock.release()


@asynccontextmanager
async def studio_at(url: str, folder: Path, base_url: str) -> AsyncIterator[Studio]:
    """The studio of another run each time."""
    async with SERVICE.provider(base_url, timeout=10) as provider:
        clips, house = ClipStore(folder / "clips"), folder / "house"
        studio = Studio(Ledger(url), clips, house, {SERVICE.name: provider}, PriceList.read({}), 0.02)
        yield studio
        await studio.close()


def take(number: int) -> Take:
    request = request_for(SERVICE, Mode.TEXT, seed=number, take=number)
    order = Order(
        key=request.key, provider=SERVICE.name, model=request.model, request=request.canonical(),
        film="F", slate="1A", take=number,
    )  # fmt: skip
    return Take(order=order, request=request, timeout=_LONGEST)


def begin(studio: Studio, number: int) -> asyncio.Task[Any]:
    made = take(number)
    return asyncio.create_task(obtain(made, studio, logging.getLogger("take"), Patience(_LONGEST, "1A", number)))


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(_LONGEST):
        while not is_so():
            await asyncio.sleep(0.01)


class Gaps:
    """The longest time for which the event loop did not come to run, though there was a processor for it; and a thread
    beside it, as the machine is busy."""

    loop = thread = 0.0


def without_processor() -> float:
    """Seconds for which this thread was ready to run and had no processor; 0 where the system does not tell."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


@asynccontextmanager
async def gaps() -> AsyncIterator[Gaps]:
    found, ends = Gaps(), threading.Event()

    def in_thread() -> None:
        before = time.monotonic()
        while not ends.wait(0.01):
            found.thread, before = max(found.thread, time.monotonic() - before), time.monotonic()

    async def on_loop() -> None:
        before, withheld = time.monotonic(), without_processor()
        while True:
            await asyncio.sleep(0.01)
            found.loop = max(found.loop, time.monotonic() - before - without_processor() + withheld)
            before, withheld = time.monotonic(), without_processor()

    thread, task = threading.Thread(target=in_thread), asyncio.create_task(on_loop())
    thread.start()
    try:
        yield found
    finally:
        ends.set()
        thread.join()
        task.cancel()


async def test_the_loop_goes_on_while_the_ledger_is_locked(
    tmp_path: Path, url: str, lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One take waits at its service, one is downloaded, and one is to be ordered."""
    monkeypatch.setattr(studios, "_RENEW_SECONDS", 0.5)
    emulator: Emulator = SERVICE.emulated(script=Script(waiting=1, running=1))
    emulator.use_script(Script(waiting=1, running=1, seconds=_LONGEST))
    emulator.use_script(Script(waiting=1, running=10))
    with emulator.served() as base_url:
        async with studio_at(url, tmp_path, base_url) as studio:
            renewing = asyncio.create_task(studios._renew_leases(studio.ledger))
            long = begin(studio, 1)
            await until(lambda: len(emulator.accepted) == 1)
            quick = begin(studio, 2)
            await until(lambda: len(emulator.accepted) == 2)
            await until(lambda: len([one for one in studio.ledger.list() if one.state is State.SUBMITTED]) == 2)
            lock.take()
            polls = len(emulator.requests)
            async with gaps() as longest:
                other = begin(studio, 3)
                await asyncio.sleep(10 if url.startswith("sqlite") else 4)
            assert longest.loop < max(0.2, 3 * longest.thread)
            assert len(emulator.requests) - polls > 20, "the service was asked again and again"
            await until(studio.clips.receipts)  # The clip was downloaded, and is in the store.
            assert len(emulator.fetches) == 1
            assert not quick.done() and not other.done() and len(emulator.accepted) == 2
            released = time.time()
            lock.release()
            await asyncio.wait_for(asyncio.gather(quick, other), _LONGEST)
            assert len(emulator.accepted) == 3
            await until(lambda: _lease(studio, 1) > released + 60)
            renewing.cancel()
            long.cancel()
            with suppress(asyncio.CancelledError):
                await long
            assert {purchase.state for purchase in studio.ledger.list()} == {State.FINISHED, State.SUBMITTED}


def _lease(studio: Studio, number: int) -> float:
    purchase = studio.ledger.find(take(number).order.key)
    assert purchase and purchase.lease_until
    return purchase.lease_until.timestamp()


@pytest.mark.parametrize("mode", ["access exclusive", "share"])
async def test_a_take_cancelled_before_its_intent_is_stored_is_not_ordered(
    tmp_path: Path, url: str, lock: Lock, mode: str
) -> None:
    lock.mode = mode
    emulator = SERVICE.emulated(script=Script(waiting=1, running=1))
    with emulator.served() as base_url:
        async with studio_at(url, tmp_path, base_url) as studio:
            # In PostgreSQL readers would wait for the lock, too: it is taken when the take has been looked up.
            intend = Ledger.intend

            def intend_later(self: Ledger, *arguments: Any) -> bool:
                lock.take()
                return intend(self, *arguments)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Ledger, "intend", intend_later)
                making = begin(studio, 1)
                await asyncio.to_thread(lock.is_held.wait)
                await until(lock.is_waited_for)
                making.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await making
            assert lock.is_held.is_set(), "it did not wait for the other program"
            lock.release()
            await begin(studio, 2)  # whose intent is stored after the one that was given up
            assert [purchase.order.take for purchase in studio.ledger.list()] == [2]
            assert len(emulator.accepted) == 1
        async with studio_at(url, tmp_path, base_url) as studio:
            assert (await begin(studio, 1)).path.is_file()
            assert len(emulator.accepted) == 2


async def test_an_order_whose_run_is_stopped_before_the_ledger_has_it_is_not_lost(
    tmp_path: Path, url: str, lock: Lock
) -> None:
    emulator = SERVICE.emulated(script=Script(waiting=1, running=1))
    emulator.fault(Call.CREATE, Reset(), when=lock.take_once)
    with emulator.served() as base_url:
        async with studio_at(url, tmp_path, base_url) as studio:
            making = begin(studio, 1)
            await until(lambda: acceptances(studio.accepted_folder))
            making.cancel()
            with pytest.raises(asyncio.CancelledError):
                await making
            assert lock.is_held.is_set(), "it did not wait for the other program"
            known = await studio.find_briefly([take(1).order.key])
            if url.startswith("sqlite"):  # where reads go on, so that the end of the run tells of it
                assert known and [one.task for one in known.values()] == [emulator.accepted[0].task]
            else:
                assert known is None
        # The process ends here, and what it had begun in the ledger with it; another one goes on.
        lock.release()
        (accepted,) = emulator.accepted
        async with studio_at(url, tmp_path, base_url) as studio:
            assert (await begin(studio, 1)).path.is_file()
            assert emulator.accepted == [accepted], "it was bought once"
            purchase = studio.ledger.find(take(1).order.key)
            assert purchase and (purchase.state, purchase.task) == (State.FINISHED, accepted.task)
            assert acceptances(studio.accepted_folder) == []


def test_an_order_whose_process_is_killed_before_the_ledger_has_it_is_not_lost(
    tmp_path: Path, url: str, lock: Lock
) -> None:
    emulator = SERVICE.emulated(script=Script(waiting=1, running=1))
    emulator.fault(Call.CREATE, Reset(), when=lock.take_once)
    with emulator.served() as base_url:
        place = Place(tmp_path, SERVICE.name, base_url, url, takes=1)
        process = place.begin()
        deadline = time.monotonic() + _LONGEST
        while not acceptances(tmp_path / "accepted"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
        process.join(_LONGEST)
        assert process.exitcode == -signal.SIGKILL
        lock.release()
        process = place.begin()
        process.join(_LONGEST)
        assert process.exitcode == FINISHED, "none is unknown"
        assert len(emulator.accepted) == 1
        assert acceptances(tmp_path / "accepted") == []
