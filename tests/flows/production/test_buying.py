"""The plan equals the run: what is called new is bought, and nothing else; a budget holds; another service steps in."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import ffmpeg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops
from prefect import flow, get_client
from prefect.flow_engine import run_flow_async

from storyreel.flows.commands.options import plan_of
from storyreel.flows.commands.screen.consent import require_keys
from storyreel.flows.errors import NotAllowed, RunFailed
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.production import outcomes
from storyreel.flows.production.agreement import NotAgreed, agreed_key
from storyreel.flows.production.film_folder import FolderTaken
from storyreel.flows.production.outcomes import Failure as NotMade
from storyreel.flows.production.outcomes import ShotsFailed
from storyreel.flows.production.report import Rendering
from storyreel.flows.production.takes import begin_takes
from storyreel.flows.render import render_storyboard
from storyreel.flows.review.model import ReviewNeeded
from storyreel.specs.money import Money, sums
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.budget import BudgetExceeded
from storyreel.tasks.ledger.ledger import Order, Purchase, State
from storyreel.tasks.ledger.purchase import NewVerdict, Word
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.frames import first_frame
from storyreel.tasks.prices.price_list import PriceList
from storyreel.tasks.studio import open_studio
from storyreel.testing.faults import Answer, Call, Slow
from tests.flows.selling import selling
from tests.services.emulator import Emulator
from tests.services.jobs import Failure, Phase, Script
from tests.tasks.providers.hosted_services import SERVICES

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: The Keeper
format: {fps: 12}
defaults: {provider: apiyi, duration: 6f}
shots:
  - {shot: 1A, action: She climbs.}
  - {shot: 1B, action: She waits., continues: 1A}
  - {shot: 1C, action: The sea.}
"""
STILLS = (
    FILM.replace("duration: 6f}", "duration: 6f, stills: {provider: dashscope}}")
    .replace("- {shot: 1C, action: The sea.}", "- {shot: 1C, action: The sea., cast: [tom], STILL}")
    .replace("defaults:", "cast: {tom: {description: a boy, sheet: true}}\ndefaults:")
)
DRAFTED = STILLS.replace("format:", "draft: {provider: dashscope}\nformat:")
AGAIN = "  - {shot: 1D, action: She climbs.}\n"
"""The same request as 1A."""
TWO_SECONDS = Money(amount=Decimal("0.168"), currency="USD")


class Set:
    """A film, the services that it is bought from, and what came of it."""

    def __init__(self, folder: Path, apiyi: Emulator, dashscope: Emulator) -> None:
        self.folder, self.apiyi, self.dashscope = folder, apiyi, dashscope

    def plan(self, film: str = FILM, *select: str, draft: bool = False) -> Plan:
        (self.folder / "film.yaml").write_text(film)
        return plan_of(RunRequest(storyboard=self.folder / "film.yaml", selection=select, draft=draft)).plan

    async def render(self, film: str = FILM, *select: str, **more: object) -> Rendering:
        (self.folder / "film.yaml").write_text(film)
        return await render_storyboard(
            str(self.folder / "film.yaml"),
            select=list(select) or None,
            **{"buy": True, "out": str(self.folder / "out"), **more},
        )

    def sold(self) -> int:
        return len(self.apiyi.accepted) + len(self.dashscope.accepted)

    def ledger(self) -> dict[str, Purchase]:
        ledger = Home.of().ledger()
        try:
            return {row.order.key: row for row in ledger.list()}
        finally:
            ledger.close()

    def manifest(self) -> list[dict[str, object]]:
        shots: list[dict[str, object]] = json.loads((self.folder / "out" / "manifest.json").read_text())["shots"]
        return shots


