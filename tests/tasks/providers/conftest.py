"""The fixture that runs a test with each hosted service."""

from __future__ import annotations

import pytest

from tests.tasks.providers.hosted_services import SERVICES, Service


@pytest.fixture(params=list(SERVICES))
def service(request: pytest.FixtureRequest) -> Service:
    """Each hosted service in turn."""
    return SERVICES[request.param]
