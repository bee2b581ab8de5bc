"""Errors of the ledger."""

from __future__ import annotations

from storyreel.specs.errors import StoryreelError


class LedgerError(StoryreelError):
    """The ledger cannot be used."""


class DuplicateTask(StoryreelError):
    """A service has given the id of another order to this one. The order is stored as unknown, with that id."""
