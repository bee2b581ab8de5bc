"""Tests for a service of one's own: its adapter must keep the contract of all hosted services.

Needs the extra `testing`.

    class TestMyService(HostedContract):
        @pytest.fixture
        def service(self) -> HostedService:
            return HostedService(adapter=MyService, answers=RecordedAnswers(accepted={"id": "{task}"}, ...))

`RecordedAnswers` are the answers that the service's pages show. `RecordedService` gives them on a real socket; for a
stricter emulator derive from `EmulatedService`. docs/services.md has a whole example.
"""

from __future__ import annotations

try:
    import pytest
    import pytest_asyncio  # noqa: F401
except ModuleNotFoundError as missing:
    raise ImportError(
        f"storyreel.testing needs {missing.name}, which is not installed; next: pip install 'storyreel[testing]'"
    ) from missing

# Else the asserts of the contract fail without saying what they compared.
pytest.register_assert_rewrite("storyreel.testing.contract")

from storyreel.testing.contract import HostedContract  # noqa: E402
from storyreel.testing.emulated import EmulatedService  # noqa: E402
from storyreel.testing.recorded import RecordedAnswers, RecordedService  # noqa: E402
from storyreel.testing.service import HostedService  # noqa: E402

__all__ = ["EmulatedService", "HostedContract", "HostedService", "RecordedAnswers", "RecordedService"]
