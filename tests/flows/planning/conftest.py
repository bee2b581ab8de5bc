"""Fixtures of the tests of plans."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def file(film: Path) -> Path:
    """The file of the module's `FILM`, for tests in which `film` is a plan or what was read."""
    return film
