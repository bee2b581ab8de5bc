"""The command line. Prefect is imported only inside the commands that run a flow."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console

from flows import showing
from flows.commands_services import doctor, explain, providers, webhooks
from flows.failures import exit_code
from flows.options import AsJson, File, Provider, Set, plan_of, print_json, words
from tasks.store.purchase import State

if TYPE_CHECKING:
    from tasks.store.ledger import Wanted

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Turns a storyboard into a film.",
    epilog="Begin with `storyreel init`, then `storyreel render storyboard.yaml`.",
)

Film = Annotated[str | None, typer.Option("--film", metavar="TITLE", help="Of this film alone.")]
Shot = Annotated[str | None, typer.Option("--shot", metavar="SHOT", help="Of shots with this slate alone.")]
Key = Annotated[str | None, typer.Option("--key", metavar="KEY", help="Of takes whose key begins so alone.")]


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

    film = read(storyboard, words(sets))
    cut = lay(film)
    if as_json:
        print_json(
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
    planned = plan_of(storyboard, provider, sets)
    if as_json:
        print_json(planned.as_json())
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
    yes: Annotated[bool, typer.Option("--yes", help="Buy what is to be bought without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the film."""
    from flows.consent import make_sure

    # The plan comes first, so that a bad storyboard is told at once, without waiting for a server.
    planned = plan_of(storyboard, provider, sets)
    progress = Console(stderr=True)
    make_sure(planned, yes, progress)
    progress.print(f"[bold]{planned.title}[/bold]: {showing.summary(planned)}", highlight=False)
    from flows.launch import run

    made, looked_at = run(planned, storyboard, provider, words(sets), out, progress)
    if as_json:
        print_json(made.as_json())
    else:
        showing.print_made(Console(), made, looked_at)


@app.command()
def ledger(
    film: Film = None,
    shot: Shot = None,
    key: Key = None,
    service: Annotated[str | None, typer.Option("--service", metavar="NAME", help="Of this service alone.")] = None,
    state: Annotated[State | None, typer.Option("--state", help="In this state alone.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Changed since: 12h, 2d or a date.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="The newest so many.")] = 50,
    history: Annotated[bool, typer.Option("--history", help="All that happened to each.")] = False,
    full: Annotated[bool, typer.Option("--full", help="With --json: what was asked for, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what was bought, what became of it and what it cost."""
    from flows.purchases import look_up, moment, print_purchases
    from tasks.store.home import Home

    wanted = _wanted(film=film, slate=shot, key=key, provider=service, state=state)
    if since:
        try:
            wanted["since"] = moment(since, datetime.now().astimezone())
        except ValueError as error:
            raise typer.BadParameter(f"--since: {error}") from error
    purchases = look_up(Home.of(), wanted, limit, history)
    if as_json:
        print_json(purchases.as_json(full))
    else:
        print_purchases(Console(), purchases)


@app.command()
def reconcile(
    film: Film = None,
    shot: Shot = None,
    key: Key = None,
    attach: Annotated[
        str | None, typer.Option("--attach", metavar="ID", help="It is this task of the service's.")
    ] = None,
    never_made: Annotated[bool, typer.Option("--never-made", help="The service never had it.")] = False,
    buy_again: Annotated[bool, typer.Option("--buy-again", help="Give it up; the next render buys it anew.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do what is proposed without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Settle orders of which nobody knows whether they were accepted; nothing is ordered here."""
    from flows.asking import decided, insist, tell

    if sum((bool(attach), never_made, buy_again)) > 1:
        raise typer.BadParameter("--attach, --never-made and --buy-again exclude each other")
    wanted = _wanted(film=film, slate=shot, key=key)
    settlements = decided(wanted, attach or "", never_made, buy_again, yes=yes, may_ask=not as_json)
    if as_json:
        print_json([settlement.as_json() for settlement in settlements])
    else:
        tell(Console(), settlements)
    insist(settlements)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the language, for editors."""
    from specs.schema import text

    print(text(), end="")  # noqa: T201


for command in (explain, providers, doctor, webhooks):
    app.command()(command)


def main() -> None:
    """The command `storyreel`."""
    sys.exit(exit_code(app, Console(stderr=True, soft_wrap=True)))


def _wanted(**given: str | None) -> Wanted:
    """Which purchases are meant: by what was said on the command line."""
    return cast("Wanted", {name: value for name, value in given.items() if value is not None})
