"""What was spent, as `ledger` and `ledger --by` tell it: what services said, and what is only estimated."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
import typer

from storyreel.flows.commands.exit_codes import exit_code
from storyreel.flows.commands.ledger import ledger as ledger_command
from storyreel.flows.commands.ledger import reconcile as reconcile_command
from storyreel.specs.money import Money
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Ledger, Order

Told = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Told:
    """Run `ledger` in this process, in a wide window."""
    monkeypatch.setenv("COLUMNS", "250")
    app = typer.Typer(pretty_exceptions_enable=False)
    for command in (ledger_command, reconcile_command):
        app.command()(command)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = exit_code(lambda: app(["ledger", *arguments]), sys.stderr)
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    return run


def money(amount: str, currency: str = "USD") -> Money:
    return Money(amount=Decimal(amount), currency=currency)


def bought(
    ledger: Ledger, key: str, name: str, service: str, price: Money | None, cost: Money | None = None
) -> None:  # fmt: skip
    film, scene, slate = name.split("/")
    order = Order(
        key=key * 64, provider=service, model="wan", request="{}", film=film, scene=scene, slate=slate, take=1,
        price=price,
    )  # fmt: skip
    ledger.intend(order)
    ledger.mark_submitted(order.key, f"task-{key}", cost)
    ledger.mark_finished(order.key, "d" * 64)


@pytest.fixture
def films(home: Path) -> None:
    """Two films: one told, one estimated, one of which nobody knows, one free, and one in yuan."""
    with closing(Home.of().ledger()) as ledger:
        bought(ledger, "a", "Keeper/1/1A", "aimlapi", money("0.65"), money("0.65"))
        bought(ledger, "b", "Keeper/2/2A", "apiyi", money("0.50"))
        bought(ledger, "c", "Keeper/2/2B", "dashscope", money("3", "CNY"))
        bought(ledger, "d", "Keeper/2/2C", "freepik", None)
        bought(ledger, "e", "Keeper/2/2D", "animatic", money("0"))
        bought(ledger, "f", "Boat//1A", "animatic", money("0"))


def test_an_estimate_is_marked_as_one(told: Told, films: None) -> None:
    said = told("--film", "Keeper").stdout
    assert "≈ 0.50 USD" in said and "≈ 3.00 CNY" in said and "≈ 0.65" not in said
    assert said.splitlines()[-1] == (
        "The services charged 0.65 USD. Other takes cost ≈ 3.00 CNY and ≈ 0.50 USD by the price list. "
        "The price of 1 order is not known."
    )


def test_free_takes_are_shown_as_free(told: Told, films: None) -> None:
    said = told("--film", "Boat").stdout
    assert " free" in said.splitlines()[3]
    assert said.splitlines()[-1] == "All of it was free."


def test_a_producer_sees_what_each_scene_cost(told: Told, films: None) -> None:
    lines = [line.split() for line in told("--by", "scene").stdout.splitlines() if line.strip()]
    assert lines[0] == ["film", "scene", "takes", "charged", "estimated", "price", "unknown"]
    assert lines[2:4] == [
        ["Keeper", "1", "1", "0.65", "USD"],
        ["Keeper", "2", "3", "≈", "3.00", "CNY", "and", "≈", "0.50", "USD", "1"],
    ]


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("film", [{"film": "Keeper"}]),
        ("scene", [{"film": "Keeper", "scene": "1"}, {"film": "Keeper", "scene": "2"}]),
        ("service", [{"service": name} for name in ("aimlapi", "apiyi", "dashscope", "freepik")]),
    ],
)
def test_programs_get_every_part(told: Told, films: None, by: str, names: list[dict[str, str]]) -> None:
    parts = json.loads(told("--by", by, "--json").stdout)
    numbers = {"takes", "told", "estimated", "unpriced"}
    assert [{name: part[name] for name in part.keys() - numbers} for part in parts] == names
    assert sum(part["takes"] for part in parts) == 4
    assert sum(part["unpriced"] for part in parts) == 1
    assert [amount for part in parts for amount in part["told"]] == [{"amount": "0.65", "currency": "USD"}]


def test_the_months_are_told(told: Told, films: None) -> None:
    with closing(Home.of().ledger()) as ledger:
        now = ledger.now()
    assert [part["month"] for part in json.loads(told("--by", "month", "--json").stdout)] == [f"{now:%Y-%m}"]


def test_what_is_added_up_can_be_chosen(told: Told, films: None) -> None:
    (only,) = json.loads(told("--by", "film", "--service", "apiyi", "--since", "1h", "--json").stdout)
    assert only == {"film": "Keeper", "takes": 1, "told": [], "unpriced": 0,
                    "estimated": [{"amount": "0.50", "currency": "USD"}]}  # fmt: skip
    assert json.loads(told("--by", "film", "--film", "Nobody's", "--json").stdout) == []
    free = told("--by", "film", "--service", "animatic").stdout
    assert [line.split() for line in free.splitlines() if line.strip()][2:4] == [["Boat", "1", "free"],
                                                                                 ["Keeper", "1", "free"]]  # fmt: skip


@pytest.mark.parametrize("arguments", [("--by", "actor"), ("--by", "film", "--history"), ("--by", "film", "--full")])
def test_what_cannot_be_added_up_is_refused(told: Told, films: None, arguments: tuple[str, ...]) -> None:
    refused = told(*arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert arguments[-1].removeprefix("--") in refused.stderr


def test_without_purchases_no_ledger_is_created(told: Told, home: Path) -> None:
    assert told("--by", "film").stdout == "There are no such purchases.\n"
    assert told("--by", "film", "--json").stdout == "[]\n"
    assert not home.exists()
