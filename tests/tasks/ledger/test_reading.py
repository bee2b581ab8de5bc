"""A ledger in SQLite is read without SQLAlchemy, and says the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from storyreel.tasks.ledger.ledger import Ledger, LedgerError, NewVerdict, State, Word
from storyreel.tasks.ledger.reading.purchases import COLUMNS, ORDER_COLUMNS
from storyreel.tasks.ledger.reading.queries import Queries
from storyreel.tasks.ledger.reading.sqlite import open_to_read
from storyreel.tasks.ledger.schema import EARLIER, PURCHASES
from tests.tasks.ledger.ordering import CLIP, an_order, dollars, row

READS: dict[str, Callable[[Queries], Any]] = {
    "find": lambda ledger: ledger.find("k1"),
    "find_all": lambda ledger: ledger.find_all(["k1", "k2", "none"]),
    "latest": lambda ledger: ledger.latest("The Keeper", ["1A", "1B"]),
    "list": lambda ledger: ledger.list(limit=2),
    "list of a state": lambda ledger: ledger.list(state=State.INTENDED, film="The Keeper"),
    "list of keys": lambda ledger: ledger.list(key="k_"),
    "list since": lambda ledger: ledger.list(since=datetime.now(UTC) - timedelta(hours=1)),
    "committed to a run": lambda ledger: ledger.committed("run", run="r"),
    "committed to a shot": lambda ledger: ledger.committed("shot", film="The Keeper", slate="1A"),
    "committed in a month": lambda ledger: ledger.committed("month", film="The Keeper"),
    "unpriced": lambda ledger: ledger.unpriced("month", film="The Keeper"),
    "spent": lambda ledger: ledger.spent(),
    "spent by scene": lambda ledger: ledger.spent_by("scene", provider="aimlapi"),
    "history": lambda ledger: ledger.history("k1"),
    "claimed": lambda ledger: ledger.claimed("aimlapi", ["t1", "t9"]),
    "given_up": lambda ledger: ledger.given_up("aimlapi"),
    "past_durations": lambda ledger: ledger.past_durations("aimlapi", "wan"),
    "verdicts": lambda ledger: ledger.verdicts(["k1", "k2"]),
    "has_verdicts": lambda ledger: ledger.has_verdicts,
}


def in_vain() -> Ledger:
    raise AssertionError("it can be read without the whole ledger")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def whole(file: Path) -> Iterator[Ledger]:
    """A ledger with orders of every kind."""
    ledger = Ledger(f"sqlite:///{file}")
    for key, slate, price in (("k1", "1A", dollars("0.50")), ("k2", "1B", None), ("k%", "1A", dollars("0"))):
        ledger.intend(an_order(key, slate=slate, run="r", scene="2").model_copy(update={"price": price}))
    ledger.mark_submitted("k1", "t1", dollars("0.65"))
    ledger.mark_finished("k1", CLIP)
    ledger.mark_failed("k2", "moderated", owed=True)
    ledger.intend_again(row(ledger, "k2"), an_order("k2", slate="1B"))
    ledger.add_verdicts([NewVerdict(key="k1", film="The Keeper", slate="1A", take=1, word=Word.RETAKE, by="Ana")])
    yield ledger
    ledger.close()


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_it_says_the_same(whole: Ledger, file: Path, read: Callable[[Queries], Any]) -> None:
    reader = open_to_read(file, in_vain)
    told, expected = (_without_time(read(each)) for each in (reader, whole))
    reader.close()
    assert told == expected


def _without_time(told: Any) -> Any:
    """The same without the time and the reader of each row."""
    if isinstance(told, dict):
        return {name: _without_time(each) for name, each in told.items()}
    if isinstance(told, tuple):
        return tuple(map(_without_time, told))
    if hasattr(told, "reader"):
        return told.model_dump(exclude={"read", "reader"})
    return told


def test_the_columns_that_are_read_are_those_of_the_tables() -> None:
    assert set(COLUMNS) == {column.name for column in PURCHASES.columns}
    assert set(ORDER_COLUMNS) == {column.name for column in EARLIER.columns} - {"key", "number"}


def test_a_ledger_of_another_version_is_opened_as_a_whole_and_told(whole: Ledger, file: Path) -> None:
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(text("update schema_version set version = 99"))
    engine.dispose()
    with pytest.raises(LedgerError, match="newer storyreel"):
        open_to_read(file, lambda: Ledger(f"sqlite:///{file}"))


def test_what_is_damaged_while_it_is_read_is_told_as_by_the_whole_ledger(whole: Ledger, file: Path) -> None:
    reader = open_to_read(file, lambda: Ledger(f"sqlite:///{file}"))
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(text("drop table verdicts"))
    engine.dispose()
    with pytest.raises(LedgerError, match="cannot be used: no such table: verdicts"):
        reader.verdicts(["k1"])
    reader.close()
