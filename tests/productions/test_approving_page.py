"""The form of a suspended run in a real browser: seen, filled in, sent; what was said is what the run is told."""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
from prefect import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests import browser as pages
from tests.flows.deployed import Deployed

Result = TypeVar("Result")


FILM = """\
storyboard: 1
title: The Keeper
review: required
format: {fps: 12}
defaults: {duration: 1s}
shots:
  - {shot: 1A, action: She climbs.}
  - {shot: 1B, action: She waits., takes: 2}
"""


def test_the_takes_are_seen_and_played_in_the_form_and_the_answer_reaches_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "film.yaml").write_text(FILM)
    with (
        pages.browsing(tmp_path / "profile") as browser,
        pages.serving_pages(tmp_path / "pages") as server,
        temporary_settings({PREFECT_API_URL: f"{server.page}/api"}),
    ):
        monkeypatch.setenv("STORYREEL_HOME", server.environment["STORYREEL_HOME"])
        run = _in_a_thread(_suspended(tmp_path / "film.yaml"))
        page = browser.open(f"{server.page}/runs/flow-run/{run}", "Suspended")
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
    deployed = await Deployed.of(file, "The Keeper")
    run = await deployed.begin()
    assert (await deployed.state(run)).name == "Suspended"
    return run


async def _answer(run: UUID) -> dict[str, dict[str, object]]:
    async with get_client() as client:
        answer: dict[str, dict[str, object]] = json.loads(
            await client.read_flow_run_input(run, "suspended-approval-1-response")
        )
    return answer
