"""Verdicts: only added, the newest of a key counts, and one answer is stored once however often it is sent."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from storyreel.tasks.ledger.ledger import Ledger, NewVerdict, Word

Open = Callable[..., Ledger]


def said(key: str, word: Word = Word.APPROVED, **more: str) -> NewVerdict:
    return NewVerdict(key=key, film="The Keeper", slate="1B", take=2, word=word, **more)


def test_the_newest_verdict_of_a_key_counts(ledger: Ledger, open_ledger: Open) -> None:
    assert not ledger.has_verdicts
    ledger.add_verdicts([said("a", Word.RETAKE, note="too dark", action="She waits.", by="Ana"), said("b")])
    other = open_ledger()
    assert other.has_verdicts
    first = other.verdicts(["a", "b", "c"])
    assert set(first) == {"a", "b"}
    assert (first["a"].word, first["a"].note, first["a"].action, first["a"].by) == (
        "retake", "too dark", "She waits.", "Ana",
    )  # fmt: skip
    assert (first["a"].film, first["a"].slate, first["a"].take) == ("The Keeper", "1B", 2)
    other.add_verdicts([said("a")])
    second = ledger.verdicts(["a", "b"])
    assert (second["a"].word, second["b"]) == ("approved", first["b"])
    assert second["a"].number > first["b"].number and second["a"].at >= first["a"].at


def test_the_same_answer_again_does_not_replace_a_later_verdict(ledger: Ledger) -> None:
    answer = [said("a"), said("b")]
    assert ledger.add_verdicts(answer, "run/1")
    assert ledger.add_verdicts([said("a", Word.RETAKE)])
    assert not ledger.add_verdicts(answer, "run/1")
    assert ledger.verdicts(["a"])["a"].word is Word.RETAKE
    assert ledger.add_verdicts([said("b", Word.RETAKE)], "run/2")
    assert ledger.verdicts(["b"])["b"].word is Word.RETAKE


def test_the_same_answer_many_times_at_once_is_stored_once(open_ledger: Open) -> None:
    ledgers = [open_ledger() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        noted = list(pool.map(lambda ledger: ledger.add_verdicts([said("a"), said("b")], "run/1"), ledgers))
    assert sorted(noted) == [False] * 5 + [True]


def test_the_verdicts_of_more_keys_than_one_query_can_hold_are_all_found(ledger: Ledger) -> None:
    ledger.add_verdicts([said(f"key {number}") for number in range(1200)])
    assert len(ledger.verdicts(f"key {number}" for number in range(2000))) == 1200
