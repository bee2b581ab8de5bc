"""Several films: named together, in a file of deployments, or printed for those who keep deployments in git."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from prefect.client.orchestration import SyncPrefectClient

from storyreel.flows.commands.deployments import deploy as command
from storyreel.flows.commands.deployments.options import film_options
from storyreel.flows.deployment.deployments_file import DeploymentsError, read_deployments_file
from storyreel.flows.deployment.request import FilmOptions
from storyreel.flows.deployment.schedules import describe
from storyreel.flows.errors import NotAllowed
from storyreel.flows.production.ceiling import ceiling_of
from tests.flows.conftest import Command
from tests.flows.deployment.conftest import FILM

Run = Callable[..., subprocess.CompletedProcess[str]]

DEPLOYMENTS = """\
deployments: 1
pool: render
timezone: Europe/Paris
budget: 9 CNY
limits: {dashscope: 7}
films:
  - {film: films/one.yaml, cron: [0 6 * * 1, 0 6 1 * *]}
  - film: films/two.yaml
    name: two-in-lyon
    interval: [12h, 1d]
    timezone: UTC
    vars: {city: Lyon}
    budget: 8 CNY
    select: [1A]
    spread: scenes
    out: made/two
"""
WEEKLY_AND_MONTHLY = ["cron 0 6 * * 1, Europe/Paris", "cron 0 6 1 * *, Europe/Paris"]


@pytest.fixture
def films(tmp_path: Path) -> Path:
    (folder := tmp_path / "films").mkdir()
    for name in ("one", "two"):
        (folder / f"{name}.yaml").write_text(FILM.replace("Twice a Day", f"Film {name}"))
    return folder


@pytest.fixture
def run(storyreel: Command, standing_server: str, client: SyncPrefectClient) -> Run:
    return lambda *arguments: storyreel(*arguments, PREFECT_API_URL=standing_server)


def test_films_that_are_named_together_are_deployed_each_by_itself(
    run: Run, films: Path, client: SyncPrefectClient
) -> None:
    done = run("deploy", "films/one.yaml", "films/two.yaml", "--pool", "render", "--budget", "9 CNY", "--json")
    assert done.returncode == 0, done.stderr
    assert [each["deployment"] for each in json.loads(done.stdout)] == [
        "render storyboard/film-one",
        "render storyboard/film-two",
    ]


@pytest.mark.parametrize(
    ("storyboards", "is_all", "given", "says"),
    [
        ([], False, {}, "name a storyboard, or take those of deployments.yaml with --all"),
        (["a.yaml", "b.yaml"], True, {}, "--all takes one file"),
        (["a.yaml", "b.yaml"], False, {"name": "x"}, "--name is of one film"),
        (["a.yaml", "b.yaml"], False, {"out": "x"}, "--out is of one film"),
        (["a.yaml"], True, {"name": "x"}, "--name is of one film"),
    ],
)
def test_options_that_fit_no_or_several_films_are_refused(
    storyboards: list[str], is_all: bool, given: dict[str, str], says: str
) -> None:
    nothing = dict.fromkeys(("provider", "sets", "select", "budget", "out", "name", "limits"))
    with pytest.raises(typer.BadParameter, match=says):
        film_options([*map(Path, storyboards)], is_all, None, None, None, None, **{**nothing, **given})


def test_two_films_of_one_deployment_are_refused(films: Path) -> None:
    with pytest.raises(NotAllowed, match="two of the films would be deployed as render storyboard/film-one"):
        command._plans([FilmOptions(storyboard=films / "one.yaml")] * 2)


def test_one_storyboard_with_other_variables_goes_into_another_folder(films: Path) -> None:
    lyon = FilmOptions(storyboard=films / "one.yaml", pool="render", name="lyon", vars={"city": "Lyon"})
    paris = lyon.model_copy(update={"name": "paris", "vars": {"city": "Paris"}})
    with pytest.raises(NotAllowed, match="would both put their films into"):
        command._print([lyon, paris], True)
    command._print([lyon, paris.model_copy(update={"out": "paris"})], True)
    command._print([lyon, lyon.model_copy(update={"name": "lyon-weekly"})], True)


def test_nothing_is_deployed_if_one_of_the_films_cannot_be(run: Run, films: Path, client: SyncPrefectClient) -> None:
    (films / "two.yaml").write_text(FILM.replace("Twice a Day", "Film two").replace("action", "acton"))
    (films / "one.yaml").write_text(FILM.replace("Twice a Day", "Untouched"))
    failed = run("deploy", "films/one.yaml", "films/two.yaml", "--pool", "render", "--yes")
    assert failed.returncode == 2 and "two.yaml:6:" in failed.stderr
    assert "untouched" not in {one.name for one in client.read_deployments()}


def test_a_file_of_deployments_is_deployed_film_by_film(
    run: Run, films: Path, tmp_path: Path, client: SyncPrefectClient
) -> None:
    (tmp_path / "deployments.yaml").write_text(DEPLOYMENTS)
    done = run("deploy", "--all", "--json")
    assert done.returncode == 0, done.stderr
    one, two = json.loads(done.stdout)
    assert one["deployment"].endswith("/film-one") and two["deployment"].endswith("/two-in-lyon")
    assert (one["schedules"], one["budget"]) == (WEEKLY_AND_MONTHLY, "9.00 CNY for a run")
    assert (two["schedules"], two["budget"]) == (["every 12h, UTC", "every 1d, UTC"], "8.00 CNY for a run")
    made = client.read_deployment_by_name(two["deployment"])
    assert made.parameters == {
        "storyboard": str(films / "two.yaml"), "vars": {"city": "Lyon"}, "select": ["1A"], "budget": "8.00 CNY",
        "spread": "scenes", "out": str(tmp_path / "made" / "two"),
    }  # fmt: skip
    assert client.read_global_concurrency_limit_by_name("storyreel-dashscope").limit == 7
    again = run("deploy", "--all", "--json")
    assert [each["changes"] for each in json.loads(again.stdout)] == [[], []]


@pytest.mark.parametrize(
    ("wrong", "problems"),
    [
        ("", ["1:1: the file is empty"]),
        ("films: []\n", ["`deployments` is missing", "1:8: `films` is empty"]),
        (DEPLOYMENTS.replace("0 6 * * 1", "61 * * * *"), ["7:35: ", "not a cron"]),
        (DEPLOYMENTS.replace("[12h, 1d]", "[12h, 1x]"), ["10:21: ", "not a length of time"]),
        (DEPLOYMENTS.replace("Europe/Paris", "Europe/Pariss"), ["3:11: ", "did you mean `Europe/Paris`"]),
        (DEPLOYMENTS.replace("budget: 9 CNY", "budget: lots"), ["4:9: ", "not an amount of money"]),
        (DEPLOYMENTS.replace("films/two.yaml", "films/too.yaml"), ["8:11: `films/too.yaml` is no file"]),
        (DEPLOYMENTS.replace("    select", "    selekt"), ["14:5: unknown key `selekt`", "did you mean `select`"]),
        (DEPLOYMENTS.replace("dashscope: 7", "animatic: 7"), ["5:10: ", "it is free"]),
        (DEPLOYMENTS.replace("two-in-lyon", "two/lyon"), ["9:11: ", "a name without any of"]),
        (DEPLOYMENTS.replace("made/two", "s3://key:secret@films"), ["16:10: ", "would be stored in Prefect"]),
        (DEPLOYMENTS.replace("    interval: [12h, 1d]\n", ""), ["10:15: `timezone` needs a schedule"]),
    ],
)
def test_each_mistake_in_a_file_of_deployments_is_told_with_its_place(
    films: Path, tmp_path: Path, wrong: str, problems: list[str]
) -> None:
    (file := tmp_path / "deployments.yaml").write_text(wrong)
    with pytest.raises(DeploymentsError) as failed:
        read_deployments_file(file, FilmOptions(storyboard=file))
    for problem in problems:
        assert problem in str(failed.value), str(failed.value)
    assert failed.value.next == f"storyreel deploy --all {file}"


def test_the_command_line_holds_for_films_that_say_nothing(films: Path, tmp_path: Path) -> None:
    (file := tmp_path / "deployments.yaml").write_text(DEPLOYMENTS.replace("pool: render\n", ""))
    named = FilmOptions(storyboard=file, pool="other", provider="animatic", vars={"city": "Rome"}, overlap="skip")
    one, two = read_deployments_file(file, named)
    assert (one.pool, one.provider, one.overlap, one.vars) == ("other", "animatic", "skip", {"city": "Rome"})
    assert two.vars == {"city": "Lyon"} and [describe(each) for each in one.schedules] == WEEKLY_AND_MONTHLY


def test_deliverables_are_those_of_the_film_or_of_the_command_line(films: Path, tmp_path: Path) -> None:
    file = tmp_path / "deployments.yaml"
    file.write_text(
        "deployments: 1\nfilms: [{film: films/one.yaml, deliverables: [web, phone]}, {film: films/two.yaml}]\n"
    )
    one, two = read_deployments_file(file, FilmOptions(storyboard=file, deliverables=("none",)))
    assert (one.run().deliverables, two.run().deliverables) == (("web", "phone"), ("none",))


def test_the_file_of_the_documentation_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "deployments" / "README.md").read_text()
    (text,) = re.findall(r"^```yaml\n(deployments: 1\n.*?)^```", page, re.MULTILINE | re.DOTALL)
    (folder := tmp_path / "films").mkdir()
    for name in ("keeper", "weather"):
        (folder / f"{name}.yaml").touch()
    (file := tmp_path / "deployments.yaml").write_text(text)
    keeper, weather = read_deployments_file(file, FilmOptions(storyboard=file))
    assert (str(keeper.budget), str(weather.budget), weather.name) == ("20.00 USD", "5.00 USD", "weather-lyon")


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.matrix)])
def test_what_is_printed_is_taken_by_prefect_as_it_is(
    run: Run, films: Path, tmp_path: Path, client: SyncPrefectClient, fresh_environment: dict[str, str], times: int
) -> None:
    renamed = DEPLOYMENTS.replace("two-in-lyon", "in-git").replace(
        "- {film: films/one.yaml,", "- {film: films/one.yaml, name: git-one,"
    )
    (tmp_path / "deployments.yaml").write_text(renamed)
    printed = run("deploy", "--all", "--print")
    assert printed.returncode == 0, printed.stderr
    assert "prefect gcl create storyreel-dashscope --limit 7" in printed.stdout
    assert "in-git" not in {one.name for one in client.read_deployments()}, "nothing is registered"
    (folder := tmp_path / "git").mkdir()
    (folder / "prefect.yaml").write_text(printed.stdout)
    prefect = [str(Path(sys.executable).with_name("prefect")), "--no-prompt", "deploy", "--all"]
    told = {**fresh_environment, "PREFECT_API_URL": str(client.api_url).rstrip("/"), "DO_NOT_TRACK": "1"}
    for _ in range(times):
        done = subprocess.run(prefect, cwd=folder, env=told, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        for cron in client.read_deployment_by_name("render storyboard/git-one").schedules:
            client.update_deployment_schedule(cron.deployment_id, cron.id, active=False)  # type: ignore[arg-type]
    one = client.read_deployment_by_name("render storyboard/git-one")
    assert [(describe(each.schedule), each.active) for each in one.schedules] == [
        (each, False) for each in WEEKLY_AND_MONTHLY
    ]
    for name, budget in (("render storyboard/in-git", "8.00 CNY"), ("shoot scene/in-git", "8.00 CNY")):
        ceiling = ceiling_of(client.read_deployment_by_name(name).pull_steps)
        assert ceiling and [limit.most.exactly for limit in ceiling.limits] == [budget]
    two = client.read_deployment_by_name("render storyboard/in-git")
    expected: dict[str, Any] = {"city": "Lyon"}
    assert two.parameters["vars"] == expected and two.work_pool_name == "render"
    assert {describe(each.schedule) for each in two.schedules} == {"every 12h, UTC", "every 1d, UTC"}
    assert two.concurrency_options and two.concurrency_options.collision_strategy == "ENQUEUE"


def test_a_text_that_prefect_would_replace_is_refused(run: Run, films: Path) -> None:
    refused = run("deploy", "films/one.yaml", "--pool", "render", "--yes", "--out", "made/{{ x }}", "--print")
    assert refused.returncode == 2 and "would be taken for a template" in " ".join(refused.stderr.split())
