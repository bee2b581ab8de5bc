"""Asking a person what became of an order, and telling what was settled."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer
from rich.console import Console

from storyreel.flows.accounting.purchases import when
from storyreel.flows.accounting.reconcile import Ask, ByHand, Refusal, Settlement, check, reconcile, selected
from storyreel.flows.errors import NotAllowed, RunFailed
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Purchase, PurchaseFilter

_WAYS = "[a]ttach a task, it was [n]ever made, [b]uy it again, [s]kip"


def somebody_is_there(console: Console) -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty() and console.is_terminal


def decided(
    wanted: PurchaseFilter, attach: str, never_made: bool, buy_again: bool, *, yes: bool, may_ask: bool
) -> list[Settlement]:
    """Settle the orders that are wanted, as the services' lists or a person say.

    Raises typer.BadParameter for a decision that cannot be carried out, NotAllowed for one that was not meant.
    """
    home, console = Home.of(), Console(stderr=True)
    said = ByHand(attach=attach, never_made=never_made, buy_again=buy_again)
    try:
        if not (attach or never_made or buy_again):
            ask = asking(console) if may_ask and somebody_is_there(console) else None
            return reconcile(home, wanted, None, ask, os.environ, take_proposals=yes)
        orders = selected(home, wanted)
        check(home, orders, said)
        agree(orders, said, yes, console)
        return reconcile(home, wanted, said, None, os.environ, take_proposals=yes)
    except Refusal as refusal:
        raise typer.BadParameter(str(refusal)) from refusal


def asking(console: Console) -> Ask:
    """Asks about one order after the other on a terminal."""

    def ask(settlement: Settlement) -> ByHand | None:
        _describe(console, settlement)
        while True:
            answer = typer.prompt(_WAYS, default="s", err=True).strip().lower()
            match answer[:1]:
                case "a":
                    return ByHand(attach=_which(settlement))
                case "n":
                    return ByHand(never_made=True)
                case "b" if typer.confirm("If it was accepted after all, it is paid twice. Buy it again?", err=True):
                    return ByHand(buy_again=True)
                case "s":
                    return None

    return ask


def agree(orders: Sequence[Purchase], said: ByHand, yes: bool, console: Console) -> None:
    """Let a person on a terminal say once more that a decision is meant. Raises NotAllowed when it is not."""
    if yes or not somebody_is_there(console):
        return
    names = ", ".join(order.order.name for order in orders)
    if said.buy_again:
        question = f"Buy {names} again? If it was accepted after all, it is paid twice."
    else:
        question = f"Attach {said.attach} to {names}?" if said.attach else f"Was {names} never made?"
    if not typer.confirm(question, err=True):
        raise NotAllowed("nothing was changed")


def tell(console: Console, settlements: Sequence[Settlement]) -> None:
    """A line for each order."""
    if not settlements:
        console.print("Nothing is unknown.", highlight=False)
    for settlement in settlements:
        console.print(str(settlement), highlight=False, markup=False, soft_wrap=True)


def insist(settlements: Sequence[Settlement]) -> None:
    """Raise RunFailed when something is still open, with what to do about it."""
    still = [settlement for settlement in settlements if settlement.outcome == "open"]
    if not still:
        return
    order = still[0].purchase.order
    likely = still[0].candidates[0].task if len(still[0].candidates) == 1 else "ID"
    number = "1 order is" if len(still) == 1 else f"{len(still)} orders are"
    raise RunFailed(
        f"{number} still unknown, and not ordered again",
        hint=f"look at your account on the pages of {order.provider}",
        next=f"storyreel reconcile --key {order.key[:12]} --attach {likely}, or --never-made, or --buy-again",
    )


def _describe(console: Console, settlement: Settlement) -> None:
    begin, end = settlement.purchase.sent_between
    console.print(f"\n{settlement}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"  sent between {when(begin)} and {when(end)}, if it was", highlight=False, markup=False)
    for number, task in enumerate(settlement.candidates, 1):
        made = f", made {when(task.created)}" if task.created else ""
        console.print(f"  {number}. {task.task} {task.detail}{made}", highlight=False, markup=False, soft_wrap=True)


def _which(settlement: Settlement) -> str:
    """The task that a person means: its number in the list shown, or its id."""
    only = settlement.candidates[0].task if len(settlement.candidates) == 1 else None
    given: str = typer.prompt("the service's id of it", default=only, err=True).strip()
    numbered = {str(number): task.task for number, task in enumerate(settlement.candidates, 1)}
    return numbered.get(given, given)
