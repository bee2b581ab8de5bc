"""Whole productions by the real command, in processes of their own: they take minutes, and CI runs them apart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flows.conftest import fresh_environment, storyreel, wait_until
from tests.pools import whole_server

__all__ = ["fresh_environment", "storyreel", "wait_until"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API's address of a server that schedules, watches and triggers."""
    with whole_server(tmp_path_factory.mktemp("prefect")) as api:
        yield api