@pytest.fixture
def on_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Set]:
    prices = tmp_path / "prices.yaml"
    prices.write_text("prices: 1\nregions: {dashscope: {Beijing: [127.0.0.1]}}\n")
    monkeypatch.setenv("STORYREEL_PRICES", str(prices))
    apiyi, dashscope = SERVICES["apiyi"].emulated(), SERVICES["dashscope"].emulated()
    with selling(apiyi, dashscope):
        yield Set(tmp_path, apiyi, dashscope)


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["climbs", "falls", "rests"]),
            st.sampled_from(["sea", "moon"]),
            st.integers(1, 2),
            st.sampled_from([(), ("1A",), ("1B",), ("1D",), ("1A+",), ("changed",), ("1C", "state:cached")]),
            st.booleans(),
            st.booleans(),
            st.sampled_from(["still: false", "still: true", "still: His boots", "still: {takes: 2, circled: 1}"]),
        ),
        min_size=2,
        max_size=3,
    )
)
async def test_what_is_planned_as_new_is_bought_at_its_price_and_nothing_else(
    on_set: Set, steps: list[tuple[str, str, int, tuple[str, ...], bool, bool, str]]
) -> None:
    for climbs, sea, takes, select, fails, draft, still in steps:
        film = (DRAFTED + AGAIN).replace("climbs", climbs).replace("The sea.", f"The {sea}., takes: {takes}")
        film = film.replace("STILL", still).replace("a boy", f"a boy who {climbs}")
        planned = on_set.plan(film, *select, draft=draft)
        if fails and planned.bought:
            on_set.apiyi.use_script(Script(waiting=0, running=0, end=Phase.FAILED), times=1)
        sold, before = on_set.sold(), on_set.ledger()
        try:
            made = await on_set.render(film, *select, draft=draft)
        except ShotsFailed:
            made = None
        now = on_set.ledger()
        bought = {take.key for take in planned.bought}
        ordered = {key for key, row in now.items() if key not in before or row.intended != before[key].intended}
        hosted = {key for key in ordered if now[key].order.provider != "animatic"}
        assert hosted <= bought, "nothing is bought that the plan did not say"
        assert on_set.sold() - sold == len(hosted)
        if made is not None:
            assert hosted == bought
            assert sums(now[key].order.price for key in hosted if now[key].order.price) == planned.totals
            clips = [now[key].order for key in hosted if "@" not in now[key].order.slate]
            assert {order.is_draft for order in clips} <= {draft}, "pictures are of the film and its draft alike"
            assert on_set.plan(film, *select, draft=draft).bought == ()


async def test_the_draft_is_a_film_of_its_own_and_marked_where_it_is_seen_not_in_its_clips(on_set: Set) -> None:
    film = """\
storyboard: 1
title: The Keeper
format: {fps: 12, resolution: 1080p}
draft: {provider: dashscope, resolution: 720p}
defaults: {provider: apiyi, duration: 6f}
review: required
shots: [{shot: 1A, action: She climbs.}]
"""
    drafted = await on_set.render(film, draft=True)  # waits for no approval
    assert (len(on_set.apiyi.accepted), len(on_set.dashscope.accepted)) == (0, 1)
    folder = on_set.folder / "out" / "draft"
    assert drafted.sequence == folder / "sequence.mp4" and drafted.is_draft
    assert json.loads((folder / "manifest.json").read_text())["draft"] is True
    async with get_client() as client:
        run = await client.read_flow_run(UUID(drafted.flow_run))
    assert "(draft)" in run.name and "draft" in run.tags
    files = Path(drafted.sequence), drafted.shots[0].clip
    marked, clip = (first_frame(file).crop((540, 40, 740, 110)) for file in files)
    lightest = [picture.convert("L").getextrema()[1] for picture in (marked, clip)]
    assert lightest[0] > 215, "the word is in the picture"
    assert ImageChops.difference(marked, clip).convert("L").getextrema()[1] > 60, "and not in the clip of the store"
    sequence = Path(drafted.sequence).read_bytes()

    with pytest.raises(ReviewNeeded):  # of the film itself, whatever was said of its draft
        await on_set.render(film)
    with closing(Home.of().ledger()) as ledger:
        ledger.add_verdicts(
            [NewVerdict(key=take.key, film="The Keeper", slate="1A", take=1, word=Word.APPROVED)
             for take in on_set.plan(film).takes]
        )  # fmt: skip
    made = await on_set.render(film)
    assert made.sequence == on_set.folder / "out" / "sequence.mp4" and not made.is_draft
    assert Path(drafted.sequence).read_bytes() == sequence, "neither replaces the other"
    with pytest.raises(FolderTaken, match="the draft of the film in it, which the film would replace"):
        await on_set.render(film, out=str(folder))


