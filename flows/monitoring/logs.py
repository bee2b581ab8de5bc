"""The logs of runs in Prefect: printable, and without secrets, tracebacks included."""

from __future__ import annotations

import logging

from storyreel.specs.foreign_text import printable
from storyreel.specs.secrets import hidden

_LOGGERS = ("prefect.flow_runs", "prefect.task_runs")
"""Where `get_run_logger` and Prefect's engines write what a run's pages show (Prefect's page on logging)."""


class _Legible(logging.Filter):
    """Makes each record legible before any handler prints or sends it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = printable(hidden(record.getMessage())), None
        if record.exc_info and record.exc_info[0] and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            # Handlers take this text, and do not format the exception again.
            record.exc_text = printable(hidden(record.exc_text))
        return True


_LEGIBLE = _Legible()


def make_logs_legible() -> None:
    """Filter the logs of all runs of this process. Calling it again changes nothing."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_LEGIBLE)
