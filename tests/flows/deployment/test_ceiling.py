"""What a film was deployed for is the most that its runs buy for; only deploying again, or an approval, raises it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from PIL import Image
from prefect import get_client
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate
from prefect.flow_engine import run_flow_async

from storyreel.flows.errors import NotAllowed
from storyreel.flows.production.ceiling import STEP, Ceiling, budget_ceiling, ceiling_of
from storyreel.flows.scene import shoot_scene
from storyreel.specs.money import parse_money
from storyreel.tasks.ledger.budget import Limit
from tests.flows.conftest import Command
from tests.flows.deployed import Deployed, Set, on_a_set

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: The Ceiling
vars: {most: 9 USD}
format: {fps: 12}
defaults: {provider: apiyi, duration: 6f}
BUDGET
scenes:
  - {scene: 1, shots: [{shot: 1A, action: She climbs.}]}
  - {scene: 2, shots: [{shot: 2A, action: She waits.}]}
"""
"""Each shot costs 0.168 USD."""
ONE_SHOT, TWO_SHOTS = "0.20 USD", "0.34 USD"
_OTHER_STEP = {"prefect.deployments.steps.set_working_directory": {"directory": "/"}}

Deploy = Callable[..., Any]


@pytest.fixture
def on_set(tmp_path: Path) -> Iterator[Set]:
    with on_a_set(tmp_path) as made:
        yield made


@pytest.fixture
def deploy(storyreel: Command, standing_server: str, on_set: Set, home: Path) -> Deploy:
    """Deploy the film by the command; gives the deployment, whose runs are executed here."""

    def run(*arguments: str, budget: str = "") -> tuple[Deployed, dict[str, Any]]:
        on_set.file.write_text(FILM.replace("BUDGET\n", f"budget: {{{budget}}}\n" if budget else ""))
        told = {"PREFECT_API_URL": standing_server, "STORYREEL_HOME": str(home)}
        with get_client(sync_client=True) as client:
            try:
                client.create_work_pool(WorkPoolCreate(name="ceilings", type="process"))
            except Exception:
                client.read_work_pool("ceilings")
        done = storyreel("deploy", "film.yaml", "--pool", "ceilings", "--json", "--out", "out", *arguments, **told)
        assert done.returncode == 0, done.stderr
        deployed = json.loads(done.stdout)
        with get_client(sync_client=True) as client:
            # As for a run that is created with `enforce_parameter_schema: false`: the form is no protection of money.
            client.update_deployment(UUID(deployed["id"]), DeploymentUpdate(enforce_parameter_schema=False))
        return Deployed(UUID(deployed["id"]), on_set.folder, False), deployed

    return run


def _case(name: str, arguments: list[str], given: dict[str, Any], budget: str = "", matrix: bool = True) -> Any:
    """A case: the options of `deploy`, and the parameters of a run that would cost more."""
    marks = [pytest.mark.matrix] if matrix else []
    return pytest.param([*arguments, "--select", "1A"], budget, {"select": None, **given}, id=name, marks=marks)


@pytest.mark.parametrize(
    ("arguments", "budget", "given"),
    [
        _case("no budget", ["--budget", ONE_SHOT], {"budget": None}, matrix=False),
        _case("a higher one", ["--budget", ONE_SHOT], {"budget": "1000 USD"}),
        _case("over the storyboard's", [], {"budget": "1000 USD"}, f"per_run: {ONE_SHOT}"),
        _case("of a month", [], {"budget": None}, f"per_month: {ONE_SHOT}"),
        _case("by a variable", ["--set", f"most={ONE_SHOT}"], {"vars": None}, "per_run: '${most}'"),
        _case("nothing agreed", ["--provider", "animatic"], {"provider": None}),
        _case(
            "nothing, asked for more", ["--provider", "animatic"], {"provider": None, "budget": "9 USD", "buy": True}
        ),
    ],
)
async def test_no_parameter_of_a_run_lifts_what_it_was_deployed_for(
    deploy: Deploy, on_set: Set, arguments: list[str], budget: str, given: dict[str, Any]
) -> None:
    deployed, _ = deploy(*arguments, budget=budget)
    run = await deployed.begin(**given)
    assert (await deployed.state(run)).name == "Suspended" and on_set.sold == 0
    await deployed.resume(run, {"decision": "approve", "amount": 0.34})
    assert (await deployed.state(run)).name == "Completed", "an approval raises it"
    assert on_set.sold == 2