async def test_a_run_says_at_its_end_that_a_service_charged_something_else_than_was_quoted(
    on_set: Set, caplog: pytest.LogCaptureFixture
) -> None:
    (on_set.folder / "prices.yaml").write_text(
        "prices: 1\nrates: [{service: aimlapi, per_second: 0.08, currency: USD}]\n"
    )
    film = "storyboard: 1\ntitle: One\nformat: {fps: 12}\nshots: [{shot: 1A, action: Rain., duration: 6f}]\n"
    aimlapi = SERVICES["aimlapi"].emulated()
    with selling(aimlapi):
        made = await on_set.render(film, provider="aimlapi")
    (line,) = made.price_warnings
    assert "charged 0.45 USD, quoted 0.40 USD, 12.5 % more" in line and len(aimlapi.accepted) == 1
    assert json.loads((on_set.folder / "out" / "manifest.json").read_text())["price_warnings"] == [line]
    assert [record.levelname for record in caplog.records if record.getMessage() == line] == ["WARNING"]


WITH_PICTURE = """\
storyboard: 1
title: The Keeper
format: {fps: 12}
defaults: {provider: dashscope, duration: 6f}
shots:
  - {shot: 1A, action: She climbs.}
  - {shot: 1B, action: She waits., continues: 1A, last_frame: end.png, providers: [dashscope, animatic]}
"""


def picture(file: Path, colour: str) -> bytes:
    Image.new("RGB", (640, 360), colour).save(file)
    return file.read_bytes()


def pictures_in(body: dict[str, Any]) -> list[bytes]:
    """The frames inside an order to DashScope."""
    return [base64.b64decode(each["url"].partition(",")[2]) for each in body["input"]["media"]]


