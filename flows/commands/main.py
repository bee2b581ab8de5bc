"""The command line `storyreel`, assembled from its commands. A command is imported when it runs.

`--help` imports none of them, and a command no other's modules: nothing here is imported but typer.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple, cast

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption


class Listed(NamedTuple):
    """A command as the help of `storyreel` lists it."""

    module: str
    """Its module in this folder, with a function of its name."""
    summary: str
    """The first paragraph of the function's docstring; a test compares them."""


COMMANDS: Mapping[str, Listed] = MappingProxyType(
    {
        "init": Listed("init", "Write a small storyboard that can be rendered as it is, and the schema for editors."),
        "validate": Listed(
            "plan",
            "Check a storyboard and list everything that is wrong in it. Makes and buys nothing.",
        ),
        "plan": Listed(
            "plan",
            "Show what a render would make and buy, why, and at what price. Makes and buys nothing.",
        ),
        "render": Listed("render", "Make the film. Shows the plan and asks before it buys anything."),
        "review": Listed(
            "review",
            "Approve takes or ask for retakes. Makes and buys nothing. Without options it shows what waits, and asks.",
        ),
        "retake": Listed(
            "retake",
            "Ask for another take of a shot, by a change in the storyboard. Makes and buys nothing.",
        ),
        "explain": Listed(
            "services",
            "Show the request that a shot's service would get, with its headers. Sends nothing and needs no key.",
        ),
        "providers": Listed("services", "Show the services, what each can make and costs, and whether its key is set."),
        "prices": Listed(
            "prices",
            "Show what the services cost, with days and sources. Buys nothing, and asks no service unless told to.",
        ),
        "ledger": Listed("ledger", "Show purchases: what was ordered, its state and its cost."),
        "reconcile": Listed(
            "ledger",
            "Settle orders of which it is unknown whether the service accepted them. Orders nothing.",
        ),
        "ui": Listed(
            "ui",
            "Open the page of all runs in the browser. Starts a Prefect server in the background if none is running.",
        ),
        "doctor": Listed(
            "services",
            "Check what is set up on this machine and what is missing, and how to set it up. Never shows a key.",
        ),
        "serve": Listed(
            "deployments.deploy",
            "Render films on this machine, on a schedule or on request, for as long as the command runs.",
        ),
        "deploy": Listed(
            "deployments.deploy",
            "Let the workers of a Prefect work pool render films: on a schedule, or whenever a run is started.",
        ),
        "worker": Listed(
            "deployments.worker",
            "Render the runs of a work pool on this machine, as `prefect worker start` does, until Ctrl-C. When it is "
            "stopped, it hands its runs over: another worker continues them at once.",
        ),
        "notify": Listed(
            "deployments.notify",
            "Have people told when a film waits for approval, exceeds its budget, fails or is ready. Alone, "
            "it lists who is told of what.",
        ),
        "webhooks": Listed(
            "services",
            "Receive the callbacks of services, so that a finished clip is downloaded at once. Runs until Ctrl-C.",
        ),
        "player": Listed(
            "services",
            "Play films and takes in browsers, from the links on Prefect's pages. Runs until Ctrl-C.",
        ),
        "schema": Listed("init", "Print the JSON Schema of the storyboard language, for editors."),
    }
)
"""Every command by its name, in the order of the help."""


def function_of(name: str) -> Callable[..., None]:
    """The function of a command."""
    module = import_module(f"storyreel.flows.commands.{COMMANDS[name].module}")
    return cast(Callable[..., None], getattr(module, name))


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
    """`storyreel` itself. It lists commands by their summaries, and imports the one that is called."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = {name: _Command(name, help=listed.summary) for name, listed in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, listed, rest = super().resolve_command(ctx, args)
        return name, command_of(name) if name else listed, rest


@cache
def command_of(name: str) -> TyperCommand:
    """A command with its arguments and options."""
    alone = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    alone.command(name, cls=_Command)(function_of(name))
    return cast(TyperCommand, typer.main.get_command(alone))


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Turns a storyboard into a film.",
    epilog="Begin with `storyreel init`, then `storyreel render storyboard.yaml`.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import platform
        from importlib.metadata import version

        from storyreel.flows.terminal import Terminal

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
    # What a command imports and makes lives until it ends: looking for garbage every 700 objects, as Python does by
    # default, took a third of the time that a film of 10,000 shots is planned in.
    gc.set_threshold(50_000)
    from storyreel.flows.commands.exit_codes import exit_code
    from storyreel.flows.terminal import Terminal, make_output_plain

    make_output_plain()
    sys.exit(exit_code(app, Terminal(stderr=True, soft_wrap=True)))
