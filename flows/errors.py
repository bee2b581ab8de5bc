"""What a user is told when something fails: what is wrong, where, and what to do next. Never a traceback."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from storyreel.specs.problems.problem import StoryboardError
from storyreel.tasks.bucket import BucketError
from storyreel.tasks.ledger.budget import BudgetExceeded
from storyreel.tasks.ledger.errors import LedgerError
from storyreel.tasks.providers.errors import ProviderError

DONE, FAILED, WRONG, OVER_BUDGET, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes."""


class RunFailed(Exception):
    """A run did not come to its end. The message is for people and ends with the command to run next."""


class NotAllowed(Exception):
    """Money would be spent, and nobody has said that it may be. The message ends with how to say so."""


class Interrupted(Exception):
    """Somebody stopped the run: Ctrl-C, SIGTERM, or in Prefect. The message says what it leaves behind."""


def exit_code(command: Callable[[], Any], console: Console) -> int:
    """Run a command line; tell what fails on the console, and give the exit code."""
    try:
        command()
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else FAILED
    except StoryboardError as error:
        _tell_problems(error, console)
        return WRONG
    except (RunFailed, LedgerError, BucketError) as error:
        _tell(console, str(error))
        return FAILED
    except NotAllowed as error:
        _tell(console, str(error))
        return WRONG
    except ProviderError as error:
        _tell(console, "; ".join(filter(None, (error.message, error.hint))))
        return WRONG
    except BudgetExceeded as error:
        _tell(console, str(error))
        return OVER_BUDGET
    except (Interrupted, KeyboardInterrupt) as stopped:
        _tell(console, str(stopped) or "stopped; what was finished is kept, and the same command goes on from there")
        return INTERRUPTED
    except BrokenPipeError:
        return _quiet_pipe()
    except Exception as error:
        _tell_fault(error, console)
        return FAILED
    return DONE


def _tell_problems(error: StoryboardError, console: Console) -> None:
    for problem in error.problems:
        console.print(str(problem), markup=False, highlight=False)
    count = len(error.problems)
    then = error.then.format(file=error.problems[0].position.file)
    console.print(
        f"{count} {'problem' if count == 1 else 'problems'}, nothing was made; when mended: {then}",
        markup=False,
        highlight=False,
    )


def _tell(console: Console, message: str) -> None:
    console.print(f"storyreel: {message}", markup=False, highlight=False)


def _tell_fault(error: Exception, console: Console) -> None:
    """A fault that nobody foresaw goes into a file whole; the user gets one line and the way on."""
    from storyreel.tasks.home import Home

    details = "".join(traceback.format_exception(error))
    try:
        folder = Home.of().root / "faults"
        folder.mkdir(parents=True, exist_ok=True)
        report: Path | None = folder / f"{datetime.now():%Y-%m-%d-%H%M%S}.txt"
        report.write_text(details, encoding="utf-8")  # type: ignore[union-attr]
    except OSError:
        report = None
    where = f"the details are in {report}" if report else "the details could not be written to a file"
    first = f"{type(error).__name__}: {error}".splitlines()[0]
    _tell(console, f"{first}\nThis is a fault of storyreel's own; {where}. What was finished is kept: run it again.")


def _quiet_pipe() -> int:
    """Whoever read our output has gone; say nothing more, not even while closing."""
    sys.stdout = None
    return FAILED
