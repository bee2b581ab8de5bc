"""Finds the abilities of a service's model in a mode, in the service's own table and in the user's file over it.

A limit of takes at once is named by its service, `dashscope`, or by a model of it as storyboards name that,
`dashscope:wan3.1-video`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers import load
from storyreel.tasks.settings import HOME, MODELS, Settings

if TYPE_CHECKING:
    from storyreel.tasks.providers.capability import Capability, Model
    from storyreel.tasks.providers.provider import Provider

_PREFIX = "storyreel-"


def models_of(service: type[Provider], environment: Mapping[str, str] = os.environ) -> Mapping[str, Model]:
    """The models of a service by the names that storyboards use, the default one first.

    Raises ModelsError with all mistakes of the user's file.
    """
    path, is_named = _own_file(environment.get(MODELS, ""), environment.get(HOME, ""))
    try:
        changed = path.stat().st_mtime
    except OSError:
        if not is_named:
            return service.models
        changed = 0.0  # The reader's error says why it cannot be read.
    # Imported late: few users have a file.
    from storyreel.tasks.providers.model_file import read_file

    own = read_file(path, changed).get(service.name)
    return {**service.models, **own} if own else service.models


@lru_cache(maxsize=4)
def _own_file(named: str, home: str) -> tuple[Path, bool]:
    """The user's file, and whether a variable names it. Once for each: a plan asks for every shot."""
    return Settings.read({MODELS: named, HOME: home}).model_file, bool(named.strip())


def find_model(service: type[Provider], name: str | None, models: Mapping[str, Model] | None = None) -> Model | None:
    """A model by its name in storyboards, or by the service's id of it; without a name the default one, which makes
    clips if the service has any that does. None if the service has none of that name. `models` are those of `models_of`
    if left out.

    A service that draws boards has one model, whatever a storyboard names for the others.
    """
    found = _named(service, name, models_of(service) if models is None else models)
    return found[1] if found else None


def _named(service: type[Provider], name: str | None, models: Mapping[str, Model]) -> tuple[str, Model] | None:
    """A model as `find_model`, after its name in storyboards."""
    default = next((called for called, model in models.items() if _makes_clips(model)), next(iter(models)))
    if name is None or any(capability.draws_board for capability in models[default].modes.values()):
        return default, models[default]
    if name in models:
        return name, models[name]
    return next(((called, one) for called, model in models.items() if (one := model.only(name))), None)


def limits_of(service: type[Provider], id: str, models: Mapping[str, Model] | None = None) -> dict[str, int]:
    """The limits of takes at once that a model counts in, found by the service's id as by `find_model`: its own if it
    has one, then that of its service."""
    found = _named(service, id, models_of(service) if models is None else models)
    most = found[1].max_concurrent if found else None
    own = {f"{service.name}:{found[0]}": most} if found and most else {}
    return own | {service.name: service.concurrency_limit()}


def limit_name(limit: str) -> str:
    """The name in Prefect of a limit of takes at once. Prefect's names have no `/`, which models' names may have."""
    return f"{_PREFIX}{limit.replace('/', '+')}"


def limit_of_name(name: str) -> str:
    """The limit that has a name in Prefect; empty if it is of something else."""
    return name.removeprefix(_PREFIX).replace("+", "/") if name.startswith(_PREFIX) else ""


def most_at_once(limit: str) -> int:
    """The number of takes that a limit of this name allows. Raises LookupError if there is no such service."""
    service, _, model = limit.partition(":")
    adapter = load(service)
    found = models_of(adapter).get(model) if model else None
    return (found and found.max_concurrent) or adapter.concurrency_limit()


def still_model(service: type[Provider], name: str | None, models: Mapping[str, Model] | None = None) -> Model | None:
    """A service's model for pictures, found as by `find_model`; without a name the first that makes any. None if it has
    no such model."""
    return _model_for(Mode.STILL, service, name, models)


def speech_model(service: type[Provider], name: str | None, models: Mapping[str, Model] | None = None) -> Model | None:
    """A service's model for speech, found as `still_model` finds one for pictures."""
    return _model_for(Mode.SPEECH, service, name, models)


def _model_for(
    mode: Mode, service: type[Provider], name: str | None, models: Mapping[str, Model] | None
) -> Model | None:
    models = models_of(service) if models is None else models
    if name is not None:
        return find_model(service, name, models)
    return next((model for model in models.values() if mode in model.modes), None)


def _makes_clips(model: Model) -> bool:
    return any(mode.product == "clip" for mode in model.modes)


def find_capability(
    service: type[Provider], model: str | None, mode: Mode, models: Mapping[str, Model] | None = None
) -> Capability:
    """The abilities of a service's model, found as by `find_model`, in a mode; without a name, a picture is made by
    `still_model`, and speech by `speech_model`. Raises LookupError if it cannot."""
    makes_clips = mode.product == "clip"
    found = find_model(service, model, models) if makes_clips else _model_for(mode, service, model, models)
    if found is None or mode not in found.modes:
        raise LookupError(f"{service.name} has no {model or 'model'} for {mode}")
    return found.modes[mode]


def answers_at_once(service: type[Provider], id: str, mode: Mode, models: Mapping[str, Model] | None = None) -> bool:
    """Whether a service answers an order of a model, by its id of it, with the product itself. Of one that is not known
    any more, as the service's others of that mode do."""
    models = models_of(service) if models is None else models
    able = [model.modes[mode] for model in models.values() if mode in model.modes]
    return any(each.answers_at_once for each in [one for one in able if one.model == id] or able)
