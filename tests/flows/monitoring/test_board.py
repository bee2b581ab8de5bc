"""The storyboard table: what it shows, that it stays small, and that words in it are only words."""

from __future__ import annotations

import io
import re
from decimal import Decimal
from pathlib import Path

import pytest
from PIL import Image

from storyreel.flows.monitoring.board import (
    ROOM,
    SIDE,
    Row,
    board,
    bytes_within,
    cost,
    data_uri,
    is_url,
    room_for_a_picture,
)
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.plan import make_plan
from storyreel.flows.player.links import Links
from storyreel.specs.money import Money
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Mode
from storyreel.tasks.strips import strip_jpeg
from tests.flows.planning.histories import NOTHING
from tests.tasks.generated_scenes import film, scene

FILM = """\
storyboard: 1
title: Two Rooms
shots:
  - {shot: 1A, action: Ana enters., duration: 2s, takes: 2, circled: 2}
  - {shot: 1B, action: She sits., duration: 2s}
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    file = tmp_path / "film.yaml"
    file.write_text(FILM)
    return make_plan(read(file, {}), NOTHING)


def rows_of(plan: Plan) -> list[Row]:
    return [Row(take=take, service=take.request.provider) for take in plan.takes]


def test_the_board_has_take_state_service_and_cost(plan: Plan) -> None:
    first, second, third = rows_of(plan)
    yen = Money(amount=Decimal("4.2"), currency="CNY")
    done = second.model_copy(update={"stage": "done", "service": "dashscope", "cost": yen, "is_estimate": True})
    failed = third.model_copy(update={"stage": "failed", "detail": "no | such <thing>\nat all"})
    text = board(plan, [first, done, failed])
    assert text.startswith("1 of 3 takes are finished, 1 failed\n")
    assert "| 1A take 1 | to be made | animatic |  |" in text
    assert "| 1A take 2 ★ | done | dashscope | ≈ 4.20 CNY |" in text
    assert r"| 1B take 1 ★ | **failed**: no \| such \<thing\> at all | animatic |  |" in text


def test_the_board_of_a_draft_says_so_and_what_to_expect_of_one(tmp_path: Path) -> None:
    file = tmp_path / "film.yaml"
    file.write_text(FILM.replace("title:", "draft: {resolution: 480p}\ntitle:"))
    plan = make_plan(read(file, {}), NOTHING, draft=True)
    assert board(plan, rows_of(plan)).startswith("**Draft.** A draft has the seeds of its film; another model or size")


def test_a_take_to_approve_shows_its_review_state(tmp_path: Path) -> None:
    file = tmp_path / "film.yaml"
    file.write_text(FILM.replace("action: Ana enters.,", "action: Ana enters., review: required,"))
    plan = make_plan(read(file, {}), NOTHING)
    first, second, third = rows_of(plan)
    at_work, there = first.model_copy(update={"stage": "generating"}), second.model_copy(update={"stage": "done"})
    text = board(plan, [first, at_work, there, third.model_copy(update={"stage": "done"})])
    assert [line.split(" | ")[2:3] for line in text.splitlines() if "1A take" in line or "1B take" in line] == [
        ["todo"], ["wip"], ["wfa"], [""],
    ]  # fmt: skip


def test_a_clip_that_waits_for_its_still_says_so_and_is_none_of_those_to_be_made(tmp_path: Path) -> None:
    file = tmp_path / "film.yaml"
    reviewed = "shots:\n  - {shot: 1A, action: Ana enters., duration: 2s, still: true, review: {still: required}}\n"
    service = "title: Two Rooms\ndefaults: {provider: dashscope, stills: {model: wan2.7-image}}\n"
    file.write_text(f"storyboard: 1\n{service}{reviewed}")
    still, clip = rows_of(make_plan(read(file, {}), NOTHING))
    links = Links("http://127.0.0.1:4210", b"secret")
    made = still.model_copy(update={"stage": "done", "play": links.take("a" * 64, "1A@still", 1)})
    text = board(make_plan(read(file, {}), NOTHING), [made, clip])
    assert text.startswith("1 of 1 takes are finished\n")
    assert "| 1A take 1 ★ |  | waits for 1A@still |" in text
    assert "| 1A@still take 1 ★ | [show](http://127.0.0.1:4210/take/" in text
    assert "★ in the cut, or used for what is" in text


def test_a_cost_by_the_price_list_is_marked_and_none_is_shown_for_a_free_take() -> None:
    assert cost(Money(amount=Decimal("1.5"), currency="USD"), is_estimate=False) == "1.50 USD"
    assert cost(Money(amount=Decimal("1.5"), currency="USD"), is_estimate=True) == "≈ 1.50 USD"
    assert cost(Money(amount=Decimal(0), currency="USD"), is_estimate=False) == ""
    assert cost(None, is_estimate=True) == "unknown" and cost(None, is_estimate=False) == ""


def test_a_row_shows_the_picture_of_its_take(plan: Plan) -> None:
    row = rows_of(plan)[0].model_copy(update={"picture": data_uri(b"a picture")})
    assert "| ![1A](data:image/jpeg;base64,YSBwaWN0dXJl) | 1A take 1 |" in board(plan, [row])


@pytest.mark.parametrize("takes", [1, 40, 100, 200, 201, 5000])
def test_pictures_fit_into_the_board_and_the_longest_films_have_none(tmp_path: Path, takes: int) -> None:
    room = room_for_a_picture(takes)
    if not room:
        assert takes > 200
        return
    clip = film(tmp_path / "clip.mp4", scene(1), scene(2))
    picture = strip_jpeg(clip, tmp_path / "house", SIDE, bytes_within(room))
    with Image.open(io.BytesIO(picture)) as opened:
        assert opened.format == "JPEG" and opened.width >= 100 and len(set(opened.getdata())) > 100
    assert takes * len(data_uri(picture)) <= ROOM


def test_a_finished_take_is_played_by_a_link_that_no_name_breaks(plan: Plan) -> None:
    links = Links("http://127.0.0.1:4210", b"secret")
    row, *others = rows_of(plan)
    played = row.model_copy(update={"play": links.take("a" * 64, "1A_(夜)|", 1)})
    text = board(plan, [played, *others])
    (cell,) = re.findall(r"\| 1A take 1 \| (\[play\]\([^|()\s]+\)) \|", text)
    assert cell.startswith(f"[play](http://127.0.0.1:4210/take/{'a' * 64}/")
    assert "| 1A take 2 ★ |  |" in text, "a take that is not made has no link"
    still = row.take.chosen.request.model_copy(update={"mode": Mode.STILL})
    chosen = row.take.chosen.model_copy(update={"request": still})
    picture = played.model_copy(update={"take": row.take.model_copy(update={"kind": "still", "chosen": chosen})})
    assert "[show](http" in board(plan, [picture])


def test_the_links_of_a_very_long_film_are_left_out(plan: Plan) -> None:
    row = rows_of(plan)[0].model_copy(update={"play": Links("http://127.0.0.1:4210", b"s").take("a" * 64, "1A", 1)})
    assert len(board(plan, [row] * 1000)) < ROOM
    assert "[play]" not in board(plan, [row] * 1001)


def test_only_what_a_browser_opens_is_a_link() -> None:
    assert is_url("https://films.example/keeper.mp4")
    assert not is_url("/renders/keeper/sequence.mp4") and not is_url("s3://films/keeper.mp4")
