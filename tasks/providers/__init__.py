"""The services that make clips, pictures and speech, one module each, behind one interface (`provider`); found by the
entry points `storyreel.providers`. In comes a `request` that the service's `capability` allows; out go a clip, a
picture or a sound, its cost, and `errors` that say what to do next. `hosted` is the base of the services on the
network, `http` its connection, `animatic` the service that draws on this machine. Imports `specs`, `media` and
`bucket`, and never the ledger.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

    from storyreel.tasks.providers.provider import Provider

ENTRY_POINTS = "storyreel.providers"


def names() -> list[str]:
    """The names of all installed services, sorted."""
    return sorted({point.name for point in _installed()})


def load(name: str) -> type[Provider]:
    """The class of a service. Raises LookupError if no service of that name is installed."""
    if point := _found(name):
        adapter: type[Provider] = point.load()
        return adapter
    raise LookupError(f"there is no service {name!r}; there are {', '.join(names())}")


def is_installed(name: str) -> bool:
    """Whether there is a service of this name."""
    return _found(name) is not None


def _found(name: str) -> EntryPoint | None:
    """The entry point of a service: this package's, else another's. None if there is none."""
    return _own().get(name) or next(iter(_installed().select(name=name)), None)


@cache
def _own() -> dict[str, EntryPoint]:
    """Entry points of the services of this package, by name: most films need no others. Empty if it is not
    installed."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        return {point.name: point for point in distribution("storyreel").entry_points.select(group=ENTRY_POINTS)}
    except PackageNotFoundError:
        return {}


@cache
def _installed() -> EntryPoints:
    """Entry points of all services. Cached, since each lookup reads the metadata of every installed package."""
    from importlib.metadata import entry_points

    return entry_points(group=ENTRY_POINTS)
