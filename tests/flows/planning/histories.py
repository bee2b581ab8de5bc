"""Films to plan, and histories to plan them with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from storyreel.flows.planning.history import History, Orders
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.plan import make_plan
from storyreel.specs.reading import read
from storyreel.tasks.ledger.ledger import Order, Purchase, State
from storyreel.tasks.ledger.owner import this_process
from storyreel.tasks.polling import PastDurations
from storyreel.tasks.prices.price_list import PriceList

NOTHING = History(purchases=lambda _: {}, holds=lambda _: False)
PRICES = PriceList.read({})
CLIP = "c" * 64


def plan_of(
    folder: Path,
    text: str,
    history: History = NOTHING,
    provider: str | None = None,
    selection: Iterable[str] = (),
    prices: PriceList = PRICES,
) -> Plan:
    """The plan of a film that is written into `folder`."""
    file = folder / "film.yaml"
    file.write_text(text)
    return make_plan(read(file), history, provider, tuple(selection), prices)


def history_with(plan: Plan, *states: tuple[str, State], reason: str = "") -> History:
    """A history in which these shots of a plan were ordered from their first services and have these states."""
    return history_of(rows_of(plan, *states, reason=reason))


def rows_of(plan: Plan, *states: tuple[str, State], reason: str = "") -> dict[str, Purchase]:
    """The purchases of these shots of a plan from their first services, in these states."""
    wanted = dict(states)
    now = datetime.now(UTC) - timedelta(hours=1)
    return {
        chosen.key: Purchase(
            order=Order(
                key=chosen.key, provider=chosen.request.provider, model=chosen.request.model,
                request=chosen.request.canonical(), film=plan.title, scene=take.scene, slate=take.shot, take=take.take,
                brief=chosen.brief.dump(), price=chosen.price,
            ),
            state=wanted[take.shot], task="task-7", clip=CLIP, cost=None, reason=reason, owner=this_process(),
            created=now, changed=now,
        )
        for take in plan.takes if take.shot in wanted
        for chosen in [take.chosen]
    }  # fmt: skip


def history_of(rows: Mapping[str, Purchase], experience: PastDurations | None = None) -> History:
    """A history of these purchases, whose clips are all in the store."""

    def latest(film: str, slates: Iterable[str], *, drafts: bool = False) -> Orders:
        wanted = set(slates)
        return {
            (row.order.slate, row.order.take, row.order.provider): row
            for row in rows.values()
            if row.order.film == film and row.order.slate in wanted and row.order.is_draft == drafts
        }

    return History(
        purchases=lambda keys: {key: rows[key] for key in keys if key in rows},
        holds=lambda digest: digest == CLIP,
        latest=latest,
        experience=lambda provider, model: experience,
    )
