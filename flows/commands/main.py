"""The command line `storyreel`, assembled from its commands. Each imports what it needs when it runs."""

from __future__ import annotations

import gc
import sys

import typer

from storyreel.flows.commands.deploy import deploy, serve
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
    webhooks, player, schema,
)  # fmt: skip

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Turns a storyboard into a film.",
    epilog="Begin with `storyreel init`, then `storyreel render storyboard.yaml`.",
)

for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """Run the command line and exit with its code."""
    # What a command makes lives until it ends: looking for garbage every 700 objects, as Python does by default, took a
    # third of the time that a film of 10,000 shots is planned in.
    gc.set_threshold(50_000)
    make_output_plain()
    sys.exit(exit_code(app, Terminal(stderr=True, soft_wrap=True)))
