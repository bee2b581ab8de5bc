"""The logs of runs in Prefect: printable, and without secrets, tracebacks included.

Errors that can be foreseen have no traceback, and a run that is stopped does not call its takes crashed.
"""

from __future__ import annotations

import logging

from storyreel.flows.lifecycle.deployed import is_deployed
from storyreel.flows.servers.prefect_internals import CANCELLED_TASK, CLIENT_LOG, SUSPENDED_RUN
from storyreel.specs.errors import StoryreelError
from storyreel.specs.foreign_text import printable
from storyreel.specs.secrets import hidden

_TASKS = "prefect.task_runs"
_LOGGERS = ("prefect.flow_runs", _TASKS)
"""Loggers of `get_run_logger` and Prefect's engines, whose lines a run's pages show (Prefect's page on logging)."""

_LONGEST = 160
"""Characters of a message of Prefect's client."""


class _Legible(logging.Filter):
    """Makes each record legible before any handler prints or sends it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == _TASKS and CANCELLED_TASK in record.getMessage():
            return False  # It is no crash: the run was stopped, and says so itself.
        if record.getMessage().startswith(SUSPENDED_RUN):
            record.levelno, record.levelname = logging.INFO, "INFO"  # It waits for a person; nothing is wrong.
        if record.exc_info and isinstance(record.exc_info[1], StoryreelError):
            record.exc_info, record.exc_text = None, None  # It says itself what is wrong, and is no fault of the code.
        record.msg, record.args = printable(hidden(record.getMessage())), None
        if record.exc_info and record.exc_info[0] and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            # Handlers take this text, and do not format the exception again.
            record.exc_text = printable(hidden(record.exc_text))
        return True


class _Short(logging.Filter):
    """Cuts what Prefect's client says of an event that it cannot send: all of the event, several KB."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = printable(hidden(record.getMessage()[:_LONGEST])), None
        return True


_LEGIBLE, _SHORT = _Legible(), _Short()


def make_logs_legible() -> None:
    """Filter the logs of all runs of this process. Calling it again changes nothing."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_LEGIBLE)
    logging.getLogger(CLIENT_LOG).addFilter(_SHORT)
    if is_deployed():
        # In a process of its own. Prefect's client writes to its standard error when it cannot send a log line.
        logging.raiseExceptions = False
