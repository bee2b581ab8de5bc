"""How many takes are at a service at once: bounded in a run by the adapter or the account, across runs by a limit of
Prefect's, without which a deployed run buys nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from prefect import flow, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, GlobalConcurrencyLimitUpdate
from prefect.exceptions import ObjectNotFound

from storyreel.flows.production.slots.service_limits import LimitMissing, active_limits, ensure_limits
from storyreel.flows.render import render_storyboard
from storyreel.tasks.providers.models import limit_name
from tests.flows.conftest import Command
from tests.services.aimlapi import Aimlapi, AimlapiSettings
from tests.services.jobs import Job, Script

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: Crowd
format: {fps: 12}
defaults: {provider: aimlapi, duration: 6f}
shots:
"""


async def most_at_once(shots: int, folder: Path, monkeypatch: pytest.MonkeyPatch, first_seconds: float = 0.4) -> int:
    """Render so many shots and see how many tasks were under way at the service at any time.

    The first task takes `first_seconds`, the others less than one.
    """
    scenes = (f"  - {{shot: S{n}, action: Scene {n}.}}\n" for n in range(shots))
    (folder / "film.yaml").write_text(FILM + "".join(scenes))
    service = Aimlapi(AimlapiSettings(script=Script(seconds=0.4)))
    service.use_script(Script(seconds=first_seconds))
    with service.served(port=0) as base_url:
        monkeypatch.setenv("AIMLAPI_API_KEY", "sk-emulator")
        monkeypatch.setenv("AIMLAPI_BASE_URL", base_url)
        monkeypatch.setenv("STORYREEL_POLL_SECONDS", "0.05" if first_seconds < 1 else "1")
        await render_storyboard(str(folder / "film.yaml"), out=str(folder / "out"), buy=True)
        jobs = service.jobs.all()
    assert len(jobs) == shots
    return max(sum(_overlap(one, other) for other in jobs) for one in jobs)


def _overlap(one: Job, other: Job) -> bool:
    """Whether another was under way when one was created."""
    return other.created <= one.created < (other.ended or one.created)


async def test_no_more_takes_are_at_a_service_than_it_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 2 <= await most_at_once(6, tmp_path, monkeypatch) <= 4


async def test_an_account_with_another_quota_has_a_variable_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIMLAPI_AT_ONCE", "1")
    assert await most_at_once(3, tmp_path, monkeypatch) == 1


@pytest.fixture
async def no_limit() -> None:
    """A deployment of another test may have left one on the server."""
    async with get_client() as client:
        with suppress(ObjectNotFound):
            await client.delete_global_concurrency_limit_by_name("storyreel-aimlapi")


@pytest.fixture
async def one_at_a_time(no_limit: None) -> AsyncIterator[None]:
    async with get_client() as client:
        limit = GlobalConcurrencyLimitCreate(name="storyreel-aimlapi", limit=1, active=True)
        await client.create_global_concurrency_limit(limit)
        yield
        await client.delete_global_concurrency_limit_by_name("storyreel-aimlapi")


@pytest.mark.usefixtures("one_at_a_time")
async def test_a_global_limit_holds_across_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await most_at_once(3, tmp_path, monkeypatch) == 1


@pytest.fixture
async def model_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The limit of a model of which the user's own file allows one at a time, where its service allows four."""
    (file := tmp_path / "models.yaml").write_text("models: 1\nservices: {aimlapi: {wan3.0-video: {at_once: 1}}}\n")
    monkeypatch.setenv("STORYREEL_MODELS", str(file))
    yield "aimlapi:wan3.0-video"
    async with get_client() as client:
        await client.delete_global_concurrency_limit_by_name("storyreel-aimlapi:wan3.0-video")


