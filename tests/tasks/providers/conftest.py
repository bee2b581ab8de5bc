"""What every hosted service promises is tried with each of them."""

from __future__ import annotations

import pytest

from tests.tasks.providers.houses import HOUSES, House


@pytest.fixture(params=list(HOUSES))
def house(request: pytest.FixtureRequest) -> House:
    """Each hosted service in turn."""
    return HOUSES[request.param]
