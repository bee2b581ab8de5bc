"""The plan: what is made, what is there already, and that only what reaches the service counts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storyreel.flows.planning.history import History
from storyreel.flows.planning.model import Plan
from storyreel.specs.problems.problem import StoryboardError
from storyreel.tasks.ledger.ledger import Order, Purchase, State
from storyreel.tasks.ledger.owner import this_process
from storyreel.tasks.polling import PastDurations
from storyreel.tasks.providers.apiyi import Apiyi
from tests.flows.planning.histories import history_of, plan_of

FILM = """
storyboard: 1
title: Two Rooms
look: grey light
cast:
  ana: {name: Ana, description: a baker}
shots:
  - {shot: 1A, action: Ana enters., cast: [ana], duration: 4s}
  - {shot: 1B, action: She sits., continues: 1A, duration: 3s, transition: {type: dissolve, duration: 12f}}
  - {shot: 1C, action: Rain., takes: 3, circled: 2}
"""


def keys(plan: Plan) -> dict[tuple[str, int], str]:
    return {(take.shot, take.take): take.key for take in plan.takes}


def made(plan: Plan, state: State, reason: str = "", task: str = "task-7") -> History:
    """A past in which every take of the plan is in one state."""
    now = datetime.now(UTC)

    def purchases(wanted: Iterable[str]) -> dict[str, Purchase]:
        return {
            key: Purchase(
                order=Order(key=key, provider="p", model="m", request="{}", film="f", slate="1A", take=1),
                state=state, task=task, clip="c", cost=None, reason=reason, owner=this_process(),
                created=now, changed=now,
            )
            for key in wanted
        }  # fmt: skip

    return History(purchases=purchases, holds=lambda digest: digest == "c")


def test_every_take_of_every_shot_is_planned_in_the_order_of_the_film(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FILM)
    assert list(keys(plan)) == [("1A", 1), ("1B", 1), ("1C", 1), ("1C", 2), ("1C", 3)]
    assert [(take.shot, take.take) for take in plan.circled] == [("1A", 1), ("1B", 1), ("1C", 2)]
    assert plan.longest_chain == 2


def test_takes_have_seeds_and_keys_of_their_own(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FILM)
    takes = [take for take in plan.takes if take.shot == "1C"]
    assert len({take.request.seed for take in takes}) == 3
    assert len({take.key for take in takes}) == 3


def test_the_authors_seed_is_the_first_takes_and_counts_on(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FILM.replace("takes: 3", "takes: 3, seed: 2147483647"))
    assert [take.request.seed for take in plan.takes if take.shot == "1C"] == [2147483647, 0, 1]


def test_planning_twice_gives_the_same_keys(tmp_path: Path) -> None:
    assert keys(plan_of(tmp_path, FILM)) == keys(plan_of(tmp_path, FILM))


def test_a_change_of_a_shot_reaches_those_that_continue_it_and_no_other(tmp_path: Path) -> None:
    before = keys(plan_of(tmp_path, FILM))
    after = keys(plan_of(tmp_path, FILM.replace("Ana enters.", "Ana leaves.")))
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {("1A", 1), ("1B", 1)}


def test_a_picture_counts_by_its_content_not_by_its_name(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (320, 320), "red").save(tmp_path / "a.png")
    Image.new("RGB", (320, 320), "red").save(tmp_path / "b.png")
    Image.new("RGB", (320, 320), "blue").save(tmp_path / "c.png")
    film = FILM.replace("description: a baker", "references: [a.png]")
    a, b, c = (keys(plan_of(tmp_path, film.replace("a.png", name)))[("1A", 1)] for name in ("a.png", "b.png", "c.png"))
    assert a == b != c


@pytest.mark.parametrize(
    ("state", "planned", "words"),
    [
        (State.FINISHED, "cached", "in the store"),
        (State.SUBMITTED, "resuming", "task-7"),
        (State.FAILED, "new", "failed before: too dark"),
        (State.INTENDED, "resuming", "another run"),
        (State.UNKNOWN, "new", "stopped"),
    ],
)
def test_the_state_of_a_take_follows_from_its_purchase(tmp_path: Path, state: State, planned: str, words: str) -> None:
    first = plan_of(tmp_path, FILM)
    plan = plan_of(tmp_path, FILM, made(first, state, "too dark"))
    assert {take.state for take in plan.takes} == {planned}
    assert all(words in take.reason for take in plan.takes)


@pytest.mark.parametrize(
    ("reason", "task", "words"),
    [
        ("", "", "an earlier run was stopped while ordering it"),
        ("the service answered 502", "", "ordered before, but the service answered 502"),
        ("nobody knows it", "task-7", "ordered before as task-7, but nobody knows it"),
    ],
)
def test_why_an_order_is_unknown_is_told_as_it_was_recorded(tmp_path: Path, reason: str, task: str, words: str) -> None:
    film = FILM.replace("look:", "defaults: {provider: apiyi}\nlook:")
    plan = plan_of(tmp_path, film, made(plan_of(tmp_path, film), State.UNKNOWN, reason, task))
    assert {take.state for take in plan.takes if take.shot == "1C"} == {"unknown"}
    assert all(words in take.reason for take in plan.takes if take.shot == "1C")


def test_a_clip_that_is_gone_from_the_store_is_made_again(tmp_path: Path) -> None:
    past = made(plan_of(tmp_path, FILM), State.FINISHED)
    lost = History(purchases=past.purchases, holds=lambda _: False)
    plan = plan_of(tmp_path, FILM, lost)
    assert {take.state for take in plan.takes} == {"new"}
    assert "gone from the store" in plan.takes[0].reason


def test_an_unknown_service_is_named_with_its_place_in_the_file(tmp_path: Path) -> None:
    with pytest.raises(StoryboardError) as refused:
        plan_of(tmp_path, FILM.replace("action: Rain.", "action: Rain., provider: animatik"))
    (problem,) = refused.value.problems
    assert problem.position.line == 10
    assert "did you mean `animatic`?" in str(problem)


def test_a_chain_over_three_shots_gives_a_warning(tmp_path: Path) -> None:
    shots = [f"  - {{shot: S{n}, action: On., continues: S{n - 1}}}" for n in range(1, 5)]
    film = "storyboard: 1\ntitle: Long\nshots:\n  - {shot: S0, action: Begin.}\n" + "\n".join(shots)
    plan = plan_of(tmp_path, film)
    assert plan.longest_chain == 5
    assert any("5 shots continue each other up to S4" in warning for warning in plan.warnings)


def test_the_json_has_the_fields_that_scripts_rely_on(tmp_path: Path) -> None:
    shown = plan_of(tmp_path, FILM).as_json()
    assert set(shown) >= {"title", "shots", "total", "longest_chain"}
    assert set(shown["shots"][0]) >= {
        "shot", "take", "provider", "model", "mode", "state", "reason", "cut_seconds", "sold_seconds", "price", "key",
    }  # fmt: skip
    assert shown["total"] == {"amount": "0", "currency": "USD"}


@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(range(6)),
    lengths=st.lists(st.integers(20, 100), min_size=6, max_size=6),
    names=st.lists(st.from_regex(r"[A-Z]{2}[0-9]{1,3}", fullmatch=True), min_size=6, max_size=6, unique=True),
)
def test_renaming_reordering_and_commenting_change_no_key_of_a_hosted_service(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], lengths: list[int], names: list[str]
) -> None:
    """Held for the request itself: the animatic alone draws the slate and so has it in its key."""
    folder = tmp_path_factory.mktemp("film")

    def requests(order: Iterable[int], names: list[str], comment: str) -> dict[str, tuple[object, ...]]:
        lines = [f"  - {{shot: {names[n]}, action: Action {n}., duration: {lengths[n]}f}}" for n in order]
        plan = plan_of(folder, f"storyboard: 1\ntitle: T {comment}\nshots:\n" + "\n".join(lines))
        unlabelled = [take.request.model_copy(update={"board": None, "seed": 0}) for take in plan.takes]
        return {take.request.board.action: (request.key,) for take, request in zip(plan.takes, unlabelled, strict=True)
                if take.request.board}  # fmt: skip

    plain = requests(range(6), [f"S{n}" for n in range(6)], "")
    assert requests(order, names, "# again") == plain


def test_planning_never_imports_prefect(tmp_path: Path) -> None:
    (tmp_path / "film.yaml").write_text(FILM)
    look = (
        "import sys; from storyreel.flows.commands.app import app\n"
        "for command in ('validate', 'plan'):\n"
        "    app([command, 'film.yaml'], standalone_mode=False)\n"
        "    assert not [name for name in sys.modules if name.split('.')[0] == 'prefect'], command\n"
        "    assert command == 'plan' or 'sqlalchemy' not in sys.modules, 'reading needs no ledger'\n"
        "    assert command == 'plan' or 'av' not in sys.modules, 'nor, without media, a decoder'\n"
    )
    child = subprocess.run([sys.executable, "-c", look], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr


def expected_seconds(folder: Path, shots: str, seconds: float | None = 60) -> float | None:
    known = PastDurations(fastest=seconds, median=seconds) if seconds else None
    film = f"storyboard: 1\ntitle: T\ndefaults: {{provider: apiyi}}\nshots:\n{shots}"
    return plan_of(folder, film, history_of({}, known)).expected_seconds


def test_takes_are_made_at_once_up_to_the_limit_of_the_service(tmp_path: Path) -> None:
    shots = "".join(f"  - {{shot: S{n}, action: On {n}.}}\n" for n in range(2 * Apiyi.max_concurrent + 1))
    assert expected_seconds(tmp_path, shots) == 180


def test_a_model_that_allows_fewer_takes_longer_and_keeps_no_other_model_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (models := tmp_path / "models.yaml").write_text("models: 1\nservices: {apiyi: {wan3.0-video: {at_once: 2}}}\n")
    monkeypatch.setenv("STORYREEL_MODELS", str(models))
    few = "".join(f"  - {{shot: F{n}, action: On {n}., model: wan3.0-video}}\n" for n in range(7))
    assert expected_seconds(tmp_path, few) == 240
    many = "".join(f"  - {{shot: S{n}, action: On {n}.}}\n" for n in range(Apiyi.max_concurrent - 2))
    assert expected_seconds(tmp_path, many) == 60
    assert expected_seconds(tmp_path, few + many) == 240, "six of the eight places are free for the others"


def test_what_continues_another_shot_waits_for_it(tmp_path: Path) -> None:
    shots = "  - {shot: S0, action: On.}\n" + "".join(
        f"  - {{shot: S{n}, action: On., continues: S{n - 1}}}\n" for n in range(1, 4)
    )
    assert expected_seconds(tmp_path, shots) == 240


def test_the_time_is_unknown_for_a_service_that_was_never_used(tmp_path: Path) -> None:
    assert expected_seconds(tmp_path, "  - {shot: 1A, action: On.}\n", None) is None