async def test_a_title_that_a_variable_changes_does_not_begin_the_month_anew(
    deploy: Deploy, on_set: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "FILM", FILM.replace("The Ceiling", "The Ceiling of ${most}"))
    deployed, told = deploy("--select", "1A", budget=f"per_month: {ONE_SHOT}")
    assert told["budget"] == "0.20 USD for a month"
    same = await deployed.begin(vars={"most": "9 USD"})
    assert (await deployed.state(same)).name == "Completed" and on_set.sold == 1
    on_set.file.write_text(on_set.file.read_text().replace("She climbs.", "She falls."))
    other = await deployed.begin(vars={"most": "8 USD"})
    assert (await deployed.state(other)).name == "Suspended" and on_set.sold == 1
    assert "is that of" in await deployed.asked(other, 1)
    await deployed.resume(other, {"decision": "approve", "amount": 0.2})
    assert (await deployed.state(other)).name == "Completed" and on_set.sold == 2


async def test_a_run_may_lower_it_and_a_deployment_that_was_edited_does_not_raise_it(
    deploy: Deploy, on_set: Set
) -> None:
    deployed, told = deploy("--budget", TWO_SHOTS)
    assert told["budget"] == "0.34 USD for a run"
    lower = await deployed.begin(budget=ONE_SHOT)
    assert (await deployed.state(lower)).name == "Suspended"
    assert "the budget is 0.20 USD for a run" in await deployed.asked(lower, 1)
    async with get_client() as client:
        edited = {**(await client.read_deployment(UUID(told["id"]))).parameters, "budget": "1000 USD"}
        await client.update_deployment(
            UUID(told["id"]),
            DeploymentUpdate(parameters=edited, tags=[], job_variables={"env": {"STORYREEL_BUDGET": "1000 USD"}}),
        )
    on_set.file.write_text(on_set.file.read_text().replace("She waits.}", "She waits.}, {shot: 2B, action: The sea.}"))
    run = await deployed.begin()
    assert (await deployed.state(run)).name == "Suspended" and on_set.sold == 0
    asked = await deployed.asked(run, 1)
    assert "the budget is 0.34 USD for a run" in asked and "deploy the film again" in asked


async def test_deploying_again_raises_it_and_keeps_it_when_it_is_not_named(deploy: Deploy, on_set: Set) -> None:
    deploy("--budget", ONE_SHOT, "--select", "1A")
    deployed, told = deploy("--budget", TWO_SHOTS, "--select", "1A,2A")
    assert {"what": "budget", "before": "0.20 USD for a run", "after": "0.34 USD for a run"} in told["changes"]
    assert deploy()[1]["changes"] == []
    run = await deployed.begin(budget=None)
    assert (await deployed.state(run)).name == "Completed" and on_set.sold == 2


def test_any_price_was_agreed_to_for_the_film_alone_that_was_deployed(
    deploy: Deploy, storyreel: Command, standing_server: str, on_set: Set, home: Path
) -> None:
    deploy("--yes", "--name", "one")
    assert deploy("--name", "one", "--provider", "animatic")[1]["budget"] == "any price", "as it was deployed"
    (on_set.folder / "other.yaml").write_text(FILM.replace("BUDGET\n", ""))
    told = {"PREFECT_API_URL": standing_server, "STORYREEL_HOME": str(home)}
    other = ["other.yaml", "--pool", "ceilings", "--name", "one", "--provider", "animatic", "--out", "other", "--json"]
    done = storyreel("deploy", *other, **told)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["budget"] == "nothing without an approval"


async def test_a_scene_that_is_started_by_hand_is_held_to_it(deploy: Deploy, on_set: Set) -> None:
    deploy("--budget", ONE_SHOT, "--select", "1A", "--spread", "scenes")
    agreed = {"agreed": None, "limits": None}
    async with get_client() as client:
        scenes = await client.read_deployment_by_name("shoot scene/the-ceiling")
        of_run = str(uuid4())
        for scene in ("1", "2"):
            parameters = {"storyboard": str(on_set.file), "scene": scene, "of_run": of_run, **agreed}
            parameters["agreed"] = _agreed(on_set)
            run = await client.create_flow_run_from_deployment(scenes.id, parameters=parameters)
            await run_flow_async(shoot_scene, flow_run=run, parameters=run.parameters, return_type="state")
    assert on_set.sold == 1, "both scenes cost more than the film was deployed for"


async def test_a_scene_that_is_started_by_hand_is_held_to_what_its_film_was_deployed_for_last(
    deploy: Deploy, on_set: Set
) -> None:
    deployed, _ = deploy("--budget", TWO_SHOTS, "--spread", "scenes")
    async with get_client() as client:
        # As by `serve` and a prefect.yaml, which leave the scenes of an earlier deployment as they are.
        await client.update_deployment(deployed.id, DeploymentUpdate(pull_steps=[Ceiling().step]))
        scenes = await client.read_deployment_by_name("shoot scene/the-ceiling")
        parameters = {"storyboard": str(on_set.file), "scene": "1", "of_run": str(uuid4()), "agreed": _agreed(on_set)}
        run = await client.create_flow_run_from_deployment(scenes.id, parameters=parameters)
        await run_flow_async(shoot_scene, flow_run=run, parameters=run.parameters, return_type="state")
    assert on_set.sold == 0


