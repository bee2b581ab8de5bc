"""Many processes at one ledger at once. Their work is defined here, where a new process can import it."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from typing import Any

from storyreel.tasks.ledger.ledger import BudgetExceeded, Ledger, Limit, Order

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.tasks.ledger.racing", "psycopg"])
_PATIENCE = 90


def together(work: Callable[..., Any], each: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The results or errors of work in as many processes as there are arguments. All start it together, and none ends
    before all have done it."""
    barrier, answers = _CONTEXT.Barrier(len(each)), _CONTEXT.Queue()
    processes = [_CONTEXT.Process(target=_one, args=(work, some, barrier, answers)) for some in each]
    for process in processes:
        process.start()
    given = [answers.get(timeout=_PATIENCE) for _ in processes]
    for process in processes:
        process.join(_PATIENCE)
    return given


def _one(work: Callable[..., Any], arguments: tuple[Any, ...], barrier: Any, answers: Any) -> None:
    barrier.wait(_PATIENCE)
    try:
        answers.put(work(*arguments))
    except BaseException as error:
        answers.put(f"{type(error).__name__}: {error}")
        raise
    finally:
        barrier.wait(_PATIENCE)


def killed_at_work(work: Callable[..., Any], arguments: tuple[Any, ...], after: int) -> list[Any]:
    """The first `after` answers of work in a process that is killed then."""
    answers = _CONTEXT.Queue()
    process: BaseProcess = _CONTEXT.Process(target=work, args=(*arguments, answers))
    process.start()
    given = [answers.get(timeout=_PATIENCE) for _ in range(after)]
    assert process.pid
    process.kill()
    process.join(_PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    return given


def opened(url: str) -> str:
    """Open a ledger, read from it, close it."""
    ledger = Ledger(url)
    try:
        return "opened" if ledger.find("nothing") is None else "strange"
    finally:
        ledger.close()


def won(url: str, orders: Sequence[Order]) -> list[str]:
    """The keys whose order this process could insert, of those that all want."""
    ledger = Ledger(url)
    mine = [order.key for order in orders if ledger.intend(order)]
    for key in mine:
        ledger.mark_submitted(key, f"task-of-{key}", None)
    ledger.close()
    return mine


def taken_over(url: str, key: str) -> bool:
    """Whether this process could take over an abandoned purchase, which it then owns to its end."""
    ledger = Ledger(url)
    purchase = ledger.find(key)
    assert purchase is not None
    return purchase.is_abandoned() and ledger.take_over(purchase)


def ordering_for_ever(url: str, orders: Sequence[Order], answers: Any) -> None:
    """Store one order after the other, answer with each key, and never end."""
    ledger = Ledger(url)
    for order in orders:
        assert ledger.intend(order)
        answers.put(order.key)
        ledger.mark_submitted(order.key, f"task-of-{order.key}", None)
    while True:
        time.sleep(1)


def reserved(url: str, orders: Sequence[Order], limits: Sequence[Limit]) -> list[str]:
    """The keys of those orders that the budget of all processes had room for."""
    ledger, noted = Ledger(url), []
    for order in orders:
        try:
            if ledger.intend(order, limits):
                noted.append(order.key)
        except BudgetExceeded:
            continue
    ledger.close()
    return noted
