"""The command line as typer has it. A command is imported when it runs.

`--help` imports none of them, and a command no other's modules.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from keyword import iskeyword
from typing import Annotated, Any, cast

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from storyreel.flows.commands.main import COMMANDS


def function_of(name: str) -> Callable[..., None]:
    """The function of a command."""
    module = import_module(f"storyreel.flows.commands.{COMMANDS[name].module}")
    # `import` is no name in Python.
    return cast(Callable[..., None], getattr(module, f"{name}_" if iskeyword(name) else name))


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

        from storyreel.flows.output import print_line

        own = f"Prefect {version('prefect')}, Python {platform.python_version()}"
        print_line(f"storyreel {version('storyreel')} ({own})")
        raise typer.Exit


@app.callback()
def storyreel(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Turns a storyboard into a film."""
