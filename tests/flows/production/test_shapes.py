"""Shots that a service makes again in the shape of a deliverable, in real runs: bought when they are asked for, once,
shown in the deliverable alone, and never a reason to lose the film."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.production.agreement import NotAgreed, agreed_keys
from storyreel.flows.production.outcomes import ShotsFailed
from storyreel.flows.production.report import Rendering
from storyreel.flows.render import render_storyboard
from storyreel.flows.review.model import ReviewNeeded
from storyreel.flows.review.status import parse_verdicts, review_status
from storyreel.specs.money import Money, sums
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.budget import BudgetExceeded
from tests.flows.selling import selling
from tests.services.emulator import Emulator
from tests.services.jobs import Phase, Script
from tests.tasks.providers.hosted_services import SERVICES

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: The Keeper
format: {fps: 12}
defaults: {provider: dashscope, duration: 6f}
deliverables:
  - {name: web, format: {aspect_ratio: "9:16"}, shoot: true}
shots:
  - {shot: 1A, action: She climbs.}
  - {card: The end}
"""
LONGER = "  - {shot: 1B, action: She waits., continues: 1A}\n  - {shot: 1C, action: The sea.}\n  - {card"


class Set:
    """A film, the service that it is bought from, and what came of it."""

    def __init__(self, folder: Path, service: Emulator) -> None:
        self.folder, self.service = folder, service

    def plan(self, *names: str) -> Plan:
        return Planner.of(RunRequest(storyboard=self.folder / "film.yaml", deliverables=names)).plan()

    async def render(self, *names: str, **more: Any) -> Rendering:
        out = str(self.folder / "out")
        known = {"buy": True, "out": out, "deliverables": list(names) or None, **more}
        return await render_storyboard(str(self.folder / "film.yaml"), **known)

    def write(self, *changes: tuple[str, str]) -> None:
        text = FILM
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        (self.folder / "film.yaml").write_text(text)

    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "out" / "manifest.json").read_text())
        return found

    def spent(self) -> tuple[Money, ...]:
        with closing(Home.of().ledger()) as ledger:
            return sums(row.order.price for row in ledger.list() if row.order.price)


@pytest.fixture
def on_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Set]:
    prices = tmp_path / "prices.yaml"
    prices.write_text("prices: 1\nregions: {dashscope: {Beijing: [127.0.0.1]}}\n")
    monkeypatch.setenv("STORYREEL_PRICES", str(prices))
    (tmp_path / "film.yaml").write_text(FILM)
    service = SERVICES["dashscope"].emulated()
    with selling(service):
        yield Set(tmp_path, service)


async def test_a_shape_is_bought_once_when_its_deliverable_is_named_and_is_in_that_alone(on_set: Set) -> None:
    planned = on_set.plan("web")
    with pytest.raises(NotAgreed, match=r"1A@web take 1"):
        await on_set.render("web", agreed=agreed_keys(on_set.plan()))
    assert not on_set.service.accepted

    made = await on_set.render("web", agreed=agreed_keys(planned))
    assert len(on_set.service.accepted) == 2 and on_set.spent() == made.spent == planned.totals
    (web,) = made.deliverables
    assert (web.width, web.height, web.frames) == (720, 1280, made.frames)
    bought = [take for take in made.in_shapes if take.cost and take.cost.amount]
    assert [(take.shot, take.circled) for take in bought] == [("1A@web", True)]
    assert {take.deliverable for take in made.in_shapes} == {"web"}
    manifest = on_set.manifest()
    assert not any("@" in take["shot"] for take in manifest["shots"])
    assert {take["shot"] for take in manifest["in_shapes"]} == {"1A@web", "card-1@web"}
    assert not any("in_cut" in take for take in manifest["in_shapes"])
    assert "@web" not in (on_set.folder / "out" / "sequence.otio").read_text()

    again = on_set.plan()  # it costs nothing any more, so it is made without being named
    assert again.deliverables[0].is_made and not again.bought


async def test_a_shape_that_is_refused_leaves_the_film_and_what_continues_its_shots_begins_with_a_frame_cut_to_it(
    on_set: Set,
) -> None:
    on_set.write(("shoot: true", "shoot: [1B, 1C]"), ("  - {card", LONGER))
    refusal = Script(waiting=0, running=0, end=Phase.FAILED)
    on_set.service.use_script(refusal, when=lambda order: "sea" in order.prompt and order.ratio == "9:16")
    with pytest.raises(ShotsFailed) as failed:
        await on_set.render("web")
    film = on_set.folder / "out" / "sequence.mp4"
    told = failed.value.message.splitlines()
    assert told[0] == f"{film} is made, and 1 shot of deliverables could not be made; what was finished is kept"
    assert told[1].startswith("  1C@web take 1 (dashscope)")
    assert failed.value.next and "--deliverable web" in failed.value.next
    assert film.is_file() and "deliverables" not in on_set.manifest()
    assert not (on_set.folder / "out" / "deliverables" / "web.mp4").exists()
    pictures = [
        Image.open(io.BytesIO(base64.b64decode(each["url"].partition(",")[2])))
        for sale in on_set.service.accepted
        for each in sale.body["input"].get("media", ())
    ]
    # Of the film's frame the middle, in the size of the clip.
    assert sorted(picture.size for picture in pictures) == [(720, 1280), (1280, 720)]


@pytest.mark.matrix
async def test_a_shape_waits_for_its_own_approval_and_the_film_does_not_wait_for_it(on_set: Set) -> None:
    on_set.write((", duration: 6f", ", duration: 6f, review: required"))
    planner = Planner.of(RunRequest(storyboard=on_set.folder / "film.yaml", deliverables=("web",)))

    async def approve(*slates: str) -> None:
        reviews = await review_status(planner)
        with closing(Home.of().ledger()) as ledger:
            ledger.add_verdicts(parse_verdicts(reviews, slates, ()))

    with pytest.raises(ReviewNeeded) as needed:
        await on_set.render("web")
    assert {shot.slate for shot in needed.value.shots} == {"1A", "1A@web"}
    await approve("1A")
    with pytest.raises(ReviewNeeded) as needed:
        await on_set.render("web")
    assert {shot.slate for shot in needed.value.shots} == {"1A@web"}
    assert (on_set.folder / "out" / "sequence.mp4").is_file() and "deliverables" not in on_set.manifest()
    await approve("1A@web")
    (web,) = (await on_set.render("web")).deliverables
    assert len(on_set.service.accepted) == 2
    (again,) = (await on_set.render(agreed=[])).deliverables
    assert (again.name, again.digest) == ("web", web.digest) and len(on_set.service.accepted) == 2


@pytest.mark.matrix
async def test_the_money_of_a_shape_is_within_the_budget_of_the_run(on_set: Set) -> None:
    (price,) = on_set.plan("none").totals
    on_set.write(("shots:\n", f"budget: {{per_run: {price.exactly}}}\nshots:\n"))
    with pytest.raises(BudgetExceeded, match="1A@web") as excess:
        await on_set.render("web")
    assert not on_set.service.accepted and "--deliverable web" in (excess.value.next or "")
