"""Sheets, then stills, then clips: in this order, each once, the clip from the very picture that was approved."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from storyreel.flows.commands.options import plan_of
from storyreel.flows.planning.model import PlannedTake
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.production.outcomes import ShotsFailed
from storyreel.flows.render import render_storyboard
from storyreel.flows.review.model import ReviewNeeded
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import NewVerdict, Word
from tests.flows.deployed import APPROVED, Deployed
from tests.flows.selling import selling
from tests.flows.test_render import edges_of
from tests.services.dashscope import Dashscope
from tests.services.jobs import Phase, Script
from tests.tasks.generated_clips import make_clip
from tests.tasks.providers.hosted_services import SERVICES

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: The Keeper
format: {fps: 12, resolution: 720p}
cast: {mira: {description: woman in her sixties, sheet: true}}
defaults: {provider: dashscope, duration: 6f, stills: {model: wan2.7-image}, review: {still: required}}
shots:
  - {shot: 1A, action: Mira climbs., cast: [mira], still: {prompt: The empty stair, takes: 2}, last_still: The lamp}
  - {shot: 1B, action: Mira waits., cast: [mira]}
"""
FAILS = Script(waiting=0, running=0, end=Phase.FAILED)
FREE = FILM.replace(", review: {still: required}", "")


def take_of(film: Path, slate: str, number: int = 1) -> PlannedTake:
    plan = plan_of(RunRequest(storyboard=film)).plan
    return next(take for take in plan.takes if (take.shot, take.take) == (slate, number))


def kept(take: PlannedTake) -> Path:
    """The file of a take in the store."""
    with closing(Home.of().ledger()) as ledger:
        purchase = ledger.find(take.key)
    clip = Home.of().clips().find(purchase.clip or "") if purchase else None
    assert clip
    return clip.path


def ordered(dashscope: Dashscope) -> list[str]:
    """The models of all orders, in their order."""
    return [sale.order.model for sale in dashscope.accepted]


def sent(medium: Mapping[str, str]) -> bytes:
    """The bytes of a picture that an order holds."""
    return b64decode(medium["url"].partition(",")[2])


async def test_a_clip_waits_for_the_approval_of_its_still_and_begins_with_that_very_picture(
    dashscope: Dashscope, film: Path, tmp_path: Path
) -> None:
    with pytest.raises(ReviewNeeded) as needed:
        await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    assert "2 stills wait for approval" in str(needed.value)
    assert [(shot.slate, shot.action, len(shot.takes)) for shot in needed.value.shots] == [
        ("1A@still", "The empty stair", 2), ("1A@last-still", "The lamp", 1),
    ]  # fmt: skip
    assert ordered(dashscope)[0] == "wan2.7-image", "the sheet, of which all others are made"
    assert sorted(ordered(dashscope)[1:]) == ["wan2.7-image"] * 3 + ["wan2.7-r2v"], "1B waits for nobody's approval"
    assert [take_of(film, shot).waits_for for shot in ("1A", "1B")] == [("1A@still", "1A@last-still"), ()]

    stills = [take_of(film, "1A@still", 1), take_of(film, "1A@last-still")]
    with closing(Home.of().ledger()) as ledger:
        ledger.add_verdicts(
            NewVerdict(key=still.key, film="The Keeper", slate=still.shot, take=still.take, word=Word.APPROVED)
            for still in stills
        )
    other = make_clip(tmp_path / "other.mp4", frames=60, fps="30", size="1280x720", picture="smptehdbars")
    dashscope.use_script(Script(waiting=0, running=0, delivers=other))
    made = await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    assert len(dashscope.accepted) == 6, "the clip alone, and nothing again"
    begins, ends = dashscope.accepted[-1].body["input"]["media"]
    assert (begins["type"], ends["type"]) == ("first_frame", "last_frame")
    assert [sent(begins), sent(ends)] == [kept(still).read_bytes() for still in stills]
    (sheet,) = next(sale for sale in dashscope.accepted if sale.order.model == "wan2.7-r2v").body["input"]["media"]
    assert sent(sheet) == kept(take_of(film, "mira@sheet")).read_bytes()

    assert {("1A@still take 1", "1A take 1"), ("1A@last-still take 1", "1A take 1")} <= await edges_of(made.flow_run)
    takes = [(take.shot, take.inspection) for take in made.takes]
    found = {shot: [finding.what for finding in seen.findings] for shot, seen in takes if seen}
    assert "first frame" in found["1A"], "a clip is held against its still"
    assert found["1A@still"] == found["1A@last-still"] == found["mira@sheet"] == []

    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [(take["shot"], take["in_cut"]["frames"]) for take in manifest["shots"]] == [("1A", 6), ("1B", 6)]
    assert [(take["kind"], take["shot"], take["take"], take["circled"]) for take in manifest["stills"]] == [
        ("sheet", "mira@sheet", 1, True), ("still", "1A@still", 1, True), ("still", "1A@still", 2, False),
        ("last still", "1A@last-still", 1, True),
    ]  # fmt: skip
    assert all(take["clip_digest"] in take["clip"] and take["inspection"]["frames"] == 1 for take in manifest["stills"])
    assert "2 takes and 4 pictures" in made.in_words
    assert {take.state for take in plan_of(RunRequest(storyboard=film)).plan.takes} == {"cached"}