async def test_a_scene_that_is_started_by_hand_has_no_part_in_what_was_approved_for_a_film(
    deploy: Deploy, on_set: Set
) -> None:
    deployed, _ = deploy("--budget", ONE_SHOT, "--select", "1A", "--spread", "scenes")
    film = await deployed.begin(select=None, spread="none")
    await deployed.resume(film, {"decision": "approve", "amount": 1000})
    assert (await deployed.state(film)).name == "Completed" and on_set.sold == 2
    on_set.file.write_text(on_set.file.read_text().replace("She waits.", "She leaves."))
    parameters = {"storyboard": str(on_set.file), "scene": "2", "of_run": str(film), "agreed": _agreed(on_set)}
    async with get_client() as client:
        scenes = await client.read_deployment_by_name("shoot scene/the-ceiling")
        run = await client.create_flow_run_from_deployment(scenes.id, parameters=parameters)
        await run_flow_async(shoot_scene, flow_run=run, parameters=run.parameters, return_type="state")
        state = (await client.read_flow_run(run.id)).state
    assert on_set.sold == 2 and state and "would exceed the budget" in str(state.message), state


async def test_a_scene_that_is_started_by_hand_uses_no_file_outside_of_its_folder(
    deploy: Deploy, on_set: Set, tmp_path_factory: pytest.TempPathFactory
) -> None:
    deploy("--budget", TWO_SHOTS, "--spread", "scenes")
    private = tmp_path_factory.mktemp("private") / "face.png"
    Image.new("RGB", (640, 360)).save(private)
    other = on_set.folder / "other.yaml"
    other.write_text(FILM.replace("BUDGET\n", "").replace("She waits.", f"She waits., first_frame: {private}"))
    async with get_client() as client:
        scenes = await client.read_deployment_by_name("shoot scene/the-ceiling")
        parameters = {"storyboard": str(other), "scene": "2", "of_run": str(uuid4()), "agreed": []}
        run = await client.create_flow_run_from_deployment(scenes.id, parameters=parameters)
        await run_flow_async(shoot_scene, flow_run=run, parameters=run.parameters, return_type="state")
        state = (await client.read_flow_run(run.id)).state
    assert state and "is not beside the storyboard" in str(state.message), state


@pytest.mark.matrix
async def test_where_the_deployment_was_deleted_meanwhile_nothing_more_is_bought(deploy: Deploy, on_set: Set) -> None:
    deployed, told = deploy("--yes")
    on_set.file.write_text(on_set.file.read_text() + "review: required\n")
    run = await deployed.begin(select=["1A"])
    assert (await deployed.state(run)).name == "Suspended" and on_set.sold == 1
    async with get_client() as client:
        await client.delete_deployment(UUID(told["id"]))
    await deployed.resume(run, {"shot_1A": {"decision": "retake"}})
    assert (await deployed.state(run)).name == "Suspended" and on_set.sold == 1
    assert "without a budget" in await deployed.asked(run, 2)


def test_a_ceiling_is_read_as_it_was_stored_and_one_that_is_unreadable_allows_nothing() -> None:
    limits = tuple(Limit(scope=scope, most=parse_money("1.5 CNY")) for scope in ("run", "shot", "month"))
    for ceiling in (Ceiling(), Ceiling(any_price=True), Ceiling(limits=limits)):
        assert (
            ceiling_of([{"prefect.deployments.steps.set_working_directory": {"directory": "/"}}, ceiling.step])
            == ceiling
        )
        ((name, inputs),) = ceiling.step.items()
        assert name == STEP and budget_ceiling(**inputs) == {}
    assert ceiling_of([]) is None and ceiling_of(None) is None
    assert ceiling_of([Ceiling(any_price=True).step, Ceiling(limits=limits).step]) == Ceiling(limits=limits)
    assert ceiling_of([Ceiling(limits=limits).step, Ceiling().step]) == Ceiling(), "of two the lower one holds"
    for wrong in ({"per_run": "lots"}, {"per_year": "5 USD"}, {"per_run": "-5 USD"}):
        with pytest.raises(NotAllowed, match="nothing is bought"):
            ceiling_of([{STEP: wrong}])


def _agreed(on_set: Set) -> list[str]:
    from storyreel.flows.commands.options import plan_of
    from storyreel.flows.planning.run_request import RunRequest
    from storyreel.flows.production.agreement import agreed_keys

    return agreed_keys(plan_of(RunRequest(storyboard=on_set.file)).plan)
