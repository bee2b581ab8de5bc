"""Failures of the database: what an error says, what is retried, what is never shown."""

from __future__ import annotations

import builtins
import os
import pickle
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from storyreel.tasks.ledger import database
from storyreel.tasks.ledger.ledger import Ledger, LedgerError, Order, Purchase, State
from storyreel.tasks.ledger.transaction import Transaction
from tests import postgres
from tests.tasks.ledger.ordering import CLIP, an_order, row


def refusal(url: str) -> LedgerError:
    with pytest.raises(LedgerError) as refused:
        Ledger(url)
    return refused.value


def test_a_file_that_is_not_a_database_is_reported_as_damaged(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    file.write_text("this is no database, and it is long enough to be looked at")
    error = refusal(f"sqlite:///{file}")
    assert "damaged" in error.message and str(file) in error.message
    assert "restore" in error.hint
    assert file.read_text().startswith("this is no database"), "it is left as it is"


def test_a_corrupted_ledger_is_reported_as_damaged(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    ledger = Ledger(f"sqlite:///{file}")
    for number in range(200):
        ledger.intend(an_order(f"k{number}"))
    ledger.close()
    content = bytearray(file.read_bytes())
    content[4096:-4096] = os.urandom(len(content) - 8192)
    file.write_bytes(content)
    torn: LedgerError | None = None
    try:
        ledger = Ledger(f"sqlite:///{file}")
        for number in range(200):
            ledger.find(f"k{number}")
    except LedgerError as error:
        torn = error
    assert torn is not None and "damaged" in torn.message and "restore" in torn.hint


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    error = refusal(f"sqlite:///{tmp_path / 'home' / 'ledger.sqlite'}")
    assert "cannot be created" in error.message and "STORYREEL_HOME" in error.hint


def test_a_file_system_without_shared_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Remote(sqlite3.Connection):
        def execute(self, statement: str, *rest: Any) -> sqlite3.Cursor:
            # What SQLite answers on a network file system: the mode stays as it was.
            return super().execute("PRAGMA journal_mode" if "journal_mode" in statement else statement, *rest)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **more: connect(*given, **(more | {"factory": Remote})))
    monkeypatch.setattr(sqlite3.dbapi2, "connect", sqlite3.connect)
    error = refusal(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    assert "file system" in error.message and "disk of this machine" in error.hint


@pytest.mark.parametrize(
    "url", ["mysql://me:secret-word@host/films", "postgresql:secret-word", "secret-word", "sqlite+x:"]
)
def test_a_wrong_address_is_refused_and_not_repeated(url: str) -> None:
    error = refusal(url)
    assert "STORYREEL_LEDGER_URL" in str(error)
    assert "secret-word" not in _all_of(error)


def test_a_missing_driver_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    really = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "psycopg":
            raise ModuleNotFoundError(f"No module named {name!r}", name="psycopg")
        return really(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    error = refusal("postgresql://me:secret-word@127.0.0.1/films")
    assert error.next == "pip install 'storyreel[postgres]'"
    assert "secret-word" not in str(error)


def test_an_unreachable_server_is_reported_at_once_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("a wrong address is not waited for"))
    error = refusal("postgresql://me:secret-word@127.0.0.1:1/films")
    assert "postgresql+psycopg://…@127.0.0.1:1/films" in error.message
    assert "secret-word" not in _all_of(error)


def test_a_wrong_password_is_not_shown() -> None:
    server = postgres.running()
    error = refusal(server.url.replace(postgres.PASSWORD, "another-secret-word"))
    assert "password authentication failed" in error.message
    assert "another-secret-word" not in _all_of(error)


def _all_of(error: BaseException | None) -> str:
    """Everything that a log of it could hold."""
    text = ""
    while error is not None:
        text += f"{error} {error!r} {error.args}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return text


def test_a_request_is_in_no_message(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    ledger = Ledger(f"sqlite:///{file}")
    with sqlite3.connect(file) as raw:
        raw.execute("drop table events")
    with pytest.raises(LedgerError) as failed:
        ledger.intend(an_order(request='{"prompt": "nobody may read this"}'))
    assert "nobody may read this" not in _all_of(failed.value)
    ledger.close()


def test_a_slow_writer_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    ledger = Ledger(f"sqlite:///{file}")
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("begin immediate")
    release = threading.Timer(1, lambda: other.execute("commit"))
    release.start()
    assert ledger.intend(an_order())
    release.join()
    other.close()
    ledger.close()


def test_a_writer_that_never_ends_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_TIMEOUT", 0.2)
    file = tmp_path / "ledger.sqlite"
    ledger = Ledger(f"sqlite:///{file}")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(LedgerError, match="another program has locked"):
        ledger._database.write(lambda connection: None, timeout=0.2)
    other.close()
    ledger.close()


def test_a_restarting_server_is_waited_for() -> None:
    server = postgres.another()
    ledger = Ledger(server.fresh())
    ledger.intend(an_order())
    server.stop()
    again = threading.Timer(1, server.start)
    again.start()
    assert ledger.mark_submitted("k", "task-7", None), "what is paid is noted, whatever the server does meanwhile"
    again.join()
    assert (row(ledger).state, row(ledger).task) == (State.SUBMITTED, "task-7")
    ledger.close()
    server.stop()


def test_a_task_id_that_could_not_be_stored_is_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    server = postgres.another()
    ledger = Ledger(server.fresh())
    ledger.intend(an_order("k" * 64))
    server.stop()
    retry = ledger._database.retry
    monkeypatch.setattr(ledger._database, "retry", lambda work, timeout=0.0: retry(work, 0.0))
    with pytest.raises(LedgerError) as lost:
        ledger.mark_submitted("k" * 64, "task-7", None)
    assert "task-7" in lost.value.message
    assert lost.value.next == "storyreel reconcile --key kkkkkkkkkkkk --attach task-7"
    ledger.close()


def test_a_commit_whose_answer_was_lost_is_recognized(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(url)
    really, lost = ledger._database._transaction, iter([True, False])

    def committed_but_unheard(work: Any, begin: str, *rest: Any) -> Any:
        answer = really(work, begin, *rest)
        if begin == "BEGIN IMMEDIATE" and next(lost, False):
            raise sqlite3.OperationalError("database is locked")
        return answer

    monkeypatch.setattr(ledger._database, "_transaction", committed_but_unheard)
    assert ledger.intend(an_order()), "the row is there, and it is ours"
    lost = iter([True, False])
    assert ledger.mark_submitted("k", "task-7", None)
    lost = iter([True, False])
    assert ledger.mark_finished("k", CLIP)
    assert [event.state for event in ledger.history("k")] == [State.INTENDED, State.SUBMITTED, State.FINISHED]
    ledger.close()


def test_an_intent_that_is_given_up_is_known_to_be_stored_if_the_answer_was_lost(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would not be withdrawn, and an order that was never sent would be unknown."""
    ledger, is_wanted = Ledger(url), True
    really = ledger._database._transaction

    def committed_but_unheard(work: Any, begin: str, *rest: Any) -> Any:
        nonlocal is_wanted
        answer = really(work, begin, *rest)
        if begin == "BEGIN IMMEDIATE" and is_wanted:
            is_wanted = False
            raise sqlite3.OperationalError("database is locked")
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(ledger._database, "_transaction", committed_but_unheard)
        assert ledger.intend(an_order(), (), lambda: is_wanted)
        assert ledger.withdraw("k") and ledger.list() == ()
        is_wanted = True
        assert ledger.intend(an_order("other"))
        is_wanted = False
        ledger.mark_failed("other", "refused")
        failed = ledger.find("other")
        assert failed
        is_wanted = True
        assert ledger.intend_again(failed, an_order("other"), (), lambda: is_wanted)
        assert ledger.withdraw("other")
        assert not ledger.intend_again(failed, an_order("other"), (), lambda: False), "nothing is stored"
    found = ledger.find("other")
    assert found and found.state is State.FAILED
    ledger.close()


def test_a_take_with_an_equal_request_is_not_taken_for_an_intent_whose_answer_was_lost(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two shots of one run may have one key; the connection breaks while the second is about to be stored."""
    ledger, insert = Ledger(url), Transaction.insert
    assert ledger.intend(an_order())

    def broken(tx: Transaction, order: Order) -> Purchase:
        monkeypatch.setattr(Transaction, "insert", insert)
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(Transaction, "insert", broken)
    assert not ledger.intend(an_order()), "the first of them sends the order"
    ledger.mark_failed("k", "refused")
    failed, row = ledger.find("k"), Transaction.row
    assert failed and ledger.intend_again(failed, an_order())

    def broken_again(tx: Transaction, key: str) -> Purchase:
        monkeypatch.setattr(Transaction, "row", row)
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(Transaction, "row", broken_again)
    assert not ledger.intend_again(failed, an_order())
    ledger.close()


def test_the_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(LedgerError("gone", next="storyreel doctor")))
    assert str(error) == "gone\nnext: storyreel doctor"


def test_a_commit_is_on_the_disk(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    modes = ledger._database.read(
        lambda connection: [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        ]
    )
    assert modes == ["wal", 2]
    ledger.close()
