"""Prints what `deploy` has done, and before that what it would change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from storyreel.flows.terminal import Terminal

if TYPE_CHECKING:
    from storyreel.flows.deployment.deploy import Deployed, Prepared


def print_changes(console: Terminal, films: list[Prepared]) -> None:
    """Print the difference from each deployment that exists."""
    for film in films:
        if film.current is None:
            continue
        name = film.film.full_name
        if not film.changes:
            console.print(f"{name} is deployed like this already", soft_wrap=True)
            continue
        console.print(f"{name} is deployed already; this changes:", soft_wrap=True)
        for change in film.changes:
            console.print(f"  {change}", soft_wrap=True)


def print_deployed(console: Terminal, deployed: list[Deployed]) -> None:
    """Print what was registered, and what to run next."""
    for number, film in enumerate(deployed):
        for line in (*([""] if number else []), *_lines(film), *_next_lines(film)):
            console.print(line, soft_wrap=True)


def _lines(deployed: Deployed) -> Iterator[str]:
    yield f"deployed  {deployed.deployment}, version {deployed.version[:12]}"
    if deployed.packed:
        yield f"renders   {deployed.storyboard}: the film as it is now, even if the file changes"
    else:
        yield f"renders   {deployed.storyboard}, read again at each run: workers need it under this path"
        yield "          (with --bucket URL it is packed, and runs render the film as it is now)"
    if deployed.replaced:
        yield f"replaces  the deployment of {deployed.replaced}; --name gives this one another name"
    yield f"into      {deployed.out}"
    yield f"budget    {deployed.budget}; a run can lower it, not raise it"
    yield from _schedule_lines(deployed)
    second = "waits for its turn" if deployed.overlap == "wait" else "is skipped"
    yield f"          one at a time; a run that is due meanwhile {second}"
    if deployed.spread == "scenes":
        yield "          scene by scene, each on any worker of the pool; the film's run joins them"
    for each in deployed.limits:
        yield f"limit     {each.name}: {each.limit} takes at once in all runs together ({each.became})"
    for lost in deployed.released:
        yield f"          {lost}"
    for name in deployed.paused:
        yield f"paused    {name}; lost runs are not started again until you resume it"
    now = [name for name in deployed.withheld if name not in deployed.for_new_takes]
    keys = {"": now, " only when a retake or a change asks for new takes": deployed.for_new_takes}
    for when, names in keys.items():
        if names:
            yield f"workers   need {', '.join(names)} in their own environment{when}; not stored in Prefect"


def _schedule_lines(deployed: Deployed) -> Iterator[str]:
    yield from [f"runs      {when}" for when in deployed.schedules] or ["runs      when it is started by hand"]
    for when in deployed.unnamed_schedules:
        yield f"          {when} is from before and stays; --no-schedule removes what is not named"
    for when in deployed.paused_schedules:
        yield f"paused    {when}: begins no run until you resume it on the page below"
    if deployed.is_paused:
        yield "paused    the deployment, as before: no schedule begins a run until you resume it on the page below"


def _next_lines(deployed: Deployed) -> Iterator[str]:
    yield from ("", "next:", f"  {deployed.worker}", f"  {deployed.run}", f"  {deployed.page}")
