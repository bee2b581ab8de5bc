"""Prefect's pages of a film in a real browser: the run with its graph, the storyboard, the contact sheet, the forms.

`uv run pytest tests/productions/test_in_the_browser.py -n 0 --matrix --renew-pictures` takes the documentation's
pictures anew.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import httpx
import pytest
from prefect import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.browser import Browser, Server, browsing, serving_pages
from tests.flows.deployed import Deployed
from tests.flows.keeper import copy_keeper

Result = TypeVar("Result")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """One window for all tests here."""
    with browsing(tmp_path_factory.mktemp("profile"), renews=request.config.getoption("--renew-pictures")) as window:
        yield window


@pytest.fixture(scope="module")
def pages(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with its pages; none is started where there is no browser to look at them."""
    with serving_pages(tmp_path_factory.mktemp("pages")) as server:
        yield server


@pytest.fixture(scope="module")
def run(pages: Server) -> str:
    """The flow run of a film that was rendered."""
    made = json.loads(pages.command("render", copy_keeper(pages.folder), "--json", "--out", "out").stdout)
    flow_run: str = made["flow_run"]
    return flow_run


def artifact(pages: Server, key: str) -> str:
    """The page of the only artifact of a key."""
    artifacts = httpx.post(f"{pages.page}/api/artifacts/filter", json={}, timeout=60).json()
    (found,) = [one for one in artifacts if one["key"] == key]
    return f"{pages.page}/artifacts/artifact/{found['id']}"


def test_the_run_shows_its_film_its_tags_its_log_and_its_graph(browser: Browser, pages: Server, run: str) -> None:
    browser.open(
        f"{pages.page}/runs/flow-run/{run}",
        "The Keeper",
        "film:The Keeper",
        "service:animatic",
        "drawn here, free of charge: 1A take 1",
    )
    graph = browser.page.locator("canvas").first
    graph.wait_for()
    green = 0
    for _ in range(60):  # it is drawn in its own time, and nothing in the page says when it is done
        browser.page.wait_for_timeout(500)
        box = graph.bounding_box()
        assert box
        drawn = browser.screenshot(keep="run").crop((int(box["x"]), int(box["y"]), int(box["x"] + box["width"]), 460))
        green = sum(g > 140 and r < 60 and b < 110 for r, g, b in drawn.getdata())
        if green > 5000:
            break
    assert green > 5000, "bars of finished tasks"


def test_the_task_runs_have_their_slate_and_tags(browser: Browser, pages: Server, run: str) -> None:
    browser.open(f"{pages.page}/runs/flow-run/{run}", "16 Task runs")
    browser.page.get_by_text("Task Runs", exact=True).click()
    for text in ("conform 1A", "shot:1A", "scene:1"):
        browser.shows(text)


def test_the_storyboard_is_a_table_with_a_picture_a_take(browser: Browser, pages: Server, run: str) -> None:
    page = artifact(pages, "storyreel-the-keeper-board")
    browser.open(page, "7 of 7 takes are finished", "1A take 1")
    for slate in ("1B", "2C"):
        browser.shows_picture(slate)
    browser.open(page)
    browser.shows_picture("1A")
    browser.screenshot(500, keep="board")


@pytest.mark.parametrize(
    ("kind", "link", "title", "seconds"),
    [("board", "play", "1A take 1", 2), ("sequence", "Play the film", "The Keeper", 14)],
)
def test_a_take_and_the_film_are_played_from_their_pages(
    browser: Browser, pages: Server, run: str, kind: str, link: str, title: str, seconds: float
) -> None:
    browser.open(artifact(pages, f"storyreel-the-keeper-{kind}"))
    player = browser.follow(link)
    assert player.title() == title
    video = browser.plays(player)
    assert video.evaluate("video => video.duration") == pytest.approx(seconds, abs=0.1)
    video.evaluate("video => {video.pause(); video.currentTime = video.duration * 0.8}")
    player.wait_for_function("video => !video.seeking && video.readyState > 1", arg=video.element_handle())
    browser.screenshot(500, of=player)
    player.close()


@pytest.mark.matrix
def test_stills_and_sheets_are_on_the_board_and_in_the_graph(browser: Browser, pages: Server, tmp_path: Path) -> None:
    film = copy_keeper(tmp_path).with_name("the-relief.yaml")
    film.write_text(film.read_text().replace("fps: 24", "fps: 12").replace("duration: 4s", "duration: 2s"))
    made = json.loads(pages.command("render", film, "--json", "--out", "out").stdout)
    board = artifact(pages, "storyreel-the-relief-board")
    browser.open(board, "13 of 13 takes are finished", "1A@still take 1")
    for slate in ("ada@sheet", "1A@still", "1A"):
        browser.shows_picture(slate)
    browser.screenshot(500, keep="stills")
    player = browser.follow("show")
    assert player.title() == "ada@sheet take 1"
    browser.screenshot(500, of=player)
    player.close()
    browser.open(f"{pages.page}/runs/flow-run/{made['flow_run']}", "19 Task runs")
    browser.page.wait_for_timeout(8000)
    browser.screenshot(100, keep="run-of-stills")


