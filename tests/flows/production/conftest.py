"""Fixtures of the tests of whole runs in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flows.selling import selling
from tests.services.dashscope import Dashscope
from tests.tasks.providers.hosted_services import SERVICES


@pytest.fixture
def dashscope() -> Iterator[Dashscope]:
    """The emulator of a DashScope that sells."""
    emulator = SERVICES["dashscope"].emulated()
    assert isinstance(emulator, Dashscope)
    with selling(emulator):
        yield emulator
