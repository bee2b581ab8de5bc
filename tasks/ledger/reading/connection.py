"""A connection to the ledger for reading: of any library, in a transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from storyreel.tasks.ledger.owner import Owner

Item = TypeVar("Item")
Values = Mapping[str, Any]

VERSION = 5
"""Version of the ledger's tables. Versions 1 to 4 were never released."""

_BATCH = 500
"""Values in one query: SQLite before 3.32 takes at most 999 parameters."""


class Connection(NamedTuple):
    """A transaction as reads see it."""

    select: Callable[[str, Values], Iterable[Sequence[Any]]]
    """Runs a query with its values, which are named `:name` in it, and returns the rows."""
    now: str
    """The database's time, in SQL."""
    reader: Owner
    """The run that reads."""
    lock: str = ""
    """SQL that locks the purchases of a query until the transaction ends; empty if no other process can write."""


def in_batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Lists of at most as many items as one query may have values."""
    remaining = iter(items)
    while some := list(islice(remaining, _BATCH)):
        yield some


def marks(name: str, items: Sequence[Any]) -> tuple[str, dict[str, Any]]:
    """The names of items in a query, `:key0, :key1`, and their values."""
    values = {f"{name}{number}": item for number, item in enumerate(items)}
    return ", ".join(f":{each}" for each in values), values
