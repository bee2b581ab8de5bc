"""Fixtures that these tests share with those of the command line."""

from __future__ import annotations

from tests.flows.conftest import wait_until

__all__ = ["wait_until"]
