"""Prefect schedules from cron lines, intervals and recurrence rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo, available_timezones

from prefect.schedules import Cron, Interval, RRule, Schedule

from storyreel.specs.problems.phrases import shown
from storyreel.specs.timing import INTERVAL_UNITS

_ANCHOR = (2024, 1, 1)
"""Intervals are counted from this Monday, midnight in their zone, so that deploying again does not shift them."""
_EVERY_SECOND = re.compile(r"(?:^|[:;])FREQ=SECONDLY", re.IGNORECASE)
_CRON_EXAMPLE = "--cron '0 6 * * 1', Mondays at six"
_RRULE_EXAMPLE = "--rrule 'FREQ=MONTHLY;BYDAY=1MO;BYHOUR=6;BYMINUTE=0;BYSECOND=0'"


def parse_schedules(
    crons: Sequence[str], intervals: Sequence[timedelta], rrules: Sequence[str], zone: str | None
) -> list[Schedule]:
    """One schedule for each cron line, interval and recurrence rule, in a time zone; UTC if `zone` is None.

    Raises ValueError, whose message names the option and gives an example.
    """
    if zone and zone not in available_timezones():
        raise ValueError(f"--timezone: {shown(zone)!r} is not a time zone; for example --timezone Europe/Paris")
    if zone and not (crons or intervals or rrules):
        raise ValueError("--timezone needs a schedule; for example --cron '0 6 * * 1'")
    anchor = datetime(*_ANCHOR, tzinfo=ZoneInfo(zone or "UTC"))
    if secondly := next(filter(_EVERY_SECOND.search, rrules), None):
        raise ValueError(f"--rrule: {shown(secondly)!r} would run every second; for example {_RRULE_EXAMPLE}")
    return [
        *(_parsed(partial(Cron, line, timezone=zone), "--cron", line, _CRON_EXAMPLE) for line in crons),
        *(Interval(length, anchor_date=anchor, timezone=zone) for length in intervals),
        *(_parsed(partial(RRule, rule, timezone=zone), "--rrule", rule, _RRULE_EXAMPLE) for rule in rrules),
    ]


def describe(schedule: Schedule) -> str:
    """`cron 0 6 * * 1, Europe/Paris`; `every 1d 12h, UTC`."""
    if schedule.interval:
        when = f"every {_written(schedule.interval)}"
    else:
        when = f"cron {schedule.cron}" if schedule.cron else f"rrule {schedule.rrule}"
    return f"{when}, {schedule.timezone or 'UTC'}"


def _written(length: timedelta) -> str:
    left, parts = length, []
    for unit, name in reversed(INTERVAL_UNITS.items()):
        number, left = divmod(left, timedelta(**{name: 1}))
        parts += [f"{number}{unit}"] if number else []
    return " ".join(parts)


def _parsed(make: Callable[[], Schedule], option: str, text: str, example: str) -> Schedule:
    try:
        return make()
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{option}: cannot read {shown(text)!r}; for example {example}") from error
