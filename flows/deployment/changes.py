"""The difference between a deployment as it is and as it is to be, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prefect.client.schemas.responses import DeploymentResponse

from storyreel.flows.deployment.registration import Registration, ends_pause, environment_of, new_environment
from storyreel.flows.deployment.request import STRATEGIES
from storyreel.flows.deployment.schedules import ScheduleChanges, describe
from storyreel.flows.production.ceiling import Ceiling, ceiling_of
from storyreel.specs.frozen import Frozen

_SCOPES = {"run": "a run", "shot": "a shot", "month": "a month"}
_NOTHING = "none"


class Change(Frozen):
    """A property of a deployment that changes. Field names are those of `deploy --json`."""

    what: str
    before: str
    """Empty if there was none."""
    after: str
    """Empty if there is none any more."""

    def __str__(self) -> str:
        return f"{self.what}: {self.before or _NOTHING} → {self.after or _NOTHING}"


def changes(current: DeploymentResponse, wanted: Registration, schedules: ScheduleChanges) -> tuple[Change, ...]:
    """The differences; empty if there are none."""
    overlap = current.concurrency_options and STRATEGIES.get(current.concurrency_options.collision_strategy.value)
    environment = environment_of(current)
    before = dict(
        _settings(current.parameters, ceiling_of(current.pull_steps), str(overlap or ""), environment)
        | {"version": current.version or "", "pool": current.work_pool_name or ""}
    )
    after = dict(
        _settings(wanted.parameters, wanted.ceiling, wanted.overlap or "", new_environment(wanted, current))
        | {"version": wanted.version, "pool": wanted.pool}
    )
    names = dict.fromkeys((*before, *after))
    pairs = ((name, before.get(name, ""), after.get(name, "")) for name in names)
    return (
        *(Change(what=name, before=old, after=new) for name, old, new in pairs if old != new),
        *(Change(what="schedule", before="", after=describe(each.schedule)) for each in schedules.added),
        *(Change(what="schedule", before=describe(each.schedule), after="") for each in schedules.removed),
        *((Change(what="paused", before="not served", after=""),) if ends_pause(current) else ()),
    )


def describe_ceiling(ceiling: Ceiling | None) -> str:
    """`20.00 USD for a run, 100.00 USD for a month`."""
    if ceiling is None:
        return "as its runs say"
    amounts = ", ".join(f"{limit.most.exactly} for {_SCOPES[limit.scope]}" for limit in ceiling.limits)
    return amounts or ("any price" if ceiling.any_price else "nothing without an approval")


def _settings(
    parameters: Mapping[str, Any], ceiling: Ceiling | None, overlap: str, environment: Mapping[str, str]
) -> dict[str, str]:
    """The parts of a deployment that may change, as text."""
    ceilings = {limit.most.exactly for limit in ceiling.limits if limit.scope == "run"} if ceiling else set()
    found = {"budget": describe_ceiling(ceiling), "overlap": overlap, **environment}
    for name, value in parameters.items():
        if name == "vars":
            found |= {f"{name}.{key}": str(each) for key, each in (value or {}).items()}
        elif name != "budget":
            found[name] = _text(value)
        elif value is not None and str(value) not in ceilings:
            found["`budget` of the form"] = str(value)
    return found


def _text(value: Any) -> str:
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        return ", ".join(_texts(value))
    return "" if value is None else str(value)


def _texts(values: Iterable[Any]) -> Iterator[str]:
    return (str(value) for value in values)
