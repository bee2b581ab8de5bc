"""A film whose shots are graded or labelled: nothing is bought again, and only what changes is encoded again."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest

from storyreel.flows.production.report import Rendering
from storyreel.flows.render import render_storyboard
from tests.flows.selling import selling
from tests.services.jobs import Script
from tests.tasks.generated_clips import lumas, make_clip
from tests.tasks.providers.hosted_services import SERVICES

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: Two Rooms
format: {fps: 12}
defaults: {provider: apiyi, duration: 2s}
shots:
  - {shot: 1A, action: One.}
  - {shot: 1B, action: Two.GRADE}
"""
TAGS = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"


def _parameters(film: Path) -> bytes | None:
    """Those of the encoder."""
    with av.open(str(film)) as opened:
        return opened.streams.video[0].codec_context.extradata


async def test_a_grade_and_a_label_change_their_shots_in_the_film_and_buy_nothing(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=24, fps="12", size="1280x720", picture="color=gray", sound=None,
                     filters=TAGS)  # fmt: skip
    service = SERVICES["apiyi"].emulated()
    service.use_script(Script(waiting=0, running=0, delivers=clip), times=2)

    async def rendered(grade: str, more: str = "") -> Rendering:
        (tmp_path / "film.yaml").write_text(FILM.replace("GRADE", grade) + more)
        return await render_storyboard(str(tmp_path / "film.yaml"), out=str(tmp_path / "out"), buy=True)

    with selling(service):
        plain = Path((await rendered("")).sequence)
        content, of_service = plain.read_bytes(), _parameters(clip)
        assert _parameters(plain) == of_service, "both clips are copied into the film"
        graded = Path((await rendered(", grade: {exposure: -2}")).sequence)
        shown = lumas(graded)
        assert len(shown) == 48 and _parameters(graded) != of_service
        before = lumas(clip)[0]
        assert all(abs(luma - before) < 2 for luma in shown[:24]), "1A is encoded beside it, and looks as before"
        assert max(shown[24:]) < before / 2 and max(shown[24:]) - min(shown[24:]) < 1, "1B is two stops darker"
        record = json.loads((tmp_path / "out" / "manifest.json").read_text())["shots"]
        grades = {take["shot"]: take["in_cut"].get("grade") for take in record}
        assert grades == {
            "1A": None, "1B": {"exposure": -2, "temperature": 6500, "contrast": 1, "saturation": 1},
        }  # fmt: skip
        labelled = Path((await rendered("", "label: AI generated\nmetadata: {author: Ana}\n")).sequence)
        assert labelled.read_bytes() != content and max(lumas(labelled)) - before < 12, "a corner is changed"
        with av.open(str(labelled)) as opened:
            assert opened.metadata["artist"] == "Ana"
            extremes = [frame.to_image().getchannel("G").getextrema() for frame in opened.decode(video=0)]
        assert len(extremes) == 48 and all(most > 200 for _, most in extremes), "white letters on grey, in every frame"
        again = Path((await rendered("")).sequence)
        assert again.read_bytes() == content, "without them the film is what it was, byte for byte"
    assert len(service.accepted) == 2
