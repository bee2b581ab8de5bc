"""A place at a service is a lease of a minute, renewed for as long as its take is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.production.slots.test_service_limits import most_at_once, no_limit, one_at_a_time

__all__ = ["no_limit", "one_at_a_time"]

pytestmark = pytest.mark.usefixtures("prefect_server", "one_at_a_time")


async def test_a_take_that_is_made_for_longer_than_a_lease_keeps_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await most_at_once(2, tmp_path, monkeypatch, first_seconds=80) == 1
