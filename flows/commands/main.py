"""The command line `storyreel`, assembled from its commands. Each imports what it needs when it runs."""

from __future__ import annotations

import gc
import platform
import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from storyreel.flows.commands.deployments.deploy import deploy, serve
from storyreel.flows.commands.deployments.notify import notify
from storyreel.flows.commands.exit_codes import exit_code
from storyreel.flows.commands.init import init, schema
from storyreel.flows.commands.ledger import ledger, reconcile
from storyreel.flows.commands.plan import plan, validate
from storyreel.flows.commands.render import render
from storyreel.flows.commands.retake import retake
from storyreel.flows.commands.review import review
from storyreel.flows.commands.services import doctor, explain, player, providers, webhooks
from storyreel.flows.commands.ui import ui
from storyreel.flows.terminal import Terminal, make_output_plain

COMMANDS = (
    init, validate, plan, render, review, retake, explain, providers, ledger, reconcile, ui, doctor, serve, deploy,
    notify, webhooks, player, schema,
)  # fmt: skip


class _PlainHelp:
    """Help in which an option and an argument have their own names for values, without Python's names of types."""

    def get_params(self, ctx: Any) -> list[Any]:
        parameters: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for each in parameters:
            if isinstance(each, TyperOption) and each.is_flag:
                each.metavar = ""
            elif isinstance(each, TyperArgument):
                # typer 0.29 shows its type beside its name.
                each.display_type_rich = lambda ctx: ""  # type: ignore[method-assign]
        return parameters

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        pieces: list[str] = super().collect_usage_pieces(ctx)  # type: ignore[misc]
        return [piece.replace("{", "").replace("}", "") for piece in pieces]


class _Command(_PlainHelp, TyperCommand):
    """A command of `storyreel`."""


class _Commands(_PlainHelp, TyperGroup):
    """`storyreel` itself."""


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Turns a storyboard into a film.",
    epilog="Begin with `storyreel init`, then `storyreel render storyboard.yaml`.",
)

for command in COMMANDS:
    app.command(cls=_Command)(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        own = f"Prefect {version('prefect')}, Python {platform.python_version()}"
        Terminal().print(f"storyreel {version('storyreel')} ({own})")
        raise typer.Exit


@app.callback()
def storyreel(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Turns a storyboard into a film."""


def main() -> None:
    """Run the command line and exit with its code."""
    # What a command makes lives until it ends: looking for garbage every 700 objects, as Python does by default, took a
    # third of the time that a film of 10,000 shots is planned in.
    gc.set_threshold(50_000)
    make_output_plain()
    sys.exit(exit_code(app, Terminal(stderr=True, soft_wrap=True)))
