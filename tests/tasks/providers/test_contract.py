"""The four hosted services keep the contract that services of third parties are tested with."""

from __future__ import annotations

import pytest

from storyreel.testing import HostedContract
from tests.tasks.providers.hosted_services import SERVICES, Service


class TestContract(HostedContract):
    @pytest.fixture(params=list(SERVICES))
    def service(self, request: pytest.FixtureRequest) -> Service:
        """Each hosted service in turn, with its strict emulator."""
        return SERVICES[request.param]