def test_the_contact_sheet_is_seen(browser: Browser, pages: Server, run: str) -> None:
    browser.open(artifact(pages, "storyreel-the-keeper-sequence"), "frames at 12 fps")
    browser.shows_picture("contact sheet")
    browser.screenshot(500)


def test_the_manifest_and_the_spend_are_tables(browser: Browser, pages: Server, run: str) -> None:
    browser.open(artifact(pages, "storyreel-the-keeper-manifest"), "in the cut", "2C take 1")
    browser.open(artifact(pages, "storyreel-the-keeper-spend"), "in all")


ASKED_FOR = """\
storyboard: 1
title: Asked For
vars: {city: Paris, size: wide}
defaults: {duration: 1s}
shots:
  - {shot: 1A, action: "A lamp in ${city}.", size: "${size}"}
  - {shot: 1B, action: She waits.}
"""


def test_the_form_of_a_deployment_is_the_films(browser: Browser, pages: Server) -> None:
    (pages.folder / "film.yaml").write_text(ASKED_FOR)
    pool = {"name": "render", "type": "process"}
    httpx.post(f"{pages.page}/api/work_pools/", json=pool, timeout=60).raise_for_status()
    deployed = json.loads(
        pages.command("deploy", "film.yaml", "--pool", "render", "--budget", "9 USD", "--json").stdout
    )
    page = browser.open(
        f"{pages.page}/deployments/deployment/{deployed['id']}/run",
        "Used in: action of 1A.",
        "A service that makes all shots",
        "The most this run may cost",
    )
    browser.screenshot(keep="form")
    texts = page.locator("textarea")
    values = [texts.nth(number).input_value() for number in range(texts.count())]
    assert values[:2] == ["Paris", "9.00 USD"]
    page.locator("button.p-select-button__control").filter(has_text="No items selected").focus()
    page.keyboard.press("ArrowDown")
    page.locator(".p-select-option").get_by_text("1B", exact=True).click()
    page.keyboard.press("Escape")
    texts.nth(0).fill("Lyon")
    texts.nth(1).fill("lots")
    page.get_by_role("button", name="Submit").click()
    browser.shows("an amount of money such as 20 USD")
    texts.nth(1).fill("5 USD")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/deployments/deployment/*?tab=Runs")
    (run,) = httpx.post(
        f"{pages.page}/api/flow_runs/filter", json={"deployments": {"id": {"any_": [deployed["id"]]}}}, timeout=60
    ).json()
    assert run["parameters"] | {"storyboard": "", "out": ""} == {
        "vars": {"city": "Lyon", "size": "wide"}, "select": ["1B"], "budget": "5 USD", "storyboard": "", "out": "",
    }  # fmt: skip


FORM = """\
storyboard: 1
title: The Lamp
review: required
format: {fps: 12, resolution: 480p}
defaults: {duration: 1s}
shots:
  - {shot: 1A, action: She climbs.}
  - {shot: 1B, action: She waits., takes: 2}
"""


def test_takes_are_seen_and_played_in_the_form_of_a_suspended_run_and_the_answer_reaches_it(
    browser: Browser, pages: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "film.yaml").write_text(FORM)
    monkeypatch.setenv("STORYREEL_HOME", pages.environment["STORYREEL_HOME"])
    with temporary_settings({PREFECT_API_URL: f"{pages.page}/api"}):
        run = _in_a_thread(_suspended(tmp_path / "film.yaml"))
        page = browser.open(f"{pages.page}/runs/flow-run/{run}", "Suspended")
        page.get_by_role("button", name="Resume").first.click()
        browser.shows("She waits.")
        browser.shows_picture("take 2")
        browser.screenshot(keep="approval")
        player = browser.follow("play take 2")
        assert player.title() == "1B take 2"
        browser.plays(player)
        player.close()
        for place, decision in enumerate(("approve", "retake")):
            chosen = page.locator(".p-modal button.p-select-button__control").nth(place)
            chosen.focus()
            page.keyboard.press("ArrowDown")
            page.locator(".p-select-option").get_by_text(decision, exact=True).first.click()
            page.wait_for_function(
                "([button, word]) => button.innerText === word", arg=[chosen.element_handle(), decision]
            )
        page.get_by_role("button", name="Submit").click()
        page.get_by_role("button", name="Submit").wait_for(state="hidden")
        answer = _in_a_thread(_answer(run))
    assert {name: answer[name]["decision"] for name in ("shot_1A", "shot_1B")} == {
        "shot_1A": "approve", "shot_1B": "retake",
    }  # fmt: skip
    assert answer["shot_1B"]["take"] == 2


def _in_a_thread(work: Coroutine[Any, Any, Result]) -> Result:
    """Await something beside the browser, which has an event loop of its own in this thread."""
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(context.run, asyncio.run, work).result()


async def _suspended(file: Path) -> UUID:
    deployed = await Deployed.of(file, "The Lamp")
    run = await deployed.begin()
    assert (await deployed.state(run)).name == "Suspended"
    return run


async def _answer(run: UUID) -> dict[str, dict[str, object]]:
    async with get_client() as client:
        answer: dict[str, dict[str, object]] = json.loads(
            await client.read_flow_run_input(run, "suspended-approval-1-response")
        )
    return answer
