"""What the commands have in common: the options that several take, and what is made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from flows.plan import Plan

File = Annotated[Path, typer.Argument(metavar="STORYBOARD", help="The storyboard, a YAML file.", show_default=False)]
Provider = Annotated[
    str | None, typer.Option("--provider", metavar="NAME", help="A service that makes all shots, whatever they say.")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Another word for one of the storyboard's vars.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def plan_of(storyboard: Path, provider: str | None, sets: list[str] | None) -> Plan:
    """What a run of a storyboard would do. Raises StoryboardError."""
    from flows.history import history_of
    from flows.plan import make
    from specs.reading import read
    from tasks.store.home import Home

    film = read(storyboard, words(sets))
    with history_of(Home.of()) as history:
        return make(film, history, provider)


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
