"""A film that is deployed by the command on a server of the suite."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.flows.conftest import Command

FILM = """\
storyboard: 1
title: Twice a Day
vars: {city: Paris}
defaults: {provider: dashscope, duration: 2s}
shots:
  - {shot: 1A, action: "A lamp in ${city}."}
"""

Deploy = Callable[..., dict[str, Any]]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    file = tmp_path / "film.yaml"
    file.write_text(FILM)
    return file


@pytest.fixture
def client(standing_server: str) -> Iterator[SyncPrefectClient]:
    with temporary_settings({PREFECT_API_URL: standing_server}), get_client(sync_client=True) as client:
        try:
            client.read_work_pool("render")
        except ObjectNotFound:
            client.create_work_pool(WorkPoolCreate(name="render", type="process"))
        yield client


@pytest.fixture
def deploy(storyreel: Command, standing_server: str, film: Path, client: SyncPrefectClient) -> Deploy:
    def run(*arguments: str, **more: str) -> dict[str, Any]:
        told = {"PREFECT_API_URL": standing_server, **more}
        done = storyreel("deploy", film.name, "--pool", "render", "--json", *arguments, **told)
        assert done.returncode == 0, done.stderr
        deployed: dict[str, Any] = json.loads(done.stdout)
        return deployed

    return run
