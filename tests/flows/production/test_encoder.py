"""The encoder that a user asks for: a run that does not have it buys nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.flows.render import render_storyboard
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.encoders import X264, names, working_hardware
from storyreel.tasks.media.errors import MediaError
from tests.services.aimlapi import Aimlapi, AimlapiSettings

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: Card
format: {fps: 12}
defaults: {provider: aimlapi, duration: 6f}
shots:
  - {shot: 1A, action: Ana walks by.}
"""


async def test_an_encoder_that_does_not_work_here_is_told_before_anything_is_bought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = next(name for name in names() if name not in (X264, *working_hardware(find_ffmpeg())))
    (tmp_path / "film.yaml").write_text(FILM)
    service = Aimlapi(AimlapiSettings())
    with service.served(port=0) as base_url:
        monkeypatch.setenv("AIMLAPI_API_KEY", "sk-emulator")
        monkeypatch.setenv("AIMLAPI_BASE_URL", base_url)
        monkeypatch.setenv("STORYREEL_ENCODER", missing)
        with pytest.raises(MediaError, match=f"with {missing}, which STORYREEL_ENCODER names"):
            await render_storyboard(str(tmp_path / "film.yaml"), out=str(tmp_path / "out"), buy=True)
    assert service.accepted == []
