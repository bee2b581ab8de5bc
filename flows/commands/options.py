"""Arguments and options that several commands share, and the requests, plans and output that are made of them."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from storyreel.flows.commands.screen.completion import (
    complete_deliverable,
    complete_selection,
    complete_slate,
)
from storyreel.specs.foreign_text import json_text
from storyreel.specs.secrets import hidden

if TYPE_CHECKING:
    from storyreel.flows.planning.checks.budget import BudgetedPlan
    from storyreel.flows.planning.run_request import RunRequest
    from storyreel.flows.terminal import Terminal
    from storyreel.specs.money import Money

_FILE_COLUMNS = 200
"""Width of output that goes to a file or another program."""

STORYBOARD = "The storyboard: a YAML file, its address, or the address of a pack."

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""The beginning of an address. One slash, because `Path` folds `//` into `/`."""


def _of_this_machine(given: Path) -> Path:
    if ADDRESS.match(str(given)):
        raise typer.BadParameter("that is an address, and this command needs a file of this machine; download it")
    return given


File = Annotated[
    Path,
    typer.Argument(
        metavar="STORYBOARD", help="The storyboard, a YAML file.", show_default=False, callback=_of_this_machine
    ),
]
Film = Annotated[str, typer.Argument(metavar="STORYBOARD", help=STORYBOARD, show_default=False)]

Slate = Annotated[
    str,
    typer.Argument(
        metavar="SHOT",
        help="The slate of a shot: `1A`; of a still or a sheet: `1A@still`, `mira@sheet`.",
        show_default=False,
        autocompletion=complete_slate,
    ),
]


def complete_service(incomplete: str) -> list[str]:
    """The services whose names begin so, for the completion of shells."""
    from storyreel.tasks.providers import names

    return [name for name in names() if name.startswith(incomplete)]


