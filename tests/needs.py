"""Programs that tests drive and that not every machine has."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

from deployments import postgresql


def insist_on_postgresql_and_redis() -> None:
    """Skip the test if one is not installed, or fail it if the environment says that it is needed."""
    if postgresql.programs() is None:
        give_up("POSTGRESQL", "postgresql")
    if shutil.which("redis-server") is None:
        give_up("REDIS", "redis-server")


def give_up(name: str, package: str) -> NoReturn:
    """Skip a test that wants for something; fail it where `TESTS_NEED_<NAME>` says that it is there."""
    why = f"there is none here: apt-get install {package}"
    if os.environ.get(f"TESTS_NEED_{name}"):
        pytest.fail(why)
    pytest.skip(why)
