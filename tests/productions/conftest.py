"""Whole productions by the real command, in processes of their own: they take minutes, and CI runs them apart."""

from __future__ import annotations

from tests.flows.conftest import fresh_environment, lived_in, storyreel, wait_until

__all__ = ["fresh_environment", "lived_in", "storyreel", "wait_until"]
