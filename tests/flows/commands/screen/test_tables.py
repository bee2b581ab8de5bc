"""The plan as it is printed."""

from __future__ import annotations

import wave
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from storyreel.flows.commands.screen.consent import agree_unattended
from storyreel.flows.commands.screen.tables import print_plan
from storyreel.flows.planning.checks.budget import BudgetedPlan
from storyreel.tasks.ledger.purchase import State
from tests.flows.planning.histories import history_with, plan_of


def _printed(folder: Path, shots: str, provider: str | None = None) -> str:
    plan = plan_of(folder, f"storyboard: 1\ntitle: Long\nshots:\n{shots}", provider=provider)
    printed = StringIO()
    print_plan(Console(file=printed, width=120), BudgetedPlan(plan, ()))
    return printed.getvalue()


def _shots(count: int, key: str = "") -> str:
    return "".join(f"  - {{shot: S{n}, action: x{n}{key.format(n=n)}}}\n" for n in range(count))


def test_a_plan_says_what_settles_an_order_that_is_unknown(tmp_path: Path) -> None:
    film = "storyboard: 1\ntitle: T\ndefaults: {provider: dashscope}\nshots:\n" + _shots(2)
    history = history_with(plan_of(tmp_path, film), ("S1", State.UNKNOWN))
    printed = StringIO()
    print_plan(Console(file=printed, width=120), BudgetedPlan(plan_of(tmp_path, film, history), ()))
    assert "whether S1 was: storyreel reconcile settles it." in printed.getvalue()
    assert "reconcile" not in _printed(tmp_path, _shots(2), "dashscope")


def test_the_sums_of_a_free_plan_are_one_line_in_a_narrow_window(tmp_path: Path) -> None:
    plan, printed = plan_of(tmp_path, f"storyboard: 1\ntitle: A Long Title\nshots:\n{_shots(2)}"), StringIO()
    agree_unattended(BudgetedPlan(plan, ()), False, Console(file=printed, width=20), str)
    assert printed.getvalue() == "A Long Title: 2 shots, 10 s; 2 takes: 2 to make\n"


def test_each_take_of_a_short_plan_has_a_row(tmp_path: Path) -> None:
    printed = _printed(tmp_path, _shots(200))
    assert all(f" S{n} take 1 " in printed for n in range(200))


@pytest.mark.parametrize("provider", ["animatic", "dashscope"])
def test_neighbours_of_a_long_plan_that_differ_in_their_slates_only_share_a_row(tmp_path: Path, provider: str) -> None:
    shots = _shots(300).replace("S150, action: x150", "S150, action: x150, duration: 7s")
    rows = [line for line in _printed(tmp_path, shots, provider).splitlines() if " take 1 " in line]
    assert [row.split("   ")[0].strip() for row in rows] == [
        "S0 take 1 … S149 take 1: 150", "S150 take 1", "S151 take 1 … S299 take 1: 149",
    ]  # fmt: skip


def test_a_plan_of_a_thousand_different_rows_ends_with_how_many_are_left(tmp_path: Path) -> None:
    shots = "".join(f"  - {{shot: S{n}, action: x, duration: {3 + n % 2}s}}\n" for n in range(1500))
    printed = _printed(tmp_path, shots)
    assert "S999 take 1" in printed and "S1000 take 1" not in printed
    assert "… 500 more" in printed and "plan --json" in printed
    assert "1500 takes: 1500 to make" in printed


def test_a_note_names_some_of_many_shots_and_counts_the_others(tmp_path: Path) -> None:
    # The price of a service's model in a resolution that no list has.
    printed = _printed(tmp_path, _shots(300), "freepik")
    (note,) = [line for line in printed.splitlines() if line.startswith("note: price of S0, S1, ")]
    assert "and 276 more:" in note


def test_a_note_on_the_price_of_one_take_of_a_shot_names_the_take(tmp_path: Path) -> None:
    edited = _shots(2).replace("S1, ", "S1, takes: 2, edit: {take: 1, instruction: Dusk}, ")
    printed = _printed(tmp_path, edited, "dashscope")
    assert [line for line in printed.splitlines() if "edited clip" in line] == [
        "note: price of S1 take 3: 5 s of the edited clip included"
    ]


def test_which_clips_are_made_to_their_recordings_is_told(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "line.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(2 * 8000 * 3))
    shots = _shots(3).replace("S1, ", "S1, sound: line.wav, ")
    shots = shots.replace("S2, ", "S2, sound: line.wav, references: [https://x.org/a.png], ")
    assert "Recordings laid under S1, S2 in the place of the clips' own sound." in _printed(tmp_path, shots)
    printed = _printed(tmp_path, shots, "dashscope")
    assert "Made to their recordings: S1." in printed
    assert "laid under S2 in the place of the clips' own sound, as wan2.7-r2v makes no clip to a recording" in printed


def test_what_services_do_with_prompts_is_told_of_what_is_bought(tmp_path: Path) -> None:
    assert "expand" not in _printed(tmp_path, _shots(2), "animatic")
    assert "expansion is off (`expand_prompt`)" in _printed(tmp_path, _shots(2), "dashscope")
    some = _printed(tmp_path, _shots(2).replace("S1, ", "S1, expand_prompt: true, watermark: true, "), "dashscope")
    assert "The services expand the prompts of S1 (`expand_prompt`), and no others." in some
    assert "Marked by the service as AI generated: S1." in some
    assert "The services expand the prompts (" in _printed(tmp_path, _shots(2, ", expand_prompt: true"), "dashscope")


def test_pictures_that_film_and_draft_share_are_counted_once_and_clips_that_wait_are_counted(tmp_path: Path) -> None:
    film = """\
storyboard: 1
title: Rooms
draft: {model: wan3.0-video}
defaults: {provider: dashscope, duration: 2s, still: true, review: {still: required}}
shots:
  - {shot: 1A, action: One.}
  - {shot: 1B, action: Two.}
"""
    plan = plan_of(tmp_path, film)
    assert plan.other
    for one, other in (
        (plan, "As a draft (`--draft`)"),
        (plan.other.model_copy(update={"other": plan, "is_draft": True}), "The film itself"),
    ):
        printed = StringIO()
        print_plan(Console(file=printed, width=300), BudgetedPlan(one, ()))
        assert "To be bought: 2 pictures from dashscope for 0.40 CNY." in printed.getvalue()
        assert f"{other}: 2 takes from dashscope for 2.40 CNY beside the same pictures." in printed.getvalue()
