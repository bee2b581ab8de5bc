"""What `storyreel inspect` says of the shots of a scene, and that its proposals do what they promise."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import storyreel.specs
from storyreel.flows.drift.inspect import inspect_film
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.specs.cut import EditPoints
from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.conform import Conforming, conform_clip
from storyreel.tasks.ledger.ledger import Ledger
from storyreel.tasks.media.grading.grade import Grading
from storyreel.tasks.media.house_format import HouseFormat
from tests.flows import warm
from tests.flows.selling import buy_take
from tests.tasks.generated_clips import ffmpeg

EXAMPLES = Path(storyreel.specs.__file__).parent / "examples" / "media"

FILM = """\
storyboard: 1
title: The Lamp
format: {fps: 12}
defaults: {duration: 1s, provider: apiyi}
scenes:
  - scene: 1
    heading: INT. LAMP ROOM
    shots:
      - {shot: 1A, action: She climbs.}
      - {shot: 1B, action: She waits.}
      - {shot: 1C, action: It is dark.}
      - {shot: 1D, action: It is cold.}
      - {shot: 1E, action: It is grey.}
      - {shot: 1F, action: The end.}
  - scene: 2
    shots:
      - {shot: 2A, action: The sea.}
      - {shot: 2B, action: Not made.}
      - {card: The end}
"""
LOOKS = {
    "1C": Grading(exposure=-0.8), "1D": Grading(temperature=8000), "1E": Grading(saturation=0.6),
    "2A": Grading(exposure=1),
}  # fmt: skip
"""How the clips of the shots differ from those of the others, which are all of one picture."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The clips of the shots, by slate."""
    folder = tmp_path_factory.mktemp("clips")
    tags = "scale=320:180:out_color_matrix=bt709:out_range=tv,format=yuv420p," \
           "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"  # fmt: skip
    ffmpeg("-loop", "1", "-i", EXAMPLES / "lamp-room.png", "-frames:v", "24", "-r", "12", "-vf", tags, "-crf", "4",
           folder / "plain.mp4")  # fmt: skip
    house = HouseFormat(width=320, height=180, rate=FrameRate(Fraction(12)))

    async def changed(slate: str, look: Grading) -> Path:
        how = Conforming(EditPoints(0, 24), house, keep_sound=False, grading=look)
        return (await conform_clip(folder / "plain.mp4", how, into=folder / slate)).picture

    others = {slate: asyncio.run(changed(slate, look)) for slate, look in LOOKS.items()}
    return dict.fromkeys(("1A", "1B", "1F"), folder / "plain.mp4") | others


@pytest.fixture
def made(film: Path, ledger: Ledger, clips: dict[str, Path]) -> Ledger:
    """The ledger, with these clips bought."""
    for take in Planner.of(RunRequest(storyboard=film)).plan().takes:
        if take.shot in clips:
            buy_take(ledger, "The Lamp", take, clips[take.shot].read_bytes())
    return ledger


def command(film: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PREFECT_HOME": str(film.parent / "prefect")}
    return warm.command("inspect", film.name, *words, folder=film.parent, environment=environment)


async def told(film: Path, like: str | None = None) -> dict[str, dict[str, Any]]:
    """The findings on each shot, by slate."""
    found = await inspect_film(Planner.of(RunRequest(storyboard=film)), film.parent / "colours.png", like)
    return {shot["shot"]: shot for scene in found.as_json()["scenes"] for shot in scene["shots"]}


def test_a_film_without_clips_has_nothing_to_inspect(film: Path) -> None:
    done = command(film)
    assert done.returncode == 1
    assert "no clip of The Lamp is made yet" in done.stderr and "next: storyreel render film.yaml" in done.stderr


@pytest.mark.usefixtures("made")
async def test_what_differs_is_told_in_numbers_words_and_a_picture(film: Path) -> None:
    shots = await told(film)
    assert {slate: shot["differs"] for slate, shot in shots.items()} == {
        "1A": "", "1B": "", "1C": "0.8 stops darker", "1D": "warmer", "1E": shots["1E"]["differs"], "1F": "", "2A": "",
    }  # fmt: skip
    assert "framing" not in shots["1A"], "no deliverable cuts it"
    assert shots["1E"]["differs"].endswith("% less saturated")
    assert abs(shots["1C"]["stops"] + 0.8) < 0.1 and abs(shots["1E"]["saturation_stops"] + 0.74) < 0.1
    assert shots["1D"]["kelvin"] < shots["1A"]["kelvin"]
    done = command(film)
    assert "scene 1, INT. LAMP ROOM" in done.stdout and "not made yet: 2B" in done.stdout
    assert "  - shot: 1C\n    grade: {exposure: 0.8}\n" in done.stdout
    with Image.open(film.parent / "renders" / "the-lamp" / "colours.png") as page:
        assert page.format == "PNG" and page.width == 1920
    assert film.read_text() == FILM, "nothing is changed"


@pytest.mark.usefixtures("made")
async def test_what_is_proposed_makes_the_shots_alike_and_buys_nothing(film: Path) -> None:
    text = FILM
    for slate, shot in (await told(film)).items():
        if shot["proposal"]:
            written = ", ".join(f"{key}: {value}" for key, value in shot["proposal"].items())
            text = text.replace(f"shot: {slate},", f"shot: {slate}, grade: {{{written}}},")
    assert text.count("grade:") == 3
    film.write_text(text)
    after = await told(film)
    assert [shot["shot"] for shot in after.values() if shot["differs"]] == []
    # A second proposal is made of the first grade.
    film.write_text(text.replace("exposure: 0.8", "exposure: 0.2"))
    again = (await told(film))["1C"]
    assert again["differs"] == "0.6 stops darker" and again["proposal"] == {"exposure": 0.8}
    assert all(take.state == "cached" for take in Planner.of(RunRequest(storyboard=film)).plan().takes[:7])


@pytest.mark.usefixtures("made")
async def test_all_shots_can_be_compared_with_one(film: Path) -> None:
    shots = await told(film, "1C")
    assert shots["1C"]["differs"] == "" and shots["1A"]["differs"] == "0.8 stops brighter"
    assert abs(shots["2A"]["stops"] - 1.8) < 0.2
    with pytest.raises(LookupError, match="there is no shot `1Z` that is made; there are `1A`"):
        await told(film, "1Z")


DELIVERED = FILM.replace(
    "defaults:",
    'deliverables: [{name: tall, format: {aspect_ratio: "9:16"}}, {name: wide, codec: h265},'
    ' {name: square, format: {aspect_ratio: "1:1"}}]\ndefaults:',
).replace("{shot: 1A,", "{shot: 1A, frame_at: {x: 0.2},")


@pytest.mark.usefixtures("made")
def test_where_deliverables_keep_more_is_proposed_and_drawn_and_nothing_is_changed(film: Path) -> None:
    film.write_text(DELIVERED)
    told = command(film).stdout
    found = re.findall(r"  - shot: (\w+)\n    frame_at: \{x: (0\.\d+)\}\n", told)
    assert [slate for slate, _ in found] == ["1A"] and 0.4 < float(found[0][1]) < 0.6, "the lamp is in the middle"
    assert told.count("% of the action in tall") == 7
    with Image.open(film.parent / "renders" / "the-lamp" / "colours-framing.png") as page:
        assert page.width == 1920
    assert film.read_text() == DELIVERED
