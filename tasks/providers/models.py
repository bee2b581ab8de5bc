"""Finds what a service can do: by its model and the mode, in the service's own table."""

from __future__ import annotations

from collections.abc import Mapping

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.capability import Capability, Model
from storyreel.tasks.providers.provider import Provider


def models_of(service: type[Provider]) -> Mapping[str, Model]:
    """The models of a service by the names that storyboards use, the default one first."""
    return service.models


def find_model(service: type[Provider], name: str | None) -> Model | None:
    """A model by its name in storyboards, or by the service's id of it; the default one without a name. None if the
    service has none of that name.

    A service that draws boards has one model, whatever a storyboard names for the others.
    """
    models = models_of(service)
    default = next(iter(models.values()))
    if name is None or any(capability.draws_board for capability in default.modes.values()):
        return default
    return models.get(name) or next(filter(None, (model.only(name) for model in models.values())), None)


def find_capability(service: type[Provider], model: str | None, mode: Mode) -> Capability:
    """What a service can do with a model, found as by `find_model`, in a mode. Raises LookupError if it cannot."""
    found = find_model(service, model)
    if found is None or mode not in found.modes:
        raise LookupError(f"{service.name} has no {model or 'model'} for {mode}")
    return found.modes[mode]
