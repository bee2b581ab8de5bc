"""A film whose scenes are runs of their own, and whose shots last as its speech, of which a line fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from storyreel.flows.production.slots.service_limits import ensure_limits
from storyreel.flows.render import render_storyboard
from storyreel.flows.scene import shoot_scene
from storyreel.testing.faults import Answer, Call
from storyreel.testing.wire import HttpRequest
from tests.flows.staging import Stage, staged
from tests.services.dashscope import Dashscope, DashscopeSettings
from tests.services.jobs import Script
from tests.workers import begin, deploy, make_pool, state_of, wait_until, working

pytestmark = pytest.mark.usefixtures("prefect_server")

POOL = "speaking"
FILM = """\
storyboard: 1
title: Two Voices
format: {fps: 12, resolution: 720p}
speech: {provider: dashscope, voice: Ethan}
defaults: {provider: animatic, duration: speech}
scenes:
  - scene: 1
    shots:
      - {shot: 1A, action: The lamp., narration: The light has not gone out.}
      - {shot: 1B, action: The sea., duration: 6f, provider: dashscope}
  - scene: 2
    shots:
      - {shot: 2A, action: The rocks., narration: Until tonight.}
      - {shot: 2B, action: The boat., pad: 0.25s, narration: Nobody saw it.}
"""


@pytest.fixture
def stage(tmp_path: Path, fresh_environment: dict[str, str], standing_server: str) -> Iterator[Stage]:
    service = Dashscope(DashscopeSettings(script=Script(waiting=0, running=0)))
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "LANG") if name in os.environ}
    told = {**kept, **fresh_environment, "PREFECT_API_URL": standing_server, "STORYREEL_POLL_SECONDS": "0.2"}
    with staged(tmp_path, FILM, service, told) as stage:
        yield stage


def spoken(stage: Stage) -> list[str]:
    """The texts of all orders of speech that were accepted."""
    return sorted(sale.body["input"]["text"] for sale in stage.service.accepted if "text" in sale.body["input"])


@pytest.mark.matrix
async def test_a_line_that_fails_is_asked_once_and_all_that_does_not_hang_on_it_is_made_by_its_scene(
    stage: Stage, tmp_path: Path
) -> None:
    make_pool(POOL)
    await ensure_limits(["dashscope"], {})
    await deploy(shoot_scene, POOL, POOL, stage.environment)
    deployment = await deploy(render_storyboard, POOL, POOL, stage.environment)
    told = {"storyboard": str(tmp_path / "film.yaml"), "out": str(tmp_path / "out"), "spread": "scenes"}
    refused: list[bytes] = []

    def is_refused(order: HttpRequest) -> bool:
        if b"Nobody" in order.body and not refused:
            refused.append(order.body)
            return True
        return False

    stage.service.fault(Call.CREATE, Answer(400), when=is_refused)
    with (
        working(POOL, stage.environment, tmp_path, "first"),
        working(POOL, stage.environment, tmp_path, "second"),
    ):
        run = await begin(deployment, **told)
        wait_until(lambda: state_of(run).is_final(), "the end")
        assert "2B@narration-1 take 1" in (state_of(run).message or "")
        assert "5 of 5 takes are finished" in (state_of(run).message or "")
        assert spoken(stage) == ["The light has not gone out.", "Until tonight."], "not asked again in its scene"
        again = await begin(deployment, **told)
        wait_until(lambda: state_of(again).is_final(), "the end of the second run")
    assert state_of(again).name == "Completed", state_of(again).message
    assert spoken(stage) == ["Nobody saw it.", "The light has not gone out.", "Until tonight."]
