"""Which films have their scenes made by runs of their own. Runs on workers are tested in tests/productions."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.flows.planning.model import History, Plan
from storyreel.flows.planning.plan import make_plan
from storyreel.flows.production.scene_runs import run_scenes
from storyreel.specs.reading import read
from storyreel.tasks.prices.price_list import PriceList

SHOTS = "[{shot: 1A, action: One.}, {shot: 1B, action: Two.}]"


def plan_of(folder: Path, body: str) -> Plan:
    (folder / "film.yaml").write_text(f"storyboard: 1\ntitle: Rooms\n{body}\n")
    nothing = History(purchases=lambda _: {}, holds=lambda _: False)
    return make_plan(read(folder / "film.yaml"), nothing, None, (), PriceList.read({}))


@pytest.mark.parametrize(
    ("body", "there"),
    [
        (f"shots: {SHOTS}", ()),
        (f"scenes: [{{scene: 1, shots: {SHOTS}}}]", ()),
        (f"scenes: [{{scene: 1, shots: {SHOTS}}}, {{scene: 2, shots: [{{shot: 2A, action: Three.}}]}}]", ("2A",)),
    ],
    ids=["no scenes", "one scene", "one scene left"],
)
async def test_a_film_with_fewer_than_two_scenes_to_make_is_made_by_its_own_run(
    tmp_path: Path, body: str, there: tuple[str, ...]
) -> None:
    plan = plan_of(tmp_path, body)
    assert not await run_scenes(plan, lambda take: take.shot in there, {"storyboard": "film.yaml"})
