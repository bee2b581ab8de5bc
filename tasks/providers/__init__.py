"""The services that make clips, one module each, behind one interface (`provider`); found by the entry points
`storyreel.providers`. In comes a `request` that the service's `capability` allows; out go a clip, its cost, and
`errors` that say what to do next. `hosted` is the base of the services on the network, `http` its connection,
`animatic` the service that draws on this machine. Imports `specs`, `media` and `bucket`, and never the ledger.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

    from storyreel.tasks.providers.provider import Provider

ENTRY_POINTS = "storyreel.providers"


def names() -> list[str]:
    """The names of all installed services, sorted."""
    return sorted({point.name for point in _installed()})


def load(name: str) -> type[Provider]:
    """The class of a service. Raises LookupError if no service of that name is installed."""
    for point in _installed().select(name=name):
        adapter: type[Provider] = point.load()
        return adapter
    raise LookupError(f"there is no service {name!r}; there are {', '.join(names())}")


@cache
def _installed() -> EntryPoints:
    """Entry points of all services. Cached, since each lookup reads the metadata of every installed package."""
    from importlib.metadata import entry_points

    return entry_points(group=ENTRY_POINTS)
