"""Parts of a shot that a service cannot make, and the services that can."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache

from storyreel.specs.errors import StoryreelError
from storyreel.specs.problems.problem import KeyPath
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers import load, names
from storyreel.tasks.providers.capability import Capability
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


def alternatives(mode: Mode, fits: Callable[[Capability], bool], otherwise: str = "") -> str:
    """The hosted services that fit, then what else helps: `shoot it with dashscope or freepik, or make it shorter`."""
    offers = ((service.name, service.capabilities.get(mode)) for service in _installed())
    # A drawn board fits everything, but is not what the user asks a service for.
    able = [name for name, offer in offers if offer and not offer.draws_board and fits(offer)]
    services = f"shoot it with {' or '.join(able)}" if able else ""
    return ", or ".join(filter(None, (services, otherwise)))


@cache
def _installed() -> tuple[type[Provider], ...]:
    # Cached: loading takes milliseconds, and a film may have thousands of problems.
    found = []
    for name in names():
        with suppress(ImportError, AttributeError):  # a package that does not load: `storyreel providers` reports it
            found.append(load(name))
    return tuple(found)
