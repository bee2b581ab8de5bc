"""What a run that was stopped says it leaves behind at services."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from storyreel.flows.planning.history import History
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.plan import make_plan
from storyreel.flows.production.shutdown import orders_left, paid_orders
from storyreel.specs.money import Money
from storyreel.specs.reading import read
from storyreel.tasks.ledger.ledger import Ledger, Order
from storyreel.tasks.prices.price_list import PriceList
from storyreel.tasks.providers import load
from storyreel.tasks.storage.clips import ClipStore
from storyreel.tasks.studio import Studio

FILM = """\
storyboard: 1
title: Rooms
defaults: {provider: aimlapi, duration: 5s}
shots:
  - {shot: 1A, action: One.}
  - {shot: 1B, action: Two.}
  - {shot: 1C, action: Three., provider: animatic}
"""


@pytest.fixture(autouse=True)
def a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMLAPI_API_KEY", "k")


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    (tmp_path / "film.yaml").write_text(FILM)
    nothing = History(purchases=lambda _: {}, holds=lambda _: False)
    return make_plan(read(tmp_path / "film.yaml"), nothing, None, (), PriceList.read({}))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")


def studio_with(ledger: Ledger, folder: Path) -> Studio:
    providers = {name: load(name)() for name in ("aimlapi", "animatic")}
    return Studio(ledger, ClipStore(folder / "clips"), folder / "house", providers, PriceList.read({}))


async def left(plan: Plan, studio: Studio) -> tuple[str, ...]:
    orders = await paid_orders(plan, studio)
    assert orders is not None
    return orders_left(orders, studio)


def order(plan: Plan, shot: int, ledger: Ledger, price: str = "1.20") -> Order:
    take = plan.takes[shot]
    noted = Order(
        key=take.key, provider=take.request.provider, model=take.request.model, request="{}", film="Rooms",
        slate=take.shot, take=1, price=Money(amount=Decimal(price), currency="USD"),
    )  # fmt: skip
    assert ledger.intend(noted)
    return noted


async def test_a_paid_order_that_is_left_running_is_listed_with_its_price(
    plan: Plan, ledger: Ledger, tmp_path: Path
) -> None:
    studio = studio_with(ledger, tmp_path)
    ledger.mark_submitted(order(plan, 0, ledger).key, "gen-7", None)
    ledger.mark_submitted(order(plan, 1, ledger).key, "gen-8", Money(amount=Decimal("0.90"), currency="USD"))
    ledger.mark_submitted(order(plan, 2, ledger, "0").key, "drawing", None)
    assert await left(plan, studio) == (
        "left at aimlapi: 1A take 1, task gen-7, about 1.20 USD; the next run continues it",
        "left at aimlapi: 1B take 1, task gen-8, 0.90 USD; the next run continues it",
    )


async def test_an_unknown_order_is_listed_with_the_next_command(plan: Plan, ledger: Ledger, tmp_path: Path) -> None:
    studio = studio_with(ledger, tmp_path)
    ledger.mark_unknown(order(plan, 0, ledger).key, "the run was stopped")
    (line,) = await left(plan, studio)
    assert "1A take 1, and it is unknown whether it was accepted" in line and "storyreel reconcile" in line


async def test_finished_orders_and_those_of_other_runs_are_not_listed(
    plan: Plan, ledger: Ledger, tmp_path: Path
) -> None:
    other = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    other.mark_submitted(order(plan, 0, other).key, "gen-7", None)
    key = order(plan, 1, ledger).key
    ledger.mark_submitted(key, "gen-8", None)
    ledger.mark_finished(key, "d" * 64)
    assert await left(plan, studio_with(ledger, tmp_path)) == ()
    other.close()
