"""The commands about purchases: `ledger` lists them, `reconcile` settles orders whose outcome is unknown."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, cast

import typer

from storyreel.flows.commands.options import AsJson, complete_service, output, print_json, print_result
from storyreel.specs.timing import parse_interval
from storyreel.tasks.ledger.purchase import By, State

if TYPE_CHECKING:
    from storyreel.tasks.ledger.ledger import PurchaseFilter

Film = Annotated[str | None, typer.Option("--film", metavar="TITLE", help="Only this film.")]
Shot = Annotated[str | None, typer.Option("--shot", metavar="SHOT", help="Only shots with this slate.")]
Key = Annotated[str | None, typer.Option("--key", metavar="KEY", help="Only takes whose key begins with this.")]


def ledger(
    film: Film = None,
    shot: Shot = None,
    key: Key = None,
    service: Annotated[
        str | None,
        typer.Option("--service", metavar="NAME", help="Only this service.", autocompletion=complete_service),
    ] = None,
    state: Annotated[State | None, typer.Option("--state", help="Only purchases in this state.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Only purchases changed since: `12h`, `2d` ago or a date."),
    ] = None,
    by: Annotated[By | None, typer.Option("--by", help="Show what each of these cost, instead of a list.")] = None,
    check_prices: Annotated[
        bool,
        typer.Option("--check-prices", help="Compare what was charged with what was quoted, by service and model."),
    ] = False,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Show the newest N purchases.")] = 50,
    history: Annotated[bool, typer.Option("--history", help="Show every event of each purchase.")] = False,
    full: Annotated[bool, typer.Option("--full", help="With --json: include the requests.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show purchases: what was ordered, its state and its cost."""
    wanted = _wanted(film=film, slate=shot, key=key, provider=service, state=state)
    if since:
        wanted["since"] = parse_since(since, datetime.now().astimezone())
    if by and (history or full):
        raise typer.BadParameter("--history and --full describe single purchases; leave them out with --by")
    if check_prices and (by or history or full):
        raise typer.BadParameter("--check-prices compares sums; leave --by, --history and --full out")
    from storyreel.tasks.home import Home

    if check_prices:
        from storyreel.flows.accounting import charges

        print_result(charges.check_prices(Home.of(), wanted), as_json, charges.print_charges)
        return
    from storyreel.flows.accounting import purchases, spending

    if by:
        print_result(spending.add_up(Home.of(), by, wanted), as_json, spending.print_spending)
        return
    found = purchases.look_up(Home.of(), wanted, limit, history)
    if as_json:
        print_json(found.as_json(full))
    else:
        purchases.print_purchases(output(), found)


def reconcile(
    film: Film = None,
    shot: Shot = None,
    key: Key = None,
    attach: Annotated[
        str | None, typer.Option("--attach", metavar="ID", help="The order became this task of the service.")
    ] = None,
    never_made: Annotated[bool, typer.Option("--never-made", help="The service never accepted the order.")] = False,
    buy_again: Annotated[
        bool, typer.Option("--buy-again", help="Give the order up; the next render buys it again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Accept proposals without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Settle orders of which it is unknown whether the service accepted them. Orders nothing."""
    from storyreel.flows.commands.screen.reconcile_prompts import print_settlements, require_settled, settle

    if sum((bool(attach), never_made, buy_again)) > 1:
        raise typer.BadParameter("give only one of --attach, --never-made and --buy-again")
    wanted = _wanted(film=film, slate=shot, key=key)
    settlements = settle(wanted, attach or "", never_made, buy_again, yes=yes, may_ask=not as_json)
    print_result(settlements, as_json, print_settlements)
    require_settled(settlements)


def _wanted(**given: str | None) -> PurchaseFilter:
    return cast("PurchaseFilter", {name: value for name, value in given.items() if value is not None})


def parse_since(text: str, now: datetime) -> datetime:
    """A length of time before `now`, or a date or time in this machine's zone. Raises typer.BadParameter."""
    with suppress(ValueError, OverflowError):
        return now - parse_interval(text)
    try:
        return datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError):
        example = f"{now:%Y-%m-%d}"
        raise typer.BadParameter(f"--since: write 30m, 12h, 2d, 3w or a date like {example}, not {text!r}") from None
