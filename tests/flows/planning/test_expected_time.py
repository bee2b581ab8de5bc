"""How long a run will take, by how long its services took before."""

from __future__ import annotations

from pathlib import Path

from storyreel.tasks.polling import PastDurations
from storyreel.tasks.providers.apiyi import Apiyi
from tests.flows.planning.histories import history_of, plan_of


def expected(folder: Path, shots: str, seconds: float | None = 60) -> float | None:
    known = PastDurations(fastest=seconds, median=seconds) if seconds else None
    film = f"storyboard: 1\ntitle: T\ndefaults: {{provider: apiyi}}\nshots:\n{shots}"
    return plan_of(folder, film, history_of({}, known)).expected_seconds


def test_takes_are_made_at_once_up_to_the_limit_of_the_service(tmp_path: Path) -> None:
    shots = "".join(f"  - {{shot: S{n}, action: On.}}\n" for n in range(2 * Apiyi.max_concurrent + 1))
    assert expected(tmp_path, shots) == 180


def test_what_continues_another_shot_waits_for_it(tmp_path: Path) -> None:
    shots = "  - {shot: S0, action: On.}\n" + "".join(
        f"  - {{shot: S{n}, action: On., continues: S{n - 1}}}\n" for n in range(1, 4)
    )
    assert expected(tmp_path, shots) == 240


def test_the_time_is_unknown_for_a_service_that_was_never_used(tmp_path: Path) -> None:
    assert expected(tmp_path, "  - {shot: 1A, action: On.}\n", None) is None
