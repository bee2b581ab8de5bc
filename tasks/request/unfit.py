"""What a service cannot take of a shot, and who can take it instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from storyreel.specs.problems.problem import KeyPath
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers import load, names
from storyreel.tasks.providers.capability import Capability
from storyreel.tasks.providers.provider import Provider

Digest = Callable[[Path], str]
"""SHA-256, in hex, of a local file's content."""


class Unfit(Exception):
    """A service cannot take what a shot asks.

    `field` is the shot's key that it is about; `at` is the way to another place in the storyboard, where that is to
    blame, empty where it is the shot; `more` is what else is wrong with the shot.
    """

    def __init__(self, field: str, what: str, fix: str = "", at: KeyPath = (), more: tuple[Unfit, ...] = ()) -> None:
        self.field, self.what, self.fix, self.at, self.more = field, what, fix, at, more
        super().__init__(what)

    @property
    def all(self) -> tuple[Unfit, ...]:
        """This one and all others of the shot."""
        return (self, *self.more)


def instead(mode: Mode, fits: Callable[[Capability], bool], otherwise: str = "") -> str:
    """What to do: the hosted services that can do it in this mode, or what else helps.

    `shoot it with dashscope or freepik, or make it shorter`.
    """
    able = [service.name for service in _installed() if _can(service.capabilities.get(mode), fits)]
    first = f"shoot it with {' or '.join(able)}" if able else ""
    return ", or ".join(filter(None, (first, otherwise)))


def _can(capability: Capability | None, fits: Callable[[Capability], bool]) -> bool:
    """A drawn board fits everything, and is not what somebody wants who asks a service for a clip."""
    return capability is not None and not capability.draws_board and fits(capability)


@cache
def _installed() -> tuple[type[Provider], ...]:
    """Asked for each thing that is wrong, which may be thousands; looking them up takes milliseconds."""
    return tuple(_loaded())


def _loaded() -> Iterator[type[Provider]]:
    for name in names():
        try:
            yield load(name)
        except (ImportError, AttributeError):
            continue  # a package of somebody's that does not load; `storyreel providers` says so
