"""When a film is rendered by itself: cron lines, intervals and recurrence rules, read as Prefect's schedules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo, available_timezones

from prefect.schedules import Cron, Interval, RRule, Schedule

from storyreel.specs.problems.phrases import shown
from storyreel.specs.timing import INTERVAL_UNITS, parse_interval

_MONDAY = (2024, 1, 1)
"""Intervals are counted from here, midnight in their zone, so that deploying anew moves nothing: a Monday."""
_OFTEN = re.compile(r"(?:^|[:;])FREQ=SECONDLY", re.IGNORECASE)


class NoTime(ValueError):
    """What was said is no time that anything can be done at. The message ends with an example."""


def timetable(
    crons: Sequence[str], intervals: Sequence[str], rrules: Sequence[str], zone: str | None
) -> list[Schedule]:
    """The schedules that were asked for, in the order they were asked for by kind. Raises NoTime."""
    if zone and zone not in available_timezones():
        raise NoTime(f"--timezone: {shown(zone)!r} is no zone; for example --timezone Europe/Paris")
    if zone and not (crons or intervals or rrules):
        raise NoTime("--timezone says where, but not when; for example --cron '0 6 * * 1'")
    return [*_crons(crons, zone), *_intervals(intervals, zone), *_rrules(rrules, zone)]


def in_words(schedule: Schedule) -> str:
    """`cron 0 6 * * 1, Europe/Paris`; `every 1d 12h, UTC`."""
    if schedule.interval:
        when = f"every {_written(schedule.interval)}"
    else:
        when = f"cron {schedule.cron}" if schedule.cron else f"rrule {schedule.rrule}"
    return f"{when}, {schedule.timezone or 'UTC'}"


def _written(length: timedelta) -> str:
    left, parts = int(length.total_seconds()), []
    for unit, name in reversed(INTERVAL_UNITS.items()):
        number, left = divmod(left, int(timedelta(**{name: 1}).total_seconds()))
        parts += [f"{number}{unit}"] if number else []
    return " ".join(parts)


def _crons(lines: Sequence[str], zone: str | None) -> Iterator[Schedule]:
    for line in lines:
        yield _tried(partial(Cron, line, timezone=zone), "--cron", line, "--cron '0 6 * * 1', Mondays at six")


def _rrules(rules: Sequence[str], zone: str | None) -> Iterator[Schedule]:
    example = "--rrule 'FREQ=MONTHLY;BYDAY=1MO;BYHOUR=6;BYMINUTE=0;BYSECOND=0'"
    for rule in rules:
        if _OFTEN.search(rule):
            raise NoTime(f"--rrule: {shown(rule)!r} would run every second; for example {example}")
        yield _tried(partial(RRule, rule, timezone=zone), "--rrule", rule, example)


def _intervals(lengths: Sequence[str], zone: str | None) -> Iterator[Schedule]:
    anchor = datetime(*_MONDAY, tzinfo=ZoneInfo(zone or "UTC"))
    for length in lengths:
        yield Interval(_length(length), anchor_date=anchor, timezone=zone)


def _length(text: str) -> timedelta:
    try:
        return parse_interval(text)
    except ValueError as error:
        raise NoTime(f"--interval: {error}; for example --interval 90m, 12h, 1d or 1w") from error


def _tried(make: Callable[[], Schedule], option: str, said: str, example: str) -> Schedule:
    try:
        return make()
    except (ValueError, TypeError, KeyError) as error:
        raise NoTime(f"{option}: {shown(said)!r} cannot be read; for example {example}") from error
