"""Writes docs/commands.md, the page of commands, exit codes and environment variables, from their declarations.

python -m storyreel.flows.commands.reference
"""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from typer.models import ArgumentInfo, OptionInfo, ParamMeta
from typer.utils import get_params_from_function

from storyreel.flows.commands.app import function_of
from storyreel.flows.commands.exit_codes import MEANINGS
from storyreel.flows.commands.main import COMMANDS
from storyreel.tasks.settings import ServiceSettings, Settings, variables

PAGE = Path("docs", "commands.md")
Row = tuple[str, str]

_HEAD = """\
<!-- Written by `python -m storyreel.flows.commands.reference`. Change the code, then run it again. -->

# Commands

`storyreel COMMAND --help` prints the same. Results go to standard output; questions, progress and errors go to standard
error. A message that ends with `next: …` names the command to run next.
"""
_OWN = """\
`storyreel --version` shows the version, with those of Prefect and Python. `storyreel --install-completion` lets the
shell complete commands, options and services.
"""
_SHARED = """\
## Shared arguments and options

Each command below names those of these that it takes.
"""
_VARIABLES = """\
## Environment variables

An empty variable counts as not set. A value that cannot be used ends the command with exit code 2 and a message that
names the variable.
"""
_OF_SERVICES = """\
Each service has three more. Their names begin with the service's, in capital letters: `FREEPIK_API_KEY`.
"""
_PREFECT = """\
Prefect's own variables hold as well. `PREFECT_API_URL`, or the active profile of Prefect, names the server that runs
report to; without it that is the server that `storyreel ui` started, else one that ends with the run. A Prefect server
that something else started on this machine is used only if it is named. `PREFECT_SERVER_API_PORT` is the port of
`storyreel ui`.
"""


def page() -> str:
    """The page, in Markdown."""
    commands = [function_of(name) for name in COMMANDS]
    shared = _shared_rows(commands)
    summaries = (
        (f"[`{_name(command)}`](#{_name(command)})", _description(command).partition(". ")[0].rstrip("."))
        for command in commands
    )
    codes = ((str(code), meaning) for code, meaning in MEANINGS.items())
    parts = [
        _HEAD,
        _table(("command", "what it does"), summaries),
        _OWN,
        _SHARED,
        _table(("argument or option", "meaning"), shared),
        *(part for command in commands for part in _section(command, shared)),
        "## Exit codes\n",
        _table(("code", "meaning"), codes),
        _VARIABLES,
        _table(("variable", "meaning", "default"), _variable_rows(Settings)),
        _OF_SERVICES,
        _table(("ending", "meaning", "default"), _variable_rows(ServiceSettings)),
        _PREFECT,
    ]
    return "\n".join(parts)


def _shared_rows(commands: Iterable[Callable[..., None]]) -> list[Row]:
    """The rows that several commands have. A name with several meanings is shared in one that most commands use."""
    counts = Counter(row for command in commands for row in _rows(command))
    meanings = Counter(name for name, _ in counts)
    shared: dict[str, Row] = {}
    for row, number in counts.most_common():
        if number > 2 or (number == 2 and meanings[row[0]] == 1):
            shared.setdefault(row[0], row)
    return list(shared.values())


def _section(command: Callable[..., None], shared: Sequence[Row]) -> Iterator[str]:
    arguments, options = _parameters(command)
    usage = ["storyreel", _name(command), *(["[OPTIONS]"] if options else [])]
    usage += [_metavar(each) if each.default.default is ... else f"[{_metavar(each)}]" for each in arguments]
    yield f"## {_name(command)}\n"
    yield f"```\n{' '.join(usage)}\n```\n"
    yield f"{_description(command)}\n"
    rows = _rows(command)
    if own := [row for row in rows if row not in shared]:
        yield _table(("argument or option", "meaning"), own)
    if names := [name for name, meaning in rows if (name, meaning) in shared]:
        yield f"Shared: {', '.join(names)}.\n"


def _parameters(command: Callable[..., None]) -> tuple[list[ParamMeta], list[ParamMeta]]:
    parameters = get_params_from_function(command).values()
    arguments = [each for each in parameters if isinstance(each.default, ArgumentInfo)]
    return arguments, [each for each in parameters if isinstance(each.default, OptionInfo)]


def _rows(command: Callable[..., None]) -> list[Row]:
    arguments, options = _parameters(command)
    rows = [(f"`{_metavar(each)}`", _help(each)) for each in arguments]
    return rows + [(f"`{_flags(each)}`", _help(each)) for each in options]


def _description(command: Callable[..., None]) -> str:
    return " ".join((inspect.getdoc(command) or "").split())


def _flags(option: ParamMeta) -> str:
    names = ", ".join(option.default.param_decls)
    return names if _type(option) is bool else f"{names} {_metavar(option)}"


def _metavar(parameter: ParamMeta) -> str:
    if choices := _choices(parameter):
        return "|".join(choices)
    return parameter.default.metavar or parameter.name.upper()


def _help(parameter: ParamMeta) -> str:
    """The help text, with what is required, the range and the default, unless the text names it."""
    info = parameter.default
    notes = ["required"] if isinstance(info, OptionInfo) and info.default is ... else []
    if info.min is not None and info.max is not None:
        notes.append(f"{info.min} to {info.max}")
    elif info.min is not None:
        notes.append(f"at least {info.min}")
    default = info.default.value if isinstance(info.default, Enum) else info.default
    if default not in (None, "", ..., False) and default != Path():
        notes.append(f"default: {default}")
    if info.envvar:
        notes.append(f"or `{info.envvar}`")
    return f"{info.help} ({'; '.join(notes)})" if notes else str(info.help)


def _choices(parameter: ParamMeta) -> list[str]:
    kind = _type(parameter)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(member.value) for member in kind]
    return list(map(str, get_args(kind))) if get_origin(kind) is Literal else []


def _type(parameter: ParamMeta) -> Any:
    if get_origin(parameter.annotation) is Literal:
        return parameter.annotation
    return next((kind for kind in get_args(parameter.annotation) if kind is not type(None)), parameter.annotation)


def _variable_rows(model: type[Settings] | type[ServiceSettings]) -> Iterator[tuple[str, str, str]]:
    return ((f"`{one.name}`", one.description, one.default) for _, one in variables(model))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _name(command: Callable[..., None]) -> str:
    """The name of a command; `import_` is that of `import`, which is no name in Python."""
    return command.__name__.removesuffix("_")


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    path.write_text(page(), encoding="utf-8")