Provider = Annotated[
    str | None,
    typer.Option(
        "--provider", metavar="NAME", help="Make all shots with this service.", autocompletion=complete_service
    ),
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set one of the storyboard's `vars`. Repeatable.")
]
Select = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        metavar="SHOTS",
        help="Make only these shots: `1B`, `1A+` with the shots that continue it, `scene:2`, `state:new`, `changed`, "
        "`draft:approved`, `stills`, `speech`, `1A@still`; separated by commas. The animatic stands in for the others.",
        autocompletion=complete_selection,
    ),
]
Stills = Annotated[
    bool, typer.Option("--stills", help="Make sheets and stills alone; the film is an animatic that moves over them.")
]
Budget = Annotated[
    str | None,
    typer.Option("--budget", metavar="AMOUNT", help="What the run may cost at most: `20 USD`. Agrees to that much."),
]
Draft = Annotated[
    bool, typer.Option("--draft", help="The storyboard's `draft` instead of the film: other takes, at their own price.")
]
Deliverables = Annotated[
    list[str] | None,
    typer.Option(
        "--deliverable",
        metavar="NAME",
        help="Make the film and only this deliverable of it, or `none`. Repeatable; without it all are made that cost "
        "nothing.",
        autocompletion=complete_deliverable,
    ),
]
Out = Annotated[
    str | None,
    typer.Option(
        "--out", metavar="DIR", help="Where the film goes: a folder, or a bucket's address; default: `renders/<title>`."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def request_of(
    storyboard: Path | str,
    provider: str | None = None,
    sets: list[str] | None = None,
    select: list[str] | None = None,
    budget: str | None = None,
    out: Path | str | None = None,
    *,
    draft: bool = False,
    stills: bool = False,
    deliverables: list[str] | None = None,
) -> RunRequest:
    """The `RunRequest` of a command line. Raises typer.BadParameter."""
    from storyreel.flows.planning.run_request import RunRequest
    from storyreel.flows.planning.selection import STILLS

    return RunRequest(
        storyboard=storyboard,
        provider=check_service(provider, "--provider") if provider else None,
        vars=parse_vars(sets),
        selection=(*(select or ()), *((STILLS,) if stills else ())),
        budget=_money(budget) if budget else None,
        out=out,
        draft=draft,
        deliverables=tuple(deliverables or ()),
    )


def plan_of(request: RunRequest) -> BudgetedPlan:
    """Plan a run, and check the budget.

    Raises StoryboardError, BucketError, and typer.BadParameter for a selection that names no shot, and for a
    deliverable that the film does not have.
    """
    from storyreel.flows.planning.finishing.deliverables import UnknownDeliverable
    from storyreel.flows.planning.planner import Planner
    from storyreel.flows.planning.selection import NothingSelected

    try:
        return Planner.of(request).plan_within_budget()
    except NothingSelected as error:
        raise typer.BadParameter(f"--select: {error}") from error
    except UnknownDeliverable as error:
        raise typer.BadParameter(f"--deliverable: {error}") from error


def parse_vars(sets: list[str] | None) -> dict[str, str]:
    """Values by variable, from `--set KEY=VALUE`. Raises typer.BadParameter for one without an equals sign."""
    found = {}
    for given in sets or []:
        name, equals, value = given.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"--set wants KEY=VALUE, not {given!r}")
        found[name] = value
    return found


def as_typed(sets: list[str] | None, *, draft: bool = False) -> list[str]:
    """The words of a command line that ask for these variables, and for the draft."""
    return [word for given in sets or () for word in ("--set", given)] + (["--draft"] if draft else [])


def typed_again(option: str, value: str, without: Collection[str] = ()) -> str:
    """The command line of this process with `option` given once, as `value`; words in `without` are left out."""
    kept: list[str] = []
    words = iter(sys.argv[1:])
    for word in words:
        if word == option:
            next(words, "")
        elif word not in without and not word.startswith(f"{option}="):
            kept.append(word)
    return shlex.join(["storyreel", *kept, option, value])


def output() -> Terminal:
    """Standard output. Where that is no terminal, tables and lines are not limited to 80 columns."""
    from storyreel.flows.terminal import Terminal

    console = Terminal()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _FILE_COLUMNS
    return console


def can_ask(console: Terminal) -> bool:
    """Whether there is a terminal to ask the user on."""
    return sys.stdin.isatty() and console.is_terminal


def confirm_writing(file: Path, console: Terminal) -> bool:
    """Ask whether to write a change to a file; returns True. Raises NotAllowed for no, and without a terminal."""
    from storyreel.flows.errors import NotAllowed
    from storyreel.flows.output import legible

    if not can_ask(console):
        raise NotAllowed("nothing was written", hint="without a terminal that needs --yes")
    if not typer.confirm(legible(f"Write this to {file}?"), err=True):
        raise NotAllowed("nothing was written")
    return True


def print_notes(notes: Iterable[str]) -> None:
    """Print notes and warnings, a line each, on standard output."""
    from storyreel.flows.terminal import styled

    console = output()
    for note in notes:
        console.print(styled(("note:", "yellow"), f" {note}"), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print JSON on standard output."""
    text = hidden(json_text(value))
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = re.sub(r"[^\0-\x7f]", lambda sign: json.dumps(sign[0])[1:-1], text)
    print(text, flush=True)  # noqa: T201


def print_result(result: Any, as_json: bool, print_text: Callable[[Terminal, Any], None]) -> None:
    """Print a result on standard output: for people, or its `as_json`, of a list that of each item."""
    if as_json:
        print_json([each.as_json() for each in result] if isinstance(result, list) else result.as_json())
    else:
        print_text(output(), result)


def check_service(name: str, option: str) -> str:
    """The name of an installed service, as it was given to an option. Raises typer.BadParameter."""
    from storyreel.specs.problems.phrases import listed, shown, suggestion
    from storyreel.tasks.providers import names

    known = names()
    if name not in known:
        hint = suggestion(name, known, f"there are {listed(known, 'and')}")
        raise typer.BadParameter(f"{option}: there is no service `{shown(name)}`; {hint}")
    return name


def _money(text: str) -> Money:
    from storyreel.specs.money import parse_money

    try:
        return parse_money(text)
    except ValueError as error:
        raise typer.BadParameter(f"--budget: {error}") from error
