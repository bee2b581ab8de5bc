"""The occasions on which people are told of a film: the Prefect event that begins each, and the text of the message.

Texts are Jinja templates, which Prefect's server fills in: with `event`, and with the flow run, deployment and work
pool that it is about. `PAGES` in them stands for the address of Prefect's pages.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Literal, get_args

from prefect.events import EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from storyreel.flows.names import RENDER_FLOW
from storyreel.flows.servers.prefect_internals import STOPPED, UNLOADABLE
from storyreel.specs.frozen import Frozen

Name = Literal["approval", "budget", "failed", "unknown", "ready", "worker"]
NAMES: tuple[Name, ...] = get_args(Name)
LATE = timedelta(minutes=10)
"""Time after which people are told of a late run that no worker has taken."""
PAGES = "@PAGES@"
"""Placeholder for the address of the pages, replaced before a template is sent to the server."""
TEST_EVENT = "storyreel.notification.test"

_FILM = "{{ event.resource['storyreel.film'] }}"
_ANSWER = f"to answer: Resume at {PAGES}/runs/flow-run/{{{{ flow_run.id }}}}"
_RUN = f"run: {PAGES}/runs/flow-run/{{{{ flow_run.id }}}}"
_SUMMARY = "{{ event.payload.summary or event.payload.reason }}"
_STATE = "{{ event.resource['prefect.state-message'] }}"
_FILE = "{% if event.payload.play %}file: {{ event.payload.sequence }}{% endif %}"
_WORKER = "{% if work_pool.name %}to start one: storyreel worker --pool {{ work_pool.name }}{% endif %}"
_LATE = "prefect.flow-run.Late"
_NOT_BEGUN = {"prefect.run-count": "0", "prefect.state-message": f"!*{STOPPED}*"}
"""A crash that no automation of `lifecycle.automations` picks up."""
_NOT_TOGETHER = timedelta(minutes=5)
"""One message for what happens to a run, or at a pool, within this time."""


class Occasion(Frozen):
    """One event that people are told of."""

    name: Name | Literal["test"]
    title: str
    """Unique; the end of the automation's name."""
    description: str
    trigger: EventTrigger
    subject: str
    """Template of one line."""
    lines: tuple[str, ...]
    """Templates of the lines below it; one that turns out empty is left out."""


def occasions(channel: str, names: Collection[Name] = NAMES) -> list[Occasion]:
    """The occasions of these names, in the order of `NAMES`, and the test of a channel."""
    return [*(one for one in _OCCASIONS if one.name in names), _test_of(channel)]


def _on(
    *events: str,
    match: Mapping[str, str] | None = None,
    flow: str = "",
    together: str = "",
) -> EventTrigger:
    """A trigger at each of these events of a matching resource; with `together`, the role of a related resource, only
    at the first one of each within five minutes."""
    return EventTrigger(
        expect=set(events),
        match=ResourceSpecification(dict(match or {})),
        match_related=_of_flow(flow),
        for_each={f"related:{together}:prefect.resource.id"} if together else {"prefect.resource.id"},
        posture=Posture.Reactive,
        threshold=1,
        within=_NOT_TOGETHER if together else timedelta(0),
    )


def _of_flow(name: str) -> ResourceSpecification:
    """Matches what is related to the flow of a name; everything without one."""
    return ResourceSpecification({"prefect.resource.role": "flow", "prefect.resource.name": name} if name else {})


def _test_of(channel: str) -> Occasion:
    return Occasion(
        name="test",
        title="the test",
        description=f"Sent by `storyreel notify`, to try whether {channel} is reached.",
        trigger=_on(TEST_EVENT, match={"prefect.resource.id": f"storyreel.notification.{channel}"}),
        subject="Storyreel tells you here",
        lines=("{{ event.payload.summary }}", f"pages: {PAGES}"),
    )


_OCCASIONS = (
    Occasion(
        name="approval",
        title="waits for approval",
        description="A run is suspended until a person has approved takes.",
        trigger=_on("storyreel.review.requested"),
        subject=f"{_FILM} waits for approval",
        lines=(_SUMMARY, _ANSWER),
    ),
    Occasion(
        name="budget",
        title="over budget",
        description="A run would exceed its budget, and is suspended until a person has decided.",
        trigger=_on("storyreel.budget.exceeded"),
        subject=f"{_FILM} would exceed its budget",
        lines=(_SUMMARY, _ANSWER),
    ),
    Occasion(
        name="failed",
        title="failed",
        description="A run of a film has failed.",
        trigger=_on("prefect.flow-run.Failed", "prefect.flow-run.TimedOut", flow=RENDER_FLOW),
        subject="{{ flow_run.name }} failed",
        lines=(_STATE, _RUN),
    ),
    Occasion(
        name="failed",
        title="could not begin",
        description="A run of a film crashed before it began, and no worker picks it up.",
        trigger=_on("prefect.flow-run.Crashed", match=_NOT_BEGUN, flow=RENDER_FLOW),
        subject="{{ flow_run.name }} could not begin",
        lines=(_STATE, "deployment: {{ deployment.name }}", _RUN),
    ),
    Occasion(
        name="failed",
        title="could not continue",
        description="A run of a film crashed as its code could not be loaded, and no worker picks it up.",
        trigger=_on(
            "prefect.flow-run.Crashed",
            match={"prefect.run-count": "!0", "prefect.state-message": f"*{UNLOADABLE}*"},
            flow=RENDER_FLOW,
        ),
        subject="{{ flow_run.name }} could not continue",
        lines=(_STATE, "deployment: {{ deployment.name }}", _RUN),
    ),
    Occasion(
        name="unknown",
        title="unknown orders",
        description="It is unknown whether a service has an order. Only the first such order of a run is reported.",
        trigger=_on("storyreel.shot.unknown", together="flow-run"),
        subject=f"{_FILM}: it is unknown whether an order was accepted",
        lines=(_SUMMARY, "it is not ordered again before it is settled: storyreel reconcile", _RUN),
    ),
    Occasion(
        name="ready",
        title="is ready",
        description="A film is finished.",
        trigger=_on("storyreel.sequence.finished"),
        subject=f"{_FILM} is ready",
        lines=(_SUMMARY, "film: {{ event.payload.play or event.payload.sequence }}", _FILE, _RUN),
    ),
    Occasion(
        name="worker",
        title="no worker",
        description="No process has asked for the runs of a film for a minute. Only one film of a pool is reported.",
        trigger=_on("prefect.deployment.not-ready", flow=RENDER_FLOW, together="work-pool"),
        subject="no worker takes the runs of {{ work_pool.name or deployment.name }}",
        lines=(
            _WORKER,
            f"deployment: {PAGES}/deployments/deployment/{{{{ deployment.id }}}}",
        ),
    ),
    Occasion(
        name="worker",
        title="late run",
        description=f"A run of a film was due, and no worker took it within {LATE.seconds // 60} minutes.",
        trigger=EventTrigger(
            after={_LATE},
            expect={"prefect.flow-run.*"},
            match_related=_of_flow(RENDER_FLOW),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=LATE,
        ),
        subject="no worker takes {{ flow_run.name }}",
        lines=("deployment: {{ deployment.name }}", _WORKER, _RUN),
    ),
)
