"""The services that make clips, one file each, found through the entry points `storyreel.providers`."""

from __future__ import annotations

from importlib.metadata import entry_points

from storyreel.tasks.providers.provider import Provider

ENTRY_POINTS = "storyreel.providers"


def names() -> list[str]:
    """Every service that is installed."""
    return sorted({point.name for point in entry_points(group=ENTRY_POINTS)})


def load(name: str) -> type[Provider]:
    """The adapter of a service. Raises LookupError when none of that name is installed."""
    for point in entry_points(group=ENTRY_POINTS, name=name):
        adapter: type[Provider] = point.load()
        return adapter
    raise LookupError(f"there is no service {name!r}; there are {', '.join(names())}")
