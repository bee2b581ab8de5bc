"""What the commands have in common: the options that several take, and what is made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from storyreel.flows.planning.run_request import RunRequest

if TYPE_CHECKING:
    from storyreel.flows.planning.model import Plan
    from storyreel.specs.money import Money
    from storyreel.tasks.ledger.budget import BudgetExceeded, Limit

File = Annotated[Path, typer.Argument(metavar="STORYBOARD", help="The storyboard, a YAML file.", show_default=False)]
Film = Annotated[
    str,
    typer.Argument(
        metavar="STORYBOARD", help="The storyboard: a YAML file, its address, or a pack's.", show_default=False
    ),
]
Provider = Annotated[
    str | None, typer.Option("--provider", metavar="NAME", help="A service that makes all shots, whatever they say.")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Another word for one of the storyboard's vars.")
]
Select = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        metavar="SHOTS",
        help="Make these alone: `1B`, `1A+` with what continues it, `scene:2`, `state:new`, `changed`; "
        "parted by commas. The animatic stands in for the others.",
    ),
]
Budget = Annotated[
    str | None, typer.Option("--budget", metavar="AMOUNT", help="What the run may cost: `20 USD`. Agrees to that much.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def sheet_of(
    storyboard: Path | str,
    provider: str | None = None,
    sets: list[str] | None = None,
    select: list[str] | None = None,
    budget: str | None = None,
    out: Path | str | None = None,
) -> RunRequest:
    """What the command line asks for. Raises typer.BadParameter."""
    return RunRequest(
        storyboard=storyboard,
        provider=provider,
        words=words(sets),
        selection=tuple(select or ()),
        budget=_money(budget) if budget else None,
        out=out,
    )


class Planning(NamedTuple):
    """A plan, and how it stands with its budget."""

    plan: Plan
    limits: tuple[Limit, ...]
    excess: BudgetExceeded | None
    """What is wrong when the budget would be passed."""


def plan_of(sheet: RunRequest) -> Planning:
    """What a run of a storyboard would do. Raises StoryboardError, and BucketError where a bucket cannot be used."""
    from storyreel.flows.planning.budget import hold, limits_of
    from storyreel.flows.planning.history import history_of
    from storyreel.flows.planning.plan import make
    from storyreel.flows.planning.selection import NothingSelected
    from storyreel.specs.reading import read
    from storyreel.tasks.home import Home
    from storyreel.tasks.ledger.budget import BudgetExceeded
    from storyreel.tasks.prices.price_list import PriceList

    film = read(file_of(sheet.storyboard, sheet.words), sheet.words)
    prices, limits = PriceList.read(), limits_of(film.budget, sheet.budget)
    with history_of(Home.of()) as history:
        try:
            plan = make(film, history, sheet.provider, sheet.selection, prices)
            hold(plan, limits, history.committed)
        except NothingSelected as error:
            raise typer.BadParameter(f"--select: {error}") from error
        except BudgetExceeded as excess:
            return Planning(plan, limits, excess)
    return Planning(plan, limits, None)


def file_of(storyboard: Path | str, set_vars: dict[str, str]) -> Path:
    """The storyboard's file on this host; brought here first where an address is given.

    Raises StoryboardError, and BucketError where a bucket cannot be used.
    """
    from storyreel.specs.storyboard import is_remote

    if not is_remote(str(storyboard)):
        return Path(storyboard)
    from storyreel.flows.packs import bring
    from storyreel.tasks.home import Home

    return bring(str(storyboard), Home.of(), set_vars)


def words(sets: list[str] | None) -> dict[str, str]:
    """The words given with --set. Raises typer.BadParameter for one without an equals sign."""
    found = {}
    for given in sets or []:
        name, equals, value = given.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"--set wants KEY=VALUE, not {given!r}")
        found[name] = value
    return found


def print_json(value: Any) -> None:
    """Print for programs, on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2))  # noqa: T201


def _money(text: str) -> Money:
    from storyreel.specs.money import parse_money

    try:
        return parse_money(text)
    except ValueError as error:
        raise typer.BadParameter(f"--budget: {error}") from error
