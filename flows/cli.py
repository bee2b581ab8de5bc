"""The command line. Prefect is imported only inside the commands that run a flow."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from flows import showing
from flows.failures import exit_code

if TYPE_CHECKING:
    from flows.plan import Plan

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Turns a storyboard into a film.",
    epilog="Begin with `storyreel init`, then `storyreel render storyboard.yaml`.",
)

File = Annotated[Path, typer.Argument(metavar="STORYBOARD", help="The storyboard, a YAML file.", show_default=False)]
Provider = Annotated[
    str | None, typer.Option("--provider", metavar="NAME", help="A service that makes all shots, whatever they say.")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Another word for one of the storyboard's vars.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to put it; made when missing.")] = Path(),
) -> None:
    """Write a small storyboard that renders as it is."""
    from flows.starter import write_starter

    written = write_starter(folder)
    console = Console()
    console.print(f"Wrote [bold]{written}[/bold]. Next:\n\n  storyreel render {written}", highlight=False)


@app.command()
def validate(storyboard: File, sets: Set = None, as_json: AsJson = False) -> None:
    """Look for everything that is wrong in a storyboard; make and buy nothing."""
    from specs.cut import lay
    from specs.reading import read

    film = read(storyboard, _words(sets))
    cut = lay(film)
    if as_json:
        _print_json(
            {
                "title": film.title,
                "shots": len(cut.events),
                "frames": cut.frames,
                "fps": str(cut.rate),
                "seconds": float(cut.rate.seconds(cut.frames)),
            }
        )
    else:
        showing.print_valid(Console(), film, cut)


@app.command()
def plan(storyboard: File, provider: Provider = None, sets: Set = None, as_json: AsJson = False) -> None:
    """Show what a render would make, and why; make and buy nothing."""
    planned = _planned(storyboard, provider, sets)
    if as_json:
        _print_json(planned.as_json())
    else:
        showing.print_plan(Console(), planned)


@app.command()
def render(
    storyboard: File,
    provider: Provider = None,
    sets: Set = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where the film goes; `renders/<title>` by default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make the film."""
    # The plan comes first, so that a bad storyboard is told at once, without waiting for a server.
    planned = _planned(storyboard, provider, sets)
    progress = Console(stderr=True)
    progress.print(f"[bold]{planned.title}[/bold]: {showing.summary(planned)}", highlight=False)
    from flows.launch import run

    made, looked_at = run(planned, storyboard, provider, _words(sets), out, progress)
    if as_json:
        _print_json(made.as_json())
    else:
        showing.print_made(Console(), made, looked_at)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the language, for editors."""
    from specs.schema import text

    print(text(), end="")  # noqa: T201


def main() -> None:
    """The command `storyreel`."""
    sys.exit(exit_code(app, Console(stderr=True, soft_wrap=True)))


def _planned(storyboard: Path, provider: str | None, sets: list[str] | None) -> Plan:
    from flows.history import history_of
    from flows.plan import make
    from specs.reading import read
    from tasks.store.home import Home

    film = read(storyboard, _words(sets))
    with history_of(Home.of()) as history:
        return make(film, history, provider)


def _words(sets: list[str] | None) -> dict[str, str]:
    """The words given with --set. Raises typer.BadParameter for one without an equals sign."""
    words = {}
    for given in sets or []:
        name, equals, value = given.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"--set wants KEY=VALUE, not {given!r}")
        words[name] = value
    return words


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))  # noqa: T201