@pytest.mark.usefixtures("no_limit")
async def test_a_models_own_limit_holds_across_runs(
    model_at_once: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Aimlapi(AimlapiSettings(script=Script(seconds=0.4)))
    runs = {"one": ("wan3.0-video", "wan3.0-video", "wan2.7"), "other": ("wan3.0-video",)}
    for run, models in runs.items():
        shots = (f"  - {{shot: S{n}, action: {run} {n}., model: {model}}}\n" for n, model in enumerate(models))
        (tmp_path / f"{run}.yaml").write_text(FILM.replace("Crowd", f"Crowd {run}") + "".join(shots))
    with service.served(port=0) as base_url:
        monkeypatch.setenv("AIMLAPI_API_KEY", "sk-emulator")
        monkeypatch.setenv("AIMLAPI_BASE_URL", base_url)
        monkeypatch.setenv("STORYREEL_POLL_SECONDS", "0.05")
        films = (render_storyboard(str(tmp_path / f"{run}.yaml"), out=str(tmp_path / run), buy=True) for run in runs)
        await asyncio.gather(*films)
        jobs = service.jobs.all()
    bounded = [job for job in jobs if "wan3.0" in job.sale.body["model"]]
    assert (len(jobs), len(bounded)) == (4, 3)
    assert max(sum(_overlap(one, other) for other in bounded) for one in bounded) == 1
    async with get_client() as client:
        made = await client.read_global_concurrency_limit_by_name(limit_name(model_at_once))
    assert (made.name, made.limit, made.active_slots) == ("storyreel-aimlapi:wan3.0-video", 1, 0)


async def test_a_limit_that_is_not_the_models_own_any_more_is_kept_and_told(
    model_at_once: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert [one.became for one in await ensure_limits([model_at_once], {model_at_once: 3})] == ["made"]
    assert await flow(active_limits)([model_at_once], is_deployed=True) == {model_at_once}
    assert "storyreel-aimlapi:wan3.0-video is 3 takes at once in all runs, and the model's own is 1" in caplog.text
    assert "prefect gcl update storyreel-aimlapi:wan3.0-video --limit 1" in caplog.text


@pytest.mark.usefixtures("no_limit")
async def test_a_deployed_run_buys_nothing_without_a_global_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storyreel.flows.render.is_deployed", lambda: True)
    with pytest.raises(LimitMissing) as missing:
        await most_at_once(1, tmp_path, monkeypatch)
    assert "prefect gcl create storyreel-aimlapi --limit 4" in str(missing.value)


@pytest.mark.usefixtures("one_at_a_time")
async def test_an_existing_limit_is_kept_and_a_paused_one_is_not_used() -> None:
    assert [(limit.limit, limit.became) for limit in await ensure_limits(["aimlapi"], {})] == [(1, "kept")]
    assert [(limit.limit, limit.became) for limit in await ensure_limits(["aimlapi"], {"aimlapi": 2})] == [
        (2, "changed")
    ]
    assert await active_limits(["aimlapi"], is_deployed=True) == {"aimlapi"}
    async with get_client() as client:
        paused = GlobalConcurrencyLimitUpdate(active=False)
        await client.update_global_concurrency_limit("storyreel-aimlapi", paused)
    assert await active_limits(["aimlapi"], is_deployed=True) == frozenset()


def test_the_quota_of_an_account_is_shown_and_must_be_a_number(storyreel: Command) -> None:
    (shown,) = [
        each for each in json.loads(storyreel("providers", "--json", FREEPIK_AT_ONCE="20").stdout)
        if each["provider"] == "freepik"
    ]  # fmt: skip
    assert shown["at_once"] == 20 and shown["at_once_by"] == "FREEPIK_AT_ONCE"
    checkup = storyreel("doctor", "--offline", "--json", FREEPIK_AT_ONCE="many", APIYI_AT_ONCE="3").stdout
    checks = {check["name"]: check for check in json.loads(checkup)["checks"]}
    assert checks["freepik"]["detail"] == "FREEPIK_AT_ONCE must be a whole number from 1 to 9999, and is 'many'"
    assert checks["freepik"]["fix"] == "for example FREEPIK_AT_ONCE=5"
    assert "APIYI_AT_ONCE is 3" in checks["apiyi"]["detail"]
