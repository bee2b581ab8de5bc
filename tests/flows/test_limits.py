"""How many takes are at a service at once: bounded in a run by the adapter, across runs by a limit of Prefect's."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate

from flows.render import render_storyboard
from tests.services.aimlapi import Aimlapi, AimlapiSettings
from tests.services.jobs import Job, Script

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: Crowd
defaults: {provider: aimlapi, duration: 2s}
shots:
"""


async def most_at_once(shots: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Render so many shots and see how many tasks were under way at the service at any time."""
    scenes = (f"  - {{shot: S{n}, action: Scene {n}.}}\n" for n in range(shots))
    (folder / "film.yaml").write_text(FILM + "".join(scenes))
    service = Aimlapi(AimlapiSettings(script=Script(seconds=0.4)))
    with service.served(port=0) as base_url:
        monkeypatch.setenv("AIMLAPI_API_KEY", "sk-emulator")
        monkeypatch.setenv("AIMLAPI_BASE_URL", base_url)
        monkeypatch.setenv("STORYREEL_POLL_SECONDS", "0.05")
        await render_storyboard(str(folder / "film.yaml"), out=str(folder / "out"))
        jobs = service.jobs.all()
    assert len(jobs) == shots
    return max(sum(_overlap(one, other) for other in jobs) for one in jobs)


def _overlap(one: Job, other: Job) -> bool:
    """Whether another was under way when one was created."""
    return other.created <= one.created < (other.ended or one.created)


async def test_no_more_takes_are_at_a_service_than_it_bears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 2 <= await most_at_once(6, tmp_path, monkeypatch) <= 4


async def test_a_limit_of_prefects_holds_across_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with get_client() as client:
        limit = GlobalConcurrencyLimitCreate(name="storyreel-aimlapi", limit=1, active=True)
        await client.create_global_concurrency_limit(limit)
        try:
            assert await most_at_once(3, tmp_path, monkeypatch) == 1
        finally:
            await client.delete_global_concurrency_limit_by_name("storyreel-aimlapi")
