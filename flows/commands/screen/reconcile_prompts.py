"""Reconciliation on the terminal: the questions about open orders, and what was settled."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

import typer

from storyreel.flows.accounting import reconcile as accounting
from storyreel.flows.accounting.purchases import when
from storyreel.flows.accounting.reconcile import Ask, Decision, Settlement, is_unlisted
from storyreel.flows.commands.options import can_ask
from storyreel.flows.errors import NotAllowed, RunFailed
from storyreel.flows.output import legible
from storyreel.flows.terminal import Terminal
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Purchase, PurchaseFilter

_ATTACH = "[a]ttach a task, "
_CHOICES = "it was [n]ever made, [b]uy it again, [s]kip"


def settle(
    wanted: PurchaseFilter, attach: str, never_made: bool, buy_again: bool, *, yes: bool, may_ask: bool
) -> list[Settlement]:
    """Settle orders by the services' lists, by options or by answers. Raises InvalidDecision and NotAllowed."""
    home, console = Home.of(), Terminal(stderr=True)
    if not (attach or never_made or buy_again):
        ask = _asker(console) if may_ask and can_ask(console) else None
        return accounting.reconcile(home, wanted, None, ask, os.environ, take_proposals=yes)
    decision = Decision(attach=attach, never_made=never_made, buy_again=buy_again)
    orders = accounting.select_orders(home, wanted)
    accounting.check_decision(home, orders, decision)
    _confirm(orders, decision, yes, console)
    return accounting.reconcile(home, wanted, decision, None, os.environ, take_proposals=yes)


def _asker(console: Terminal) -> Ask:
    def ask(settlement: Settlement) -> Decision | None:
        _describe(console, settlement)
        has_task = not is_unlisted(settlement.purchase)
        while True:
            answer = typer.prompt(f"{_ATTACH if has_task else ''}{_CHOICES}", default="s", err=True).strip().lower()
            match answer[:1]:
                case "a" if has_task:
                    return Decision(attach=_ask_task(settlement))
                case "n":
                    return Decision(never_made=True)
                case "b" if typer.confirm("If it was accepted after all, it is paid twice. Buy it again?", err=True):
                    return Decision(buy_again=True)
                case "s":
                    return None

    return ask


def _confirm(orders: Sequence[Purchase], decision: Decision, yes: bool, console: Terminal) -> None:
    if yes or not can_ask(console):
        return
    names = ", ".join(order.order.name for order in orders)
    if decision.buy_again:
        question = f"Buy {names} again? If it was accepted after all, it is paid twice."
    else:
        question = f"Attach {decision.attach} to {names}?" if decision.attach else f"Was {names} never made?"
    if not typer.confirm(legible(question), err=True):
        raise NotAllowed("nothing was changed")


def print_settlements(console: Terminal, settlements: Sequence[Settlement]) -> None:
    """Print a line for each order."""
    if not settlements:
        console.print("Nothing is unknown.")
    for settlement in settlements:
        console.print(str(settlement), soft_wrap=True)


def require_settled(settlements: Sequence[Settlement]) -> None:
    """Return if no order is open. Raises RunFailed."""
    still = [settlement for settlement in settlements if settlement.outcome == "open"]
    if not still:
        return
    purchase, candidates = still[0].purchase, still[0].candidates
    provider, command = purchase.order.provider, f"storyreel reconcile --key {purchase.order.key[:12]}"
    if is_unlisted(purchase):  # there is no task to attach
        hint = f"look for it on the bill of {provider}; what the answer had cannot be fetched any more"
        next = f"{command} --buy-again{'' if purchase.task else ', or --never-made if it was not charged'}"
    else:
        likely = shlex.quote(candidates[0].task) if len(candidates) == 1 else "ID"
        lists = ", or at the tasks that --json lists" if len(candidates) > 1 else ""
        hint = f"look at your account on the pages of {provider}{lists}"
        next = f"{command} --attach {likely}, or --never-made, or --buy-again"
    number = "1 order is" if len(still) == 1 else f"{len(still)} orders are"
    raise RunFailed(f"{number} still unknown, and not ordered again", hint=hint, next=next)


def _describe(console: Terminal, settlement: Settlement) -> None:
    begin, end = settlement.purchase.sent_between
    console.print(f"\n{settlement}", soft_wrap=True)
    console.print(f"  sent between {when(begin)} and {when(end)}, if it was")
    for number, task in enumerate(settlement.candidates, 1):
        made = f", made {when(task.created)}" if task.created else ""
        console.print(f"  {number}. {task.task} {task.detail}{made}", soft_wrap=True)


def _ask_task(settlement: Settlement) -> str:
    """The id of the task that the user names, by its id or by its number in the printed list."""
    only = settlement.candidates[0].task if len(settlement.candidates) == 1 else None
    given: str = typer.prompt("the service's id of it", default=legible(only) if only else None, err=True).strip()
    numbered = {str(number): task.task for number, task in enumerate(settlement.candidates, 1)}
    return numbered.get(given, given)
