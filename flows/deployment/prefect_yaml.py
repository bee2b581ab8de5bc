"""Deployments as a `prefect.yaml`, for those who keep theirs in git and register them with `prefect deploy`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import yaml
from prefect.client.schemas.actions import DeploymentScheduleCreate

from storyreel.flows.deployment import registration
from storyreel.flows.deployment.deploy import Prepared
from storyreel.flows.deployment.registration import Registration
from storyreel.flows.deployment.request import STRATEGIES
from storyreel.flows.deployment.schedules import describe
from storyreel.flows.errors import NotAllowed
from storyreel.flows.names import slug
from storyreel.specs.problems.phrases import shown
from storyreel.tasks.providers.models import limit_name, most_at_once

_HEAD = """\
# Written by `storyreel deploy --print`. Beside this file: `prefect --no-prompt deploy --all`.
# Storyreel is installed where the workers run. The only pull step fetches nothing: it holds the most that a run may buy
# for, which no parameter of a run can raise.
"""
_LIMITS = "# A deployed run buys only where its services have a limit of takes at once. Once for each server:\n"


def prefect_yaml(films: Sequence[Prepared]) -> str:
    """The text of a `prefect.yaml` with the deployments of these films.

    Raises NotAllowed for a text that Prefect would take for a template.
    """
    deployments = [_deployment(each, film) for film in films for each in _registrations(film)]
    limits = "".join(
        f"#   prefect gcl create {limit_name(name)} --limit {_at_once(films, name)}\n"
        for name in sorted({name for film in films for name in film.request.limits})
    )
    content = {"name": "storyreel", "deployments": deployments}
    for text in _texts(content):
        if "{{" in text or "{%" in text:
            what = f"{shown(text)!r} would be taken for a template by `prefect deploy`"
            raise NotAllowed(what, hint="deploy this film with `storyreel deploy`")
    body = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
    return f"{_HEAD}{_LIMITS if limits else ''}{limits}{body}"


def _registrations(film: Prepared) -> list[Registration]:
    if film.request.spread != "scenes":
        return [film.registration]
    scenes = registration.scenes_registration(film.film, film.request, film.environment.variables)
    return [scenes, film.registration]


def _at_once(films: Iterable[Prepared], limit: str) -> int:
    named = (film.request.options.limits.get(limit) for film in films)
    return next(filter(None, named), None) or most_at_once(limit)


def _deployment(wanted: Registration, film: Prepared) -> dict[str, Any]:
    strategy = next((name for name, ours in STRATEGIES.items() if ours == wanted.overlap), None)
    is_film = wanted is film.registration
    return {
        "name": wanted.name,
        "version": wanted.version,
        "description": wanted.description,
        "tags": list(wanted.tags),
        "entrypoint": wanted.entrypoint,
        **({"concurrency_limit": {"limit": 1, "collision_strategy": strategy}} if strategy else {}),
        **({"schedules": [_schedule(each) for each in film.schedules.added]} if is_film else {}),
        "parameters": wanted.parameters,
        "work_pool": {"name": wanted.pool, "job_variables": {"env": wanted.environment}},
        "pull": [wanted.ceiling.step],
    }


def _schedule(wanted: DeploymentScheduleCreate) -> dict[str, Any]:
    """A schedule, with a slug, by which Prefect knows it again: a paused one stays paused."""
    schedule = wanted.schedule.model_dump(mode="json", exclude_none=True)
    if "interval" in schedule:
        schedule["interval"] = wanted.schedule.interval.total_seconds()  # type: ignore[union-attr]
    text = describe(wanted.schedule)
    return {**schedule, "slug": f"{slug(text)}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"}


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from (*_texts(key), *_texts(each))
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
