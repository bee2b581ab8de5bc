"""Finds what a service can do: by its model and the mode, in the service's own table and in the user's file over it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.capability import Capability, Model
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.settings import HOME, MODELS, Settings


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
        changed = 0.0  # the reader says why it cannot be read
    # What reads files is imported for those who have one.
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
    models = models_of(service) if models is None else models
    default = next(filter(_makes_clips, models.values()), next(iter(models.values())))
    if name is None or any(capability.draws_board for capability in default.modes.values()):
        return default
    return models.get(name) or next(filter(None, (model.only(name) for model in models.values())), None)


def still_model(service: type[Provider], name: str | None, models: Mapping[str, Model] | None = None) -> Model | None:
    """A service's model for pictures, found as by `find_model`; without a name the first that makes any. None if it has
    no such model."""
    models = models_of(service) if models is None else models
    if name is not None:
        return find_model(service, name, models)
    return next((model for model in models.values() if Mode.STILL in model.modes), None)


def _makes_clips(model: Model) -> bool:
    return any(mode is not Mode.STILL for mode in model.modes)


def find_capability(
    service: type[Provider], model: str | None, mode: Mode, models: Mapping[str, Model] | None = None
) -> Capability:
    """What a service can do with a model, found as by `find_model`, in a mode; without a name, a picture is made by
    `still_model`. Raises LookupError if it cannot."""
    is_usual_picture = model is None and mode is Mode.STILL
    found = (still_model if is_usual_picture else find_model)(service, model, models)
    if found is None or mode not in found.modes:
        raise LookupError(f"{service.name} has no {model or 'model'} for {mode}")
    return found.modes[mode]
