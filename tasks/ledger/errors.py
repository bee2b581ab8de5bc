"""Errors of the ledger."""

from __future__ import annotations

from storyreel.specs.errors import StoryreelError


class LedgerError(StoryreelError):
    """The ledger cannot be used."""


class DuplicateTask(StoryreelError):
    """A service has given the id of another order to this one. The order is stored as unknown, with that id."""


class OrderedElsewhere(StoryreelError):
    """Another service, `service`, has an order of the same take, or may have it; nothing was stored."""

    def __init__(self, name: str, service: str) -> None:
        super().__init__(f"{name} was ordered from {service} meanwhile, and is not bought twice")
        self.service = service