async def test_a_picture_that_is_edited_between_plan_and_order_stops_its_take_alone(
    on_set: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No clip of another picture is ever kept under the planned picture's key."""
    end = on_set.folder / "end.png"
    planned = picture(end, "teal")
    sell = on_set.dashscope.sell

    def edit(*order: Any, **more: Any) -> Any:
        """The first order is accepted, and the picture of the second is edited meanwhile."""
        if not on_set.dashscope.accepted:
            picture(end, "red")
        return sell(*order, **more)

    monkeypatch.setattr(on_set.dashscope, "sell", edit)
    with pytest.raises(ShotsFailed, match=r"1B take 1 \(dashscope\): .*end\.png was changed after") as failed:
        await on_set.render(WITH_PICTURE)
    assert failed.value.next.startswith("storyreel render ")
    assert on_set.sold() == 1 and [row.order.slate for row in on_set.ledger().values()] == ["1A"]
    await on_set.render(WITH_PICTURE)
    assert on_set.sold() == 2 and pictures_in(on_set.dashscope.accepted[1].body)[1] == end.read_bytes()
    end.write_bytes(planned)
    (again,) = on_set.plan(WITH_PICTURE).bought
    assert again.shot == "1B", "what was made with another picture is not taken for this one's"


async def test_the_frame_that_a_take_continues_with_is_that_of_the_clip_before(on_set: Set) -> None:
    """A picture that was replaced on the disk since an earlier run is not sent in its place."""
    picture(on_set.folder / "end.png", "teal")
    on_set.dashscope.fault(Call.CREATE, Answer(400), after=1)
    with pytest.raises(ShotsFailed, match="1B"):
        await on_set.render(WITH_PICTURE.replace(", animatic", ""))
    (frame,) = (Home.of().house / "frames").glob("*/*.png")
    true = frame.read_bytes()
    picture(frame, "red")
    await on_set.render(WITH_PICTURE)
    assert pictures_in(on_set.dashscope.accepted[1].body)[0] == true == frame.read_bytes()


async def test_what_is_not_selected_is_drawn_and_the_film_has_its_full_length(on_set: Set) -> None:
    made = await on_set.render(FILM, "1C")
    assert made.frames == 18
    assert on_set.sold() == 1
    assert made.stand_ins == 2
    assert [(take["shot"], take["stand_in"], take["provider"]) for take in on_set.manifest()] == [
        ("1A", True, "animatic"), ("1B", True, "animatic"), ("1C", False, "apiyi"),
    ]  # fmt: skip
    whole = await on_set.render()
    assert on_set.sold() == 3, "what was selected before is not bought again"
    assert whole.stand_ins == 0


async def test_a_budget_that_the_film_would_pass_buys_nothing(on_set: Set) -> None:
    with pytest.raises(BudgetExceeded) as stopped:
        await on_set.render(FILM, budget="0.40 USD")
    assert stopped.value.fits == ("1A", "1B")
    assert on_set.sold() == 0
    await on_set.render(FILM, "1A,1B", budget="0.40 USD")
    assert on_set.sold() == 2


async def test_a_shots_budget_holds_over_its_retakes(on_set: Set) -> None:
    film = FILM.replace("title: The Keeper", "title: The Keeper\nbudget: {per_shot: 0.40 USD}")
    await on_set.render(film)
    await on_set.render(film.replace("The sea.", "The sea., takes: 2"))
    with pytest.raises(BudgetExceeded, match="with 1C it would be exceeded"):
        await on_set.render(film.replace("The sea.", "The sea., takes: 3"))
    with pytest.raises(BudgetExceeded):
        await on_set.render(film.replace("The sea.", "The moon."))
    assert on_set.sold() == 4


async def test_a_budget_that_others_use_up_meanwhile_stops_the_orders(
    on_set: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan still fits; by the time of the order it does not."""
    film = FILM.replace("title: The Keeper", "title: The Keeper\nbudget: {per_month: 0.60 USD}")
    monkeypatch.setattr("storyreel.flows.planning.planner.check_budget", lambda *_: None)
    await on_set.render(film.replace("climbs", "falls"))
    with pytest.raises(ShotsFailed) as failed:
        await on_set.render(film)
    assert failed.value.is_budget
    assert on_set.sold() == 3
    assert {row.state for row in on_set.ledger().values()} == {State.FINISHED}


async def test_only_what_was_agreed_to_is_bought(on_set: Set) -> None:
    agreed = [agreed_key(take.key) for take in on_set.plan().bought]
    with pytest.raises(NotAgreed, match="1C take 1"):
        await on_set.render(FILM.replace("sea", "moon"), agreed=agreed)
    assert on_set.sold() == 0
    await on_set.render(agreed=agreed)
    assert on_set.sold() == 3


async def test_a_call_from_python_buys_nothing_without_a_budget_or_buy(on_set: Set) -> None:
    with pytest.raises(NotAllowed) as refused:
        await on_set.render(buy=False)
    (total,) = on_set.plan().totals
    assert refused.value.message == f"this would buy 3 takes from apiyi for {total.exactly}; nothing was bought"
    assert (
        refused.value.hint
        == f"pass budget='{total.exactly}' to allow up to that amount, or buy=True to allow whatever it costs"
    )
    assert on_set.sold() == 0
    await on_set.render(buy=False, budget=total.exactly)
    assert on_set.sold() == 3
    assert all(take.cached for take in (await on_set.render(buy=False)).shots), "what is paid for needs no consent"


@pytest.mark.parametrize("call", [render_storyboard, render_storyboard.fn], ids=["subflow", "function"])
async def test_a_deployed_flow_of_ones_own_buys_nothing_without_consent(on_set: Set, call: Any) -> None:
    """The parent was deployed, and nobody has agreed to what the film in it costs."""
    on_set.plan()

    @flow
    async def nightly() -> None:
        await call(str(on_set.folder / "film.yaml"), out=str(on_set.folder / "out"))

    async with get_client() as client:
        deployment = await client.create_deployment(await client.create_flow(nightly), name="nightly")
        run = await client.create_flow_run_from_deployment(deployment)
    with pytest.raises(NotAllowed, match="this would buy 3 takes"):
        await run_flow_async(nightly, flow_run=run)
    assert on_set.sold() == 0


TWO_SERVICES = FILM.replace("provider: apiyi", "providers: [apiyi, dashscope]")


async def test_the_next_service_is_asked_when_the_first_has_failed_for_good(on_set: Set) -> None:
    on_set.apiyi.use_script(Script(waiting=0, running=0, end=Phase.FAILED), times=1)
    made = await on_set.render(TWO_SERVICES)
    assert made.frames == 18
    assert (len(on_set.apiyi.accepted), len(on_set.dashscope.accepted)) == (3, 1)
    assert on_set.plan(TWO_SERVICES).bought == (), "what stepped in is there for good"
    await on_set.render(TWO_SERVICES)
    assert on_set.sold() == 4


async def test_content_that_a_service_refuses_is_not_sent_to_the_next_one(on_set: Set) -> None:
    refusal = Failure(code="DataInspectionFailed", message="Input data may contain inappropriate content.")
    on_set.apiyi.use_script(Script(waiting=0, running=0, end=Phase.FAILED, failure=refusal), times=1)
    with pytest.raises(ShotsFailed):
        await on_set.render(TWO_SERVICES)
    assert on_set.dashscope.accepted == []
    on_set.apiyi.use_script(Script(waiting=0, running=0, end=Phase.FAILED, failure=refusal), times=1)
    await on_set.render(TWO_SERVICES.replace("duration: 6f", "duration: 6f, fallback_on_refusal: true"))
    assert len(on_set.dashscope.accepted) == 1


async def test_an_unknown_order_is_not_sent_to_the_next_service(on_set: Set) -> None:
    on_set.apiyi.fault(Call.CREATE, Answer(502), accepted=True, times=1)
    with pytest.raises(ShotsFailed):
        await on_set.render(TWO_SERVICES)
    assert on_set.dashscope.accepted == []
    assert State.UNKNOWN in {row.state for row in on_set.ledger().values()}
    with pytest.raises(ShotsFailed) as failed:
        await on_set.render(TWO_SERVICES)
    assert on_set.dashscope.accepted == []
    assert failed.value.next == "storyreel reconcile", "another render would end in the same way"


async def test_a_take_that_another_run_orders_from_the_next_service_is_not_bought_from_the_first(on_set: Set) -> None:
    """The film was planned before the other run was refused by the first service and went on to the next."""
    film = LEFT_AT_APIYI
    plan = on_set.plan(film)
    (take,) = plan.takes
    (fallback,) = take.fallbacks
    home = Home.of()

    @flow
    async def with_the_old_plan() -> Sequence[outcomes.Failure]:
        async with open_studio(home, plan.services) as studio:
            return await (await begin_takes(plan, studio, "", (), None)).run_all()

    with closing(home.ledger()) as other:
        order = Order(
            key=fallback.key, provider="dashscope", model=fallback.request.model, request=fallback.request.canonical(),
            film=plan.title, slate=take.shot, take=take.take,
        )  # fmt: skip
        assert other.intend(order)
        (failure,) = await with_the_old_plan()
    assert "another run is making" in failure.message
    assert on_set.sold() == 0


async def test_a_run_that_asks_a_service_for_nothing_needs_no_key_of_it(
    on_set: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, home = FILM.replace("  - {shot: 1B, action: She waits., continues: 1A}\n", ""), Home.of()
    await on_set.render(film)
    monkeypatch.delenv("APIYI_API_KEY")
    planned = on_set.plan(film)
    require_keys(planned)
    made = await on_set.render(film.replace("fps: 12", "fps: 24"))
    assert on_set.sold() == 2

    @flow
    async def once_planned() -> Sequence[outcomes.Failure]:
        async with open_studio(home, planned.services, asked=planned.asked_services) as studio:
            return await (await begin_takes(planned, studio, "", (), None)).run_all()

    Path(made.shots[0].clip).unlink()
    (failure,) = await once_planned()
    assert "APIYI_API_KEY is not set" in failure.message, "a clip that is lost meanwhile has to be asked for"
    with pytest.raises(RunFailed, match="APIYI_API_KEY is not set"):
        require_keys(on_set.plan(film))
    monkeypatch.setenv("APIYI_API_KEY", "sk-emulator")
    assert await once_planned() == []
    assert on_set.sold() == 2
    waiting = on_set.plan(
        STILLS.replace("STILL", "still: true").replace("defaults:", "review: {still: required}\ndefaults:")
    )
    of_clip = [take for take in waiting.takes if take.waits_for]
    assert {take.request.provider for take in of_clip} == {"apiyi"}
    held = waiting.model_copy(
        update={"takes": tuple(take for take in waiting.takes if take.is_picture or take in of_clip)}
    )
    assert held.asked_services == ("dashscope",), "a clip that waits for its still is not bought in this run"


LEFT_AT_APIYI = """\
storyboard: 1
title: The Lamp
format: {resolution: 720p}
defaults: {providers: [apiyi, dashscope], duration: 6f, timeout: 1s}
shots: [{shot: 1A, action: She climbs.}]
"""


@pytest.mark.parametrize("consent", [{"buy": False}, {"agreed": []}], ids=["none", "to nothing"])
async def test_what_was_ordered_before_and_fails_is_not_bought_elsewhere_without_consent(
    on_set: Set, consent: dict[str, object]
) -> None:
    on_set.apiyi.use_script(Script(waiting=0, running=80, end=Phase.FAILED), times=1)
    with pytest.raises(ShotsFailed, match="not finished in the 1 s"):
        await on_set.render(LEFT_AT_APIYI)
    film = LEFT_AT_APIYI.replace("timeout: 1s", "timeout: 60s")
    assert on_set.plan(film).bought == ()
    with pytest.raises(ShotsFailed, match="apiyi could not make it"):
        await on_set.render(film, **consent)
    assert on_set.dashscope.accepted == []
    await on_set.render(film)
    assert on_set.sold() == 2, "with consent it is bought again"


async def test_the_cost_is_what_the_service_charged_or_else_an_estimate(on_set: Set) -> None:
    film = FILM.replace("The sea.", "The sea., provider: dashscope")
    made = await on_set.render(film)
    by_shot = {take.shot: take for take in made.shots}
    assert (by_shot["1A"].cost, by_shot["1A"].is_estimate) == (TWO_SECONDS, True)
    assert (by_shot["1C"].cost, by_shot["1C"].is_estimate) == (Money(amount=Decimal("1.2"), currency="CNY"), False)
    assert {money.currency for money in made.spent} == {"CNY", "USD"}
    assert made.as_json()["spent"] is None, "currencies are never added up"


async def test_what_a_run_spent_is_what_it_ordered_and_an_unknown_price_is_not_nothing(
    on_set: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without_prices:
        without_prices.setattr(PriceList, "_search", lambda *_: iter(()))
        assert on_set.plan().as_json()["total"] is None
        made = await on_set.render()
    assert (made.unpriced, made.spent) == (3, ())
    assert made.spent_in_words == "an unknown amount: the price of 3 orders is not known"
    manifest = json.loads((on_set.folder / "out" / "manifest.json").read_text())
    assert (manifest["spent"], manifest["unpriced"], manifest["spent_at_least"]) == (None, 3, [])
    made = await on_set.render(FILM.replace("She climbs.", "She falls."), "1A")
    assert made.spent == (TWO_SECONDS,)
    made.shots[0].clip.unlink()
    again = await on_set.render(FILM.replace("She climbs.", "She falls."), "1A")
    assert on_set.sold() == 4 and again.shots[0].is_resumed
    assert again.spent == () and again.spent_in_words == "nothing", "a clip that is fetched again is not paid again"


async def test_each_bought_take_is_inspected_and_the_manifest_has_the_findings(on_set: Set) -> None:
    await on_set.render()
    for take in on_set.manifest():
        inspection = take["inspection"]
        assert isinstance(inspection, dict)
        assert inspection["frames"] >= 48
        assert "findings" in inspection


@pytest.fixture
def black_clip(tmp_path: Path) -> Path:
    """Two seconds of nothing, in the form that was ordered."""
    clip = tmp_path / "black.mp4"
    picture = ffmpeg.input("color=black:s=1280x720:r=24:d=2", f="lavfi")
    sound = ffmpeg.input("sine=frequency=220:duration=2", f="lavfi")
    made = ffmpeg.output(picture, sound, str(clip), pix_fmt="yuv420p", vcodec="libx264", acodec="aac")
    ffmpeg.run(made, cmd=str(find_ffmpeg().path), quiet=True)
    return clip


async def test_of_several_takes_the_best_is_in_the_cut_and_the_others_are_kept(on_set: Set, black_clip: Path) -> None:
    film = FILM.replace("The sea.", "The sea., takes: 3")
    on_set.apiyi.use_script(
        Script(waiting=0, running=0, delivers=black_clip), when=lambda order: "The sea" in order.prompt
    )
    made = await on_set.render(film)
    thirds = [take for take in made.shots if take.shot == "1C"]
    (dark,) = [take for take in thirds if take.clip.read_bytes() == black_clip.read_bytes()]
    best = max(take.take for take in thirds if take is not dark)
    assert [take.take for take in thirds if take.circled] == [best]
    assert any("black" in finding and finding.startswith(f"1C take {dark.take}") for finding in made.findings)
    assert on_set.plan(film).bought == (), "a take that was found wanting is never bought again by itself"


async def test_a_busy_service_is_asked_again_after_the_time_it_asks_for(on_set: Set) -> None:
    on_set.apiyi.fault(Call.CREATE, Answer(429, retry_after="0.1"), times=2)
    await on_set.render(FILM, "1C")
    assert len(on_set.apiyi.accepted) == 1
    assert sum(received.method == "POST" for received in on_set.apiyi.requests) == 3


@pytest.mark.parametrize(
    "asked",
    [
        "Fri, 31 Dec 9999 23:59:59 GMT",
        *(pytest.param(each, marks=pytest.mark.matrix) for each in ("3600", "1000000000")),
    ],
)
async def test_a_service_that_asks_to_wait_too_long_is_not_waited_for(on_set: Set, asked: str) -> None:
    on_set.apiyi.fault(Call.CREATE, Answer(429, retry_after=asked), times=99)
    with pytest.raises(ShotsFailed, match=r"it asks to wait .*; nothing was bought"):
        await on_set.render(FILM, "1C")
    assert on_set.sold() == 0 and not [row for row in on_set.ledger().values() if row.order.provider == "apiyi"]
    assert sum(received.method == "POST" for received in on_set.apiyi.requests) == 1


async def test_a_download_that_does_not_end_in_time_is_done_by_the_next_run(on_set: Set) -> None:
    film = FILM.replace("duration: 6f", "duration: 6f, timeout: 3s")
    on_set.apiyi.fault(Call.FETCH, Slow(), times=1)
    with pytest.raises(ShotsFailed, match=r"was not downloaded within the 3 s .*; it is paid as"):
        await on_set.render(film, "1C")
    await on_set.render(film, "1C")
    assert on_set.sold() == 1


def test_after_orders_that_are_unknown_the_next_command_is_the_one_that_settles_them() -> None:
    unknown = NotMade(shot="1A", take=1, service="apiyi", message="no answer", is_unknown=True)
    follower = NotMade(shot="1B", take=1, message="1A was not made")
    refused = NotMade(shot="1C", take=1, service="apiyi", message="no")
    assert ShotsFailed([unknown, follower], 3).next == "storyreel reconcile"
    assert ShotsFailed([unknown, refused], 3).next == ShotsFailed([follower], 3).next == ""
