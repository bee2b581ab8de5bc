"""Parts of a shot that a service cannot make, and the services that can."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from storyreel.specs.errors import StoryreelError
from storyreel.specs.problems.problem import KeyPath
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers import load, names
from storyreel.tasks.providers.models import find_model, models_of, speech_model, still_model

if TYPE_CHECKING:
    from storyreel.tasks.providers.capability import Capability, Model
    from storyreel.tasks.providers.provider import Provider


class Unsupported(StoryreelError):
    """A service cannot make a shot. `field` is the shot's key that asks for it, `at` the path to another place in the
    storyboard that does, or empty, and `others` what else the service cannot do of the shot."""

    def __init__(
        self, field: str, message: str, hint: str = "", at: KeyPath = (), others: tuple[Unsupported, ...] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.field, self.at, self.others = field, at, others

    @property
    def all(self) -> tuple[Unsupported, ...]:
        return (self, *self.others)


class NotSold(Unsupported):
    """A service does not sell `wanted`, a shape or a class of size. `offer` names services that do, or is empty."""

    def __init__(self, message: str, wanted: str, offer: str) -> None:
        self.wanted, self._offer = wanted, offer
        super().__init__("provider", message, self.hint_instead("choose one that it has"))

    def hint_instead(self, otherwise: str) -> str:
        """The hint with what else helps where the shape or class is not written as such."""
        return ", or ".join(filter(None, (self._offer, otherwise)))


def alternatives(model: str | None, mode: Mode, fits: Callable[[Capability], bool], otherwise: str = "") -> str:
    """The hosted services that fit with a shot's model, then what else helps: `shoot it with dashscope or freepik, or
    make it shorter`. If none fits with that model, the first of their other models that fits is named."""
    able = _services_with(mode, fits, model)
    offer = " or ".join(able) or next(_other_models(mode, fits, model), "")
    return ", or ".join(filter(None, (offer and f"shoot it with {offer}", otherwise)))


def services_with(model: str, mode: Mode) -> list[str]:
    """The names of the services that have a model for a mode."""
    return _services_with(mode, lambda _: True, model)


def services_with_stills() -> list[str]:
    """The names of the services that make pictures for clips that are bought."""
    return [one.name for one in _installed() if one.paid and still_model(one, None)]


def services_with_speech() -> list[str]:
    """The names of the services that speak lines."""
    return [one.name for one in _installed() if speech_model(one, None)]


def _services_with(mode: Mode, fits: Callable[[Capability], bool], model: str | None) -> list[str]:
    found = ((service.name, find_model(service, model)) for service in _installed())
    return [name for name, one in found if one and _is_able(one, mode, fits)]


def _other_models(mode: Mode, fits: Callable[[Capability], bool], model: str | None) -> Iterator[str]:
    services: dict[str, list[str]] = {}
    for service in _installed():
        for name, one in models_of(service).items():
            if _is_able(one, mode, fits):
                services.setdefault(name, []).append(service.name)
    for name, able in services.items():
        if name != model:
            yield f"`model: {name}` at {' or '.join(able)}"


def _is_able(model: Model, mode: Mode, fits: Callable[[Capability], bool]) -> bool:
    offer = model.modes.get(mode)
    # A drawn board fits everything, but is not what the user asks a service for.
    return bool(offer and not offer.draws_board and fits(offer))


@cache
def _installed() -> tuple[type[Provider], ...]:
    # Cached: loading takes milliseconds, and a film may have thousands of problems.
    found = []
    for name in names():
        with suppress(ImportError, AttributeError):  # a package that does not load: `storyreel providers` reports it
            found.append(load(name))
    return tuple(found)