async def test_a_still_that_fails_stops_only_what_is_made_of_it(
    dashscope: Dashscope, film: Path, tmp_path: Path
) -> None:
    film.write_text(FREE)
    dashscope.use_script(FAILS, when=lambda order: "lamp" in order.prompt)
    with pytest.raises(ShotsFailed) as failed:
        await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    message = str(failed.value)
    assert "1 of 2 shots and 1 picture could not be made; what was finished is kept" in message
    assert "1A take 1: not made, because it is made of 1A@last-still" in message
    assert "wan2.7-i2v" not in ordered(dashscope)


async def test_a_deployed_run_asks_about_a_still_and_goes_on_to_the_clip(dashscope: Dashscope, film: Path) -> None:
    film.write_text("".join(line for line in FILM.splitlines(keepends=True) if "1B" not in line))
    deployed = await Deployed.of(film, "The Keeper")
    run = await deployed.begin()
    state = await deployed.state(run)
    assert state.name == "Suspended" and "approve 1A@still, 1A@last-still" in (state.message or "")
    asked = await deployed.asked(run, 1)
    assert "Still of 1A" in asked and asked.count("data:image/jpeg;base64,") == 3
    assert ordered(dashscope) == ["wan2.7-image"] * 4
    await deployed.resume(run, {"shot_1A_still": {"decision": "approve", "take": 1}, "shot_1A_last_still": APPROVED})
    assert (await deployed.state(run)).name == "Completed"
    assert ordered(dashscope) == ["wan2.7-image"] * 4 + ["wan2.7-i2v"]
    assert sent(dashscope.accepted[-1].body["input"]["media"][0]) == kept(take_of(film, "1A@still", 1)).read_bytes()


async def test_a_picture_in_a_form_that_a_service_does_not_take_is_sent_in_one_that_it_does(
    dashscope: Dashscope, film: Path, tmp_path: Path
) -> None:
    film.write_text(FREE.replace(", still: {prompt: The empty stair, takes: 2}, last_still: The lamp", ", still: true"))
    Image.effect_noise((1920, 1080), 60).convert("RGBA").save(clear := tmp_path / "clear.png")
    dashscope.use_script(Script(waiting=0, running=0, delivers=clear), times=2, when=lambda order: order.is_picture)
    dashscope.settings = dashscope.doubts = replace(dashscope.doubts, fetches_references=True)
    await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    (clip,) = (sale for sale in dashscope.accepted if sale.order.model == "wan2.7-i2v")
    assert kept(take_of(film, "1A@still")).read_bytes() == clear.read_bytes(), "kept as it came"
    with Image.open(BytesIO(sent(clip.body["input"]["media"][0]))) as shown, Image.open(clear) as made:
        assert shown.mode == "RGB" and shown.tobytes() == made.convert("RGB").tobytes()


async def test_a_lost_picture_of_which_nothing_more_is_made_stops_no_film_and_is_not_bought_again(
    dashscope: Dashscope, film: Path, tmp_path: Path
) -> None:
    film.write_text(FREE)
    before = await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    lost = [kept(take_of(film, slate)) for slate in ("mira@sheet", "1A@last-still")]
    for picture in lost:
        picture.unlink()
    with selling(forgetful := SERVICES["dashscope"].emulated()):
        again = await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    assert not forgetful.accepted and again.frames == before.frames
    assert [take.shot for take in again.stills] == ["1A@still", "1A@still"], "the others are lost"
