"""Paid clips that are not what was ordered are in the film all the same, and the report says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image, ImageStat

from storyreel.flows.production.report import Rendering
from storyreel.flows.render import render_storyboard
from storyreel.specs.cut import EditPoints
from storyreel.specs.timing import FrameRate
from storyreel.tasks.home import Home
from storyreel.tasks.join.conform import needs_no_encoding
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.media.probe import probe
from storyreel.tasks.procurement import collect
from tests.flows.selling import selling
from tests.services.jobs import Script
from tests.tasks.generated_clips import ffmpeg, make_clip
from tests.tasks.odd_clips import oriented, overwritten
from tests.tasks.providers.hosted_services import SERVICES

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: The Keeper
format: {fps: 30}
defaults: {provider: apiyi, duration: 2s}
shots:
  - {shot: 1A, action: One shrinks.}
  - {shot: 1B, action: Two waits., continues: 1A, transition: {type: dissolve, duration: 10f}}
  - {shot: 1C, action: Three turns., transition: {type: dissolve, duration: 10f}}
  - {shot: 1D, action: Four stays., continues: 1C}
"""

ONE_SHOT = FILM[: FILM.index("  - {shot: 1B")]


def _ramp(into: Path, frames: int) -> Path:
    """Frame n has luma 40 + 2 n; the upper half is 40 brighter."""
    return make_clip(
        into, frames=frames, fps="30", size="320x180", picture="color=black",
        filters="geq=lum='40+2*N+40*lt(Y,H/2)':cb=128:cr=128", options=("-crf", "4"),
    )  # fmt: skip


def _numbers(film: Path) -> list[int]:
    """The frames of `_ramp` in a film, by the luma of the lower half."""
    with av.open(str(film)) as file:
        return [
            round((bytes(frame.planes[0])[frame.planes[0].line_size * (frame.height * 7 // 8)] - 40) / 2)
            for frame in file.decode(video=0)
        ]


def _brightness(picture: Path, *, upper: bool) -> float:
    with Image.open(picture) as image:
        half = image.height // 2
        box = (0, 0, image.width, half) if upper else (0, half, image.width, image.height)
        return ImageStat.Stat(image.convert("L").crop(box)).mean[0]


@pytest.fixture
def rendered(tmp_path: Path) -> Any:
    """Render the film with these clips, by the first word of their action."""

    async def render(clips: dict[str, Path], film: str = FILM) -> Rendering:
        service = SERVICES["apiyi"].emulated()
        for word, clip in clips.items():
            script = Script(waiting=0, running=0, delivers=clip)
            service.use_script(script, when=lambda order, word=word: word in order.prompt)  # type: ignore[misc]
        with selling(service):
            (tmp_path / "film.yaml").write_text(film)
            return await render_storyboard(str(tmp_path / "film.yaml"), out=str(tmp_path / "out"), buy=True)

    return render


async def test_short_turned_and_single_clips_make_a_film_that_is_exact_and_told_of(
    tmp_path: Path, rendered: Any
) -> None:
    short, whole = _ramp(tmp_path / "short.mp4", 57), _ramp(tmp_path / "whole.mp4", 60)
    single, mirrored = _ramp(tmp_path / "single.mp4", 1), oriented(whole, tmp_path / "mirrored.mp4", 4)
    clips = {"One": short, "Two": single, "Three": mirrored, "Four": whole}
    made = await rendered(clips)
    assert made.frames == probe(made.sequence).frames == 240
    assert probe(made.sequence).steady
    seen = _numbers(made.sequence)
    assert seen[:55] == list(range(55)), "1A up to the dissolve"
    assert set(seen[66:114]) == {0}, "the only frame of 1B"
    assert [number - 20 for number in seen[126:180]] == list(range(6, 60)), "1C upside down, as it is seen"
    assert seen[180:] == list(range(60))
    lines = {line.split(" take")[0]: line for line in made.findings if "frames" in line}
    assert "57 of 60 frames" in lines["1A"] and "its last frame is held for the 3" in lines["1A"]
    assert "make the shot 0.10 s shorter" in lines["1A"]
    assert f"storyreel retake {tmp_path / 'film.yaml'} 1A" in lines["1A"]
    assert "1 of 60 frames" in lines["1B"] and "shorter" not in lines["1B"]
    assert f"storyreel retake {tmp_path / 'film.yaml'} 1B" in lines["1B"]
    takes = {take["shot"]: take for take in json.loads((tmp_path / "out" / "manifest.json").read_text())["shots"]}
    assert takes["1A"]["inspection"]["findings"][0]["remedy"] == "make the shot 0.10 s shorter"
    # A shot continues what a viewer sees at the end of the one before, upright and not beyond its last frame.
    frames = {file.parent.name.split("-")[0]: file for file in (Home.of().house / "frames").rglob("*.png")}
    sent = {shot: frames[takes[shot]["key"][:32]] for shot in ("1A", "1C")}
    assert _brightness(sent["1A"], upper=True) > _brightness(sent["1A"], upper=False)
    assert _brightness(sent["1C"], upper=True) < _brightness(sent["1C"], upper=False)


async def test_a_clip_with_broken_frames_is_mended_even_where_it_could_be_copied(
    tmp_path: Path, rendered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last frame is broken. Copied into the film it would be broken there, and the film be discarded."""
    monkeypatch.setattr(collect, "_SAME_BYTES_SECONDS", 0)
    tags = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
    whole = make_clip(tmp_path / "whole.mp4", frames=60, fps="30", size="1280x720", picture="color=gray", filters=tags)
    house = HouseFormat(width=1280, height=720, rate=FrameRate.parse("30"))
    assert needs_no_encoding(probe(whole), EditPoints(0, 60), house)
    made = await rendered({"One": overwritten(whole, "video", range(55, 60))}, film=ONE_SHOT)
    assert made.frames == 60
    (line,) = [line for line in made.findings if "cannot be decoded" in line]
    assert "damaged" in line and f"storyreel retake {tmp_path / 'film.yaml'} 1A" in line
    ffmpeg("-xerror", "-i", made.sequence, "-f", "null", "-")
