"""Runs a command, prints the error that ends it, and gives the exit code. The only place that prints errors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import IO, Any

from storyreel.flows.errors import Interrupted, NotAllowed
from storyreel.flows.output import outlasting, print_line
from storyreel.specs.errors import StoryreelError
from storyreel.specs.problems.phrases import counted
from storyreel.specs.problems.problem import MOST_PROBLEMS, StoryboardError

DONE, FAILED, WRONG, OVER_BUDGET, INTERRUPTED = 0, 1, 2, 3, 130

MEANINGS: Mapping[int, str] = MappingProxyType(
    {
        DONE: "The command did what it says.",
        FAILED: "The run or the command failed, or a service's key is missing. What was finished is kept; the message "
        "names the next command.",
        WRONG: "The command line, the storyboard or a setting is wrong, or a purchase was not agreed to. Nothing was "
        "made.",
        OVER_BUDGET: "A budget would be exceeded. The message names the shots that fit.",
        INTERRUPTED: "The run was stopped by Ctrl-C, SIGTERM or in Prefect. What was finished is kept.",
    }
)
"""The meaning of each exit code, for the page of commands."""
_STOPPED = "stopped; what was finished is kept, and the same command continues from there"


def exit_code(command: Callable[[], Any], messages: IO[str]) -> int:
    """Run a command line, print what fails on `messages`, and return the exit code."""
    messages = outlasting(messages)
    try:
        command()
    except SystemExit as done:
        if done.code == INTERRUPTED:  # typer's, for KeyboardInterrupt
            _print(messages, _STOPPED)
        return done.code if isinstance(done.code, int) else FAILED
    except StoryboardError as error:
        _print_problems(error, messages)
        return WRONG
    except StoryreelError as error:
        _print(messages, str(error))
        return _code_of(error)
    except KeyboardInterrupt:
        _print(messages, _STOPPED)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stdout = None  # Nothing reads the output any more, and flushing it at exit would fail again.
        return FAILED
    except Exception as error:
        return _print_unforeseen(error, messages)
    return DONE


def _code_of(error: Exception) -> int:
    from storyreel.tasks.ledger.budget import BudgetExceeded
    from storyreel.tasks.providers.errors import ProviderError
    from storyreel.tasks.settings import SettingsError

    if isinstance(error, BudgetExceeded):
        return OVER_BUDGET
    if isinstance(error, Interrupted):
        return INTERRUPTED
    return WRONG if isinstance(error, (NotAllowed, ProviderError, SettingsError)) else FAILED


def _print_problems(error: StoryboardError, messages: IO[str]) -> None:
    for problem in error.problems:
        print_line(str(problem), messages)
    problems = counted(len(error.problems), "problem")
    if len(error.problems) >= MOST_PROBLEMS:
        problems = f"the first {problems}"
    command = f"\nnext: {error.next}" if error.next else ""
    print_line(f"{problems}, nothing was made{command}", messages)


def _print(messages: IO[str], message: str) -> None:
    print_line(f"storyreel: {message}", messages)


def _print_unforeseen(error: Exception, messages: IO[str]) -> int:
    """Print an error that no part of storyreel raises, and return the exit code."""
    from storyreel.flows.servers.prefect_settings import settings_error
    from storyreel.tasks.storage.disk import DiskError, is_of_disk

    if of_prefect := settings_error(error):
        _print(messages, str(of_prefect))
        return WRONG
    if isinstance(error, OSError) and is_of_disk(error):
        _print(messages, f"what was finished is kept; {DiskError.of(error)}")
    else:
        _print_fault(error, messages)
    return FAILED


def _print_fault(error: Exception, messages: IO[str]) -> None:
    import traceback
    from datetime import datetime

    from storyreel.specs.foreign_text import printable
    from storyreel.specs.secrets import hidden
    from storyreel.tasks.home import Home
    from storyreel.tasks.settings import SettingsError
    from storyreel.tasks.storage.files import make_private_folder, write_whole

    try:
        folder = Home.of().root / "faults"
        make_private_folder(folder)
        report = folder / f"{datetime.now():%Y-%m-%d-%H%M%S}.txt"
        write_whole(report, printable(hidden("".join(traceback.format_exception(error)))), private=True)
        where = f"the details are in {report}"
    except (OSError, SettingsError):
        where = "the details could not be written to a file"
    first = printable(hidden(f"{type(error).__name__}: {error}".splitlines()[0]))
    _print(messages, f"{first}\nThis is a bug in storyreel; {where}. What was finished is kept: run the command again.")
