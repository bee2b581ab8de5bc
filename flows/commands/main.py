"""The command line. Prefect is imported only inside the commands that run a flow."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console

from storyreel.flows.commands import tables as showing
from storyreel.flows.commands.deploy import deploy, serve
from storyreel.flows.commands.exit_codes import exit_code
from storyreel.flows.commands.ledger import ledger, reconcile
from storyreel.flows.commands.options import (
    AsJson,
    Budget,
    Film,
    Out,
    Provider,
    Select,
    Set,
    plan_of,
    print_json,
    request_of,
    words,
)
from storyreel.flows.commands.retake import retake
from storyreel.flows.commands.review import review
from storyreel.flows.commands.services import doctor, explain, providers, webhooks
from storyreel.flows.commands.ui import ui
from storyreel.flows.planning.summary import summarize

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Turns a storyboard into a film.",
    epilog="Begin with `storyreel init`, then `storyreel render storyboard.yaml`.",
)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to put it; made when missing.")] = Path(),
) -> None:
    """Write a small storyboard that renders as it is."""
    from storyreel.flows.commands.starter import write_starter

    written = write_starter(folder)
    console = Console()
    console.print(f"Wrote [bold]{written}[/bold]. Next:\n\n  storyreel render {written}", highlight=False)


@app.command()
def validate(storyboard: Film, sets: Set = None, as_json: AsJson = False) -> None:
    """Look for everything that is wrong in a storyboard; make and buy nothing."""
    from storyreel.flows.packs import read_film
    from storyreel.specs.cut import build_cut

    film = read_film(storyboard, words(sets))
    cut = build_cut(film)
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
def plan(
    storyboard: Film,
    provider: Provider = None,
    sets: Set = None,
    select: Select = None,
    budget: Budget = None,
    into: Annotated[
        Path | None, typer.Option("-o", "--save", metavar="FILE", help="Keep the plan for `render --plan FILE`.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a render would make and buy, why, and for how much; make and buy nothing."""
    sheet = request_of(storyboard, provider, sets, select, budget)
    planning = plan_of(sheet)
    if into:
        from storyreel.flows.planning.saved import save_plan

        save_plan(planning.plan, into, sheet)
    if as_json:
        print_json(planning.plan.as_json())
        return
    showing.print_plan(Console(), planning)
    if into:
        Console().print(f"kept in {into}; next: storyreel render --plan {into}", highlight=False, soft_wrap=True)


@app.command()
def render(
    storyboard: Annotated[
        str | None,
        typer.Argument(
            metavar="STORYBOARD", help="The storyboard: a YAML file, its address, or a pack's.", show_default=False
        ),
    ] = None,
    provider: Provider = None,
    sets: Set = None,
    select: Select = None,
    budget: Budget = None,
    saved: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="Do what this plan says, or nothing.")
    ] = None,
    out: Out = None,
    yes: Annotated[bool, typer.Option("--yes", help="Buy what is to be bought without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the film."""
    from storyreel.flows.commands.consent import load_agreed, require_consent

    if (storyboard is None) == (saved is None):
        raise typer.BadParameter("name a storyboard, or a plan with --plan")
    if saved and (provider or sets or select):
        raise typer.BadParameter("--plan says already who makes what; leave --provider, --set and --select out")
    # The plan comes first, so that a bad storyboard is told at once, without waiting for a server.
    if storyboard:
        sheet = request_of(storyboard, provider, sets, select, budget, out)
        planning = plan_of(sheet)
    else:
        sheet, planning = load_agreed(cast("Path", saved), budget, out)
    progress = Console(stderr=True)
    require_consent(planning, sheet, yes, progress)
    progress.print(f"[bold]{planning.plan.title}[/bold]: {summarize(planning.plan)}", highlight=False)
    from storyreel.flows.commands.launch import run

    made, looked_at = run(sheet, planning.plan, progress)
    if as_json:
        print_json(made.as_json())
    else:
        showing.print_made(Console(), made, looked_at)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the language, for editors."""
    from storyreel.specs.schema import text

    print(text(), end="")  # noqa: T201


for command in (explain, providers, doctor, webhooks, ledger, reconcile, review, retake, serve, deploy, ui):
    app.command()(command)


def main() -> None:
    """The command `storyreel`."""
    sys.exit(exit_code(app, Console(stderr=True, soft_wrap=True)))
