"""The form of a film's deployment: JSON Schema of the parameters that a person or a script may give to a run.

Prefect's pages draw it, and its server refuses a run whose parameters do not match. It is the flow's own schema,
without the parameters that only Storyreel passes, and with the variables, shots and services of the film.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from storyreel.flows.deployment.request import DeploymentRequest
from storyreel.flows.planning.finishing.deliverables import NO_DELIVERABLE
from storyreel.flows.planning.selection import selectable, terms_of
from storyreel.flows.render import render_storyboard
from storyreel.specs.language.values import LONGEST_TEXT
from storyreel.specs.problems.phrases import abridged
from storyreel.specs.reading import read
from storyreel.specs.variable_values import Variable, variables_of
from storyreel.tasks.providers import load, names

NO_FORM: Mapping[str, Any] = {"title": "Parameters", "type": "object", "properties": {}}
"""The form of a deployment whose runs are started by other runs only."""

_ORDER = ("vars", "select", "provider", "draft", "deliverables", "budget", "out", "spread")
"""The parameters of a film's form; what the film does not have is left out."""
_MOST_CHOICES = 500
"""Terms that select shots; a film with more has a list of free texts, because the pages draw every choice."""
_MOST_USES = 6
"""Uses of a variable that its description names."""


def form_of(request: DeploymentRequest, environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The form of a film. Raises StoryboardError if the film cannot be read.

    It offers the services that have a key in `environment`, and those that the film is made by.
    """
    file, run = Path(request.run.storyboard).expanduser().absolute(), request.run
    film = read(file, run.vars)
    services = _services(request.services, environment)
    fields = {name: _optional(field) for name, field in render_storyboard.parameters.properties.items()}
    fields["provider"] = _provider(fields["provider"], services, run.provider)
    fields["select"] = _choices(fields["select"], [*selectable(film), *terms_of(run.selection)])
    if variables := variables_of(file, film, services):
        fields["vars"] = _vars(variables)
    else:
        del fields["vars"]
    if film.draft is None:
        del fields["draft"]
    if film.deliverables:
        named = [*(each.name for each in film.deliverables), NO_DELIVERABLE]
        fields["deliverables"] = _choices(fields["deliverables"], named)
    else:
        del fields["deliverables"]
    if request.spread == "none":
        del fields["spread"]
    shown = [name for name in _ORDER if name in fields]
    return {
        "title": "Parameters",
        "type": "object",
        "properties": {name: fields[name] | {"position": place} for place, name in enumerate(shown)},
        "definitions": dict(render_storyboard.parameters.definitions),
    }


def _services(of_film: Collection[str], environment: Mapping[str, str]) -> list[str]:
    return [name for name in names() if name in of_film or not load(name).missing_variable(environment)]


def _optional(field: dict[str, Any]) -> dict[str, Any]:
    """A field that may be left out, without the alternative None, for which the pages show a switch."""
    kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return field
    kind: dict[str, Any] = kinds[0]
    return {key: value for key, value in field.items() if key not in ("anyOf", "default")} | kind


def _vars(variables: list[Variable]) -> dict[str, Any]:
    fields = {variable.name: _variable(variable, place) for place, variable in enumerate(variables)}
    described = {"title": "vars", "description": "The storyboard's variables, as they are set for this run."}
    return {**described, "type": "object", "properties": fields, "additionalProperties": False}


def _variable(variable: Variable, place: int) -> dict[str, Any]:
    used = f"Used in: {abridged(variable.used_in, _MOST_USES)}." if variable.used_in else "Not used."
    kind = {"enum": list(variable.choices)} if variable.choices else {"maxLength": LONGEST_TEXT}
    field = {"title": variable.name, "description": used, "position": place, "default": variable.value}
    return {**field, "type": "string", **kind}


def _choices(field: dict[str, Any], terms: list[str]) -> dict[str, Any]:
    choices = list(dict.fromkeys(terms))
    kind = {"enum": choices} if len(choices) <= _MOST_CHOICES else {}
    described = {key: field[key] for key in ("title", "description")}
    return {**described, "type": "array", "items": {"type": "string", **kind}}


def _provider(field: dict[str, Any], services: list[str], given: str | None) -> dict[str, Any]:
    """The services to choose from; also none of them, where the deployment has one for all shots."""
    text = f"{field['description']} Offered are those that had a key where the film was deployed."
    described = {"title": field["title"], "description": text}
    kind = {"type": "string", "enum": services}
    return described | ({"anyOf": [kind, {"type": "null"}]} if given else kind)
