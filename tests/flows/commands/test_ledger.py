"""The command `ledger`: what was bought, for people and for programs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
import typer

from storyreel.flows.commands.app import app
from storyreel.flows.commands.exit_codes import exit_code
from storyreel.flows.commands.ledger import parse_since
from storyreel.specs.money import Money
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Ledger, Order, State
from tests import postgres
from tests.flows.conftest import Command

Told = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Told:
    """Run `ledger` in this process, in a wide window."""
    monkeypatch.setenv("COLUMNS", "250")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = exit_code(lambda: app(["ledger", *arguments]), sys.stderr)
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    return run


def bought(
    ledger: Ledger, key: str, film: str, slate: str, provider: str, cost: Money | None, price: Money | None = None
) -> None:
    order = Order(
        key=key * 64, provider=provider, model="wan", request='{"prompt":"rain"}', film=film, slate=slate, take=1,
        price=price, brief='{"action":"It rains."}',
    )  # fmt: skip
    ledger.intend(order)
    ledger.mark_submitted(order.key, f"task-{key}", cost)


@pytest.fixture
def three(home: Path) -> None:
    """Three purchases of two films from two services."""
    with closing(Home.of().ledger()) as ledger:
        bought(ledger, "a", "The Keeper", "1A", "aimlapi", Money(amount=Decimal("1.95"), currency="USD"))
        bought(ledger, "b", "The Keeper", "1B", "dashscope", Money(amount=Decimal("3"), currency="CNY"))
        bought(ledger, "c", "The Boat", "1A", "aimlapi", Money(amount=Decimal("0.05"), currency="USD"))
        ledger.mark_failed("b" * 64, "DataInspectionFailed: the words")
        ledger.mark_finished("c" * 64, "d" * 64)


def test_an_order_that_is_unknown_is_followed_by_what_settles_it(told: Told, three: None) -> None:
    assert "next: " not in told().stdout
    with closing(Home.of().ledger()) as ledger:
        ledger.mark_unknown("a" * 64, "no answer")
    assert told().stdout.endswith("next: storyreel reconcile\n")
    assert "next: " not in told("--film", "The Boat").stdout


def test_nothing_bought_is_said_and_no_ledger_is_made(told: Told, home: Path) -> None:
    assert told().stdout == "There are no such purchases.\n"
    assert told("--json").stdout == "[]\n"
    assert not home.exists()


def test_a_row_says_when_what_from_whom_and_for_how_much(told: Told, three: None) -> None:
    lines = told().stdout.splitlines()
    assert lines[1].split() == ["when", "film", "slate", "take", "service", "state", "task", "cost", "reason"]
    newest, failed, oldest = (line.split(None, 2)[2].split() for line in lines[3:6])
    assert newest == ["The", "Boat", "1A", "1", "aimlapi", "finished", "task-c", "0.05", "USD"]
    assert failed == ["The", "Keeper", "1B", "1", "dashscope", "failed", "task-b", "3.00", "CNY",
                      "DataInspectionFailed:", "the", "words"]  # fmt: skip
    assert oldest == ["The", "Keeper", "1A", "1", "aimlapi", "submitted", "task-a", "1.95", "USD"]
    assert lines[-1] == "The services charged 3.00 CNY and 2.00 USD."


def test_a_take_that_was_drawn_here_is_free_and_has_no_number_at_a_service(told: Told, home: Path) -> None:
    with closing(Home.of().ledger()) as ledger:
        free = Order(
            key="e" * 64, provider="animatic", model="board", request="{}", film="The Keeper", slate="1A", take=1,
            price=Money(amount=Decimal(0), currency="USD"),
        )  # fmt: skip
        ledger.intend(free)
        ledger.mark_submitted(free.key, free.key, None)
    for options in ((), ("--history",)):
        said = told(*options).stdout
        assert "free" in said and "eeee" not in said
    assert json.loads(told("--json").stdout)[0]["task"] == free.key


def test_in_a_file_no_column_is_cut_off(told: Told, three: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    lines = told().stdout.splitlines()
    assert lines[1].split() == ["when", "film", "slate", "take", "service", "state", "task", "cost", "reason"]
    assert "DataInspectionFailed: the words" in lines[4]


@pytest.mark.parametrize("options", [(), ("--history",)])
def test_in_a_narrow_window_every_value_is_whole(
    told: Told, three: None, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = told(*options).stdout
    assert max(map(len, said.splitlines())) <= 80
    words = " ".join(said.split())
    for whole in ("The Keeper 1B take 1, 2", "service dashscope, state failed, task task-b, cost 3.00 CNY",
                  "reason DataInspectionFailed: the words", "The Boat 1A take 1, 2", "state finished"):  # fmt: skip
        assert whole in words, said
    assert ("state intended" in words) == bool(options)


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        ((), "cba"),
        (("--film", "The Keeper"), "ba"),
        (("--service", "aimlapi"), "ca"),
        (("--state", "failed"), "b"),
        (("--shot", "1A", "--film", "The Boat"), "c"),
        (("--key", "aaa"), "a"),
        (("--since", "1h"), "cba"),
        (("--since", "2100-01-01"), ""),
        (("--limit", "2"), "cb"),
    ],
)
def test_what_is_shown_can_be_chosen(told: Told, three: None, arguments: tuple[str, ...], keys: str) -> None:
    shown = json.loads(told("--json", *arguments).stdout)
    assert [purchase["key"] for purchase in shown] == [key * 64 for key in keys]


def test_what_was_spent_is_of_all_that_were_asked_for(told: Told, three: None) -> None:
    said = told("--limit", "1", "--film", "The Keeper").stdout
    assert "3.00 CNY and 1.95 USD" in said
    assert "There are more: --limit shows them." in said


def test_the_json_has_every_field_and_the_request_when_it_is_asked_for(told: Told, three: None) -> None:
    (purchase,) = json.loads(told("--json", "--key", "c").stdout)
    assert set(purchase) == {
        "key", "provider", "model", "film", "slate", "take", "state", "task", "clip", "cost", "reason", "owner",
        "created", "changed", "lease_until", "intended", "submitted", "finished", "scene", "price", "run", "owed",
        "has_unnoted_clip", "draft",
    }  # fmt: skip
    assert purchase["cost"] == {"amount": "0.05", "currency": "USD"}
    (full,) = json.loads(told("--json", "--full", "--key", "c").stdout)
    assert (full.pop("request"), full.pop("told")) == ({"prompt": "rain"}, {"action": "It rains."})
    assert full == purchase


def test_all_that_happened_to_a_purchase_can_be_seen(told: Told, three: None) -> None:
    (purchase,) = json.loads(told("--json", "--history", "--key", "b").stdout)
    assert [event["state"] for event in purchase["events"]] == ["intended", "submitted", "failed"]
    lines = told("--history", "--key", "b").stdout.splitlines()
    assert [line.split()[2] for line in lines[4:7]] == ["intended", "submitted", "failed"]


@pytest.mark.parametrize("arguments", [("--state", "lost"), ("--since", "yesterday"), ("--limit", "0")])
def test_what_cannot_be_asked_for_is_refused(told: Told, three: None, arguments: tuple[str, ...]) -> None:
    refused = told(*arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert arguments[0] in refused.stderr


def test_since_is_a_length_of_time_or_a_date() -> None:
    now = datetime(2026, 4, 2, 12, tzinfo=UTC)
    assert parse_since("30m", now) == now - timedelta(minutes=30)
    assert parse_since("2d", now) == now - timedelta(days=2)
    assert parse_since("2026-04-01T10:00:00+00:00", now) == datetime(2026, 4, 1, 10, tzinfo=UTC)
    assert parse_since("2026-04-01", now) == datetime(2026, 4, 1).astimezone()
    for wrong in ("", "soon", "2026-13-01", "d2", "99999999999d"):
        with pytest.raises(typer.BadParameter, match="write 30m"):
            parse_since(wrong, now)


def test_a_ledger_in_postgresql_is_shown_and_its_password_is_not(storyreel: Command, tmp_path: Path) -> None:
    url = postgres.running().fresh()
    with closing(Ledger(url)) as ledger:
        bought(ledger, "a", "The Keeper", "1A", "aimlapi", None)
    shown = storyreel("ledger", "--json", STORYREEL_LEDGER_URL=url)
    assert [(each["slate"], each["state"]) for each in json.loads(shown.stdout)] == [("1A", State.SUBMITTED)]
    wrong = storyreel("ledger", STORYREEL_LEDGER_URL=url.replace(postgres.PASSWORD, "not-the-password"))
    assert wrong.returncode == 1
    assert "password authentication failed" in wrong.stderr
    assert "not-the-password" not in wrong.stderr + wrong.stdout and "Traceback" not in wrong.stderr
    assert not list(tmp_path.glob("**/faults"))


def test_charges_are_compared_with_quotes_and_a_difference_is_told(told: Told, home: Path) -> None:
    assert told("--check-prices").stdout == "Of no such order both a quote and a charge are known.\n"
    assert told("--check-prices", "--json").stdout == "[]\n" and not home.exists()
    usd = partial(Money, currency="USD")
    with closing(Home.of().ledger()) as ledger:
        for key, service, quoted, cost in (
            ("a", "aimlapi", "1.30", "1.50"), ("b", "aimlapi", "1.30", "1.50"), ("c", "dashscope", "3", "3.05"),
            ("d", "gone", "2", "1"),
        ):  # fmt: skip
            bought(
                ledger, key, "The Keeper", f"1{key}", service, usd(amount=Decimal(cost)), usd(amount=Decimal(quoted))
            )
    shown = told("--check-prices")
    assert shown.returncode == 0
    assert "note: aimlapi wan, 2 orders: charged 3.00 USD, quoted 2.60 USD, 15.4 % more; " in shown.stdout
    assert "for its present prices: storyreel prices --refresh" in shown.stdout
    assert "note: gone wan, 1 order: charged 1.00 USD, quoted 2.00 USD, 50 % less; a quote counts" in shown.stdout
    assert "note: dashscope" not in shown.stdout and "+1.7 %" in shown.stdout
    rows = json.loads(told("--check-prices", "--json").stdout)
    assert [(row["service"], row["difference_percent"], bool(row["warning"])) for row in rows] == [
        ("aimlapi", 15.4, True), ("dashscope", 1.7, False), ("gone", -50.0, True),
    ]  # fmt: skip
    assert told("--check-prices", "--service", "dashscope").stdout.endswith("within 2 % of what was quoted.\n")
    for other in (("--by", "film"), ("--history",), ("--json", "--full")):
        assert told("--check-prices", *other).returncode == 2
