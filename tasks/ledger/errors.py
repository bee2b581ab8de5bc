"""The error that every part of the ledger raises."""

from __future__ import annotations

from storyreel.specs.errors import StoryreelError


class LedgerError(StoryreelError):
    """The ledger cannot be used."""
