"""A deliverable of another shape is cut from the takes of the film around each shot's centre, and nothing is bought."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from PIL import Image

from storyreel.flows.production.report import Rendering
from storyreel.flows.render import render_storyboard
from storyreel.tasks.home import Home
from tests.flows.selling import selling
from tests.services.jobs import Script
from tests.tasks.generated_clips import make_clip
from tests.tasks.providers.hosted_services import SERVICES

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: Two Rooms
format: {fps: 12}
deliverables: [{name: tall, quality: draft, format: {size: 270x480}}]
defaults: {provider: apiyi, duration: 2s}
shots:
  - {shot: 1A, action: One., frame_at: {x: CENTRE}}
  - {shot: 1B, action: Two., transition: {type: dissolve, duration: 4f}}
"""
RAMP = "geq=lum='40+160*X/W':cb=128:cr=128,setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"


def _frames(film: Path) -> list[Image.Image]:
    with av.open(str(film)) as file:
        return [frame.to_image().convert("L") for frame in file.decode(video=0)]


def _place(picture: Image.Image, x: float) -> float:
    """The place in the ramp, 0 to 1, that a column of a picture shows."""
    found = picture.getpixel((round(x * (picture.width - 1)), picture.height // 2))
    assert isinstance(found, int)
    return (found * 219 / 255 + 16 - 40) / 160


def _pieces() -> set[str]:
    """The pictures in the house cache."""
    return {str(file.parent) for file in Home.of().house.rglob("picture.mp4")}


async def test_each_shot_is_cut_around_its_own_centre_and_a_changed_one_makes_only_its_own_pieces_again(
    tmp_path: Path,
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=24, fps="12", size="320x180", picture="color=black", sound=None,
                     filters=RAMP)  # fmt: skip
    service = SERVICES["apiyi"].emulated()
    service.use_script(Script(waiting=0, running=0, delivers=clip), times=2)

    async def rendered(centre: str) -> Rendering:
        (tmp_path / "film.yaml").write_text(FILM.replace("CENTRE", centre))
        return await render_storyboard(str(tmp_path / "film.yaml"), out=str(tmp_path / "out"), buy=True)

    tall = tmp_path / "out" / "deliverables" / "tall.mp4"
    with selling(service):
        film = Path((await rendered("0.3")).sequence)
        content, shown = film.read_bytes(), _frames(tall)
        assert len(shown) == 48 and shown[0].size == (270, 480)
        # 9:16 keeps 0.3164 of the width.
        for number, centre in ((0, 0.3), (21, 0.3), (26, 0.5), (47, 0.5)):
            for x in (0, 0.5, 1):
                assert abs(_place(shown[number], x) - (centre + (x - 0.5) * 0.3164)) < 0.02, number
        before = _pieces()
        await rendered("0.6")
        assert abs(_place(_frames(tall)[0], 0.5) - 0.6) < 0.02
        assert len(_pieces() - before) == 2, "the clip and the dissolve that it is in"
        assert film.read_bytes() == content, "the film is what it was"
    assert len(service.accepted) == 2
