"""Prefect schedules from cron lines, intervals and recurrence rules; which of a deployment stay, go or are added."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.schedules import Cron, Interval, RRule, Schedule

from storyreel.specs.problems.phrases import shown
from storyreel.specs.timing import INTERVAL_UNITS

_ANCHOR = (2024, 1, 1)
"""Intervals are counted from this Monday, midnight in their zone, so that deploying again does not shift them."""
_EVERY_SECOND = re.compile(r"(?:^|[:;])FREQ=SECONDLY", re.IGNORECASE)
_CRON_EXAMPLE = "--cron '0 6 * * 1', Mondays at six"
_RRULE_EXAMPLE = "--rrule 'FREQ=MONTHLY;BYDAY=1MO;BYHOUR=6;BYMINUTE=0;BYSECOND=0'"
_START = re.compile(r"^DTSTART.*\n", re.IGNORECASE)
"""Prefect writes it before a recurrence rule without one (3.9.1)."""


class ScheduleChanges(NamedTuple):
    """Schedules of a deployment that are added, kept and removed."""

    added: tuple[DeploymentScheduleCreate, ...]
    removed: tuple[DeploymentSchedule, ...] = ()
    kept: tuple[DeploymentSchedule, ...] = ()
    """The schedules that stay as they are, paused or not."""
    unnamed: tuple[DeploymentSchedule, ...] = ()
    """The schedules among `kept` that were not named again."""

    @property
    def descriptions(self) -> tuple[str, ...]:
        """All that the deployment has afterwards."""
        return (*(describe(each.schedule) for each in self.kept), *(describe(each.schedule) for each in self.added))

    @property
    def paused(self) -> tuple[str, ...]:
        """The schedules that begin no runs, because a person or an automation has paused them."""
        return tuple(describe(each.schedule) for each in self.kept if not each.active)


def change_schedules(
    current: Sequence[DeploymentSchedule], named: Iterable[Schedule], *, removes: bool = False
) -> ScheduleChanges:
    """Add those that are `named` and not there yet; the others stay, unless `removes`."""
    wanted = [DeploymentScheduleCreate.from_schedule(each) for each in named]
    again = [each for each in current if any(_is_same(each.schedule, one.schedule) for one in wanted)]
    added = [one for one in wanted if not any(_is_same(each.schedule, one.schedule) for each in current)]
    others = tuple(each for each in current if each not in again)
    if removes:
        return ScheduleChanges(tuple(added), removed=others, kept=tuple(again))
    return ScheduleChanges(tuple(added), kept=tuple(current), unnamed=others)


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


def describe(schedule: Any) -> str:
    """`cron 0 6 * * 1, Europe/Paris`; `every 1d 12h, UTC`: of a schedule to be made, or one that a server has."""
    if interval := getattr(schedule, "interval", None):
        when = f"every {_written(interval)}"
    elif cron := getattr(schedule, "cron", None):
        when = f"cron {cron}"
    else:
        when = f"rrule {_START.sub('', getattr(schedule, 'rrule', None) or 'never')}"
    return f"{when}, {getattr(schedule, 'timezone', None) or 'UTC'}"


def _is_same(there: Any, named: Any) -> bool:
    """Whether two schedules are due at the same times."""
    if describe(there) != describe(named) or getattr(there, "day_or", True) != getattr(named, "day_or", True):
        return False
    if interval := getattr(there, "interval", None):
        apart: float = there.anchor_date.timestamp() - named.anchor_date.timestamp()
        return apart % float(interval.total_seconds()) == 0
    starts = {bool(_START.match(rule)) for each in (there, named) if (rule := getattr(each, "rrule", None))}
    return len(starts) == 2 or getattr(there, "rrule", None) == getattr(named, "rrule", None)


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
