"""What a film, its runs and its takes are called in Prefect: names, keys and tags."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from storyreel.flows.planning.model import Plan, PlannedTake

_LONGEST = 60
"""Letters of a title in a name or a tag."""


def slug(title: str) -> str:
    """A title for keys and resource ids: `the-keeper`. Letters outside of a-z, and what is cut off, become a hash."""
    plain = unicodedata.normalize("NFKD", title.casefold())
    without_marks = "".join(letter for letter in plain if not unicodedata.combining(letter))
    words = re.findall(r"[a-z0-9]+", without_marks)
    short = "-".join(words)[:_LONGEST].strip("-")
    if short and short == "-".join(re.findall(r"\w+", without_marks)):
        return short
    return "-".join(filter(None, (short, hashlib.sha256(title.encode()).hexdigest()[:8])))


def run_name(title: str, now: datetime) -> str:
    """Film and time, so that the runs of a film are told apart in a list."""
    return f"{title[:_LONGEST]} {now:%d %b %H:%M}"


def film_tags(plan: Plan, version: str) -> tuple[str, ...]:
    """Of a flow run: the film, its storyboard's version, and the services that it is made with."""
    services = sorted({take.request.provider for take in plan.takes})
    film = (f"film:{plan.title[:_LONGEST]}", f"version:{version[:12]}")
    return ("storyreel", *film, *(f"service:{name}" for name in services))


def shot_tags(take: PlannedTake, service: str | None = None) -> tuple[str, ...]:
    """Of a take's task runs: the slate, the scene if there is one, and the service where one is at work."""
    parts = (("shot", take.shot), ("scene", take.scene), ("service", service))
    return tuple(f"{name}:{value}" for name, value in parts if value)


async def tag_run(name: str, tags: Iterable[str]) -> None:
    """Name the flow run that this is called in, and add tags to those that it has, which may be its deployment's."""
    from prefect import get_client
    from prefect.context import FlowRunContext
    from prefect.runtime import flow_run

    every = sorted({*flow_run.tags, *tags})
    async with get_client() as client:
        await client.update_flow_run(UUID(flow_run.id), name=name, tags=every)
    if (context := FlowRunContext.get()) and context.flow_run:
        # Events of the run name it as it is known here.
        context.flow_run.name, context.flow_run.tags = name, every
