"""What the commands have in common: the options that several take, and what is made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from storyreel.flows.planning.run_request import RunRequest

if TYPE_CHECKING:
    from storyreel.flows.planning.budget import BudgetedPlan
    from storyreel.specs.money import Money

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
Out = Annotated[
    str | None,
    typer.Option(
        "--out", metavar="DIR", help="Where the film goes: a folder, or a bucket's address; default: `renders/<title>`."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def request_of(
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
        vars=words(sets),
        selection=tuple(select or ()),
        budget=_money(budget) if budget else None,
        out=out,
    )


def plan_of(sheet: RunRequest) -> BudgetedPlan:
    """What a run of a storyboard would do, and whether it fits the budget.

    Raises StoryboardError, BucketError, and typer.BadParameter for a selection that names no shot.
    """
    from storyreel.flows.planning.planner import Planner
    from storyreel.flows.planning.selection import NothingSelected

    try:
        return Planner.of(sheet).plan_within_budget()
    except NothingSelected as error:
        raise typer.BadParameter(f"--select: {error}") from error


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
