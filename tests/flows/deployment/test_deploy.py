"""`storyreel deploy`: what it refuses, what it registers, and that doing it again changes only what is said."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import typer
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_URL, temporary_settings

from storyreel.flows.commands.deployments.options import read_schedules
from storyreel.flows.commands.options import plan_of
from storyreel.flows.deployment.environment import worker_environment
from storyreel.flows.deployment.request import DeploymentRequest, FilmOptions
from storyreel.flows.deployment.schedules import describe, parse_schedules
from storyreel.flows.planning.model import Plan
from storyreel.flows.production.ceiling import Ceiling
from storyreel.specs.timing import parse_interval
from tests.flows.conftest import Command
from tests.flows.deployment.conftest import FILM, Deploy

PREFECT = shlex.quote(str(Path(sys.executable).with_name("prefect")))
"""As it is printed where PATH does not lead to it."""

_FILM = {"storyboard": "/films/film.yaml"}


def test_a_deployment_holds_all_that_a_worker_needs_and_no_key(
    deploy: Deploy, client: SyncPrefectClient, tmp_path: Path
) -> None:
    told = deploy(
        "--budget", "9 CNY", "--set", "city=Lyon", "--overlap", "skip",
        "--cron", "0 6 * * 1", "--interval", "12h", "--timezone", "Europe/Paris",
        DASHSCOPE_API_KEY="sk-very-secret", STORYREEL_MEDIA_URL="ftp://me:hidden@host/films", STORYREEL_HOME="home",
        STORYREEL_POLL_SECONDS="5",
    )  # fmt: skip
    made = client.read_deployment(UUID(told["id"]))
    assert made.entrypoint == "storyreel.flows.render.render_storyboard" and made.work_pool_name == "render"
    assert made.parameters == {
        "storyboard": str(tmp_path / "film.yaml"),
        "vars": {"city": "Lyon"},
        "budget": "9.00 CNY",
        "out": str(tmp_path / "renders" / "twice-a-day"),
    }
    assert made.job_variables == {
        "env": {
            "PREFECT_CLIENT_MAX_RETRIES": "8",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            "STORYREEL_HOME": str(tmp_path / "home"),
            "STORYREEL_POLL_SECONDS": "5",
        }
    }
    assert {"secret", "hidden"}.isdisjoint(made.model_dump_json().replace("-", " ").split())
    assert set(told["withheld"]) == {"DASHSCOPE_API_KEY", "STORYREEL_MEDIA_URL"}
    assert set(made.tags) == {"storyreel", "film:Twice a Day", f"version:{told['version'][:12]}"}
    assert made.version == told["version"][:12] and made.version in (made.description or "")
    assert made.global_concurrency_limit is not None and made.global_concurrency_limit.limit == 1
    assert made.concurrency_options is not None and made.concurrency_options.collision_strategy == "CANCEL_NEW"
    assert {schedule.schedule.timezone for schedule in made.schedules} == {"Europe/Paris"}
    assert told["schedules"] == ["cron 0 6 * * 1, Europe/Paris", "every 12h, Europe/Paris"]
    form = (made.parameter_openapi_schema or {})["properties"]
    assert list(form) == ["vars", "select", "provider", "budget", "out"]
    assert form["vars"]["properties"]["city"]["default"] == "Lyon" and "dashscope" in form["provider"]["enum"]


def test_a_key_is_said_to_be_for_new_takes_only_when_all_of_its_service_are_made(film: Path) -> None:
    film.write_text(FILM + "  - {shot: 1B, action: A pier., provider: apiyi}\n")
    named = FilmOptions(storyboard=film, pool="render")
    plan = plan_of(named.run()).plan

    def finished(*made: str) -> set[str]:
        takes = []
        for take in plan.takes:
            state = "cached" if take.request.provider in made else "new"
            takes.append(take.model_copy(update={"chosen": take.chosen.model_copy(update={"state": state})}))
        planned = {**{name: getattr(plan, name) for name in Plan.model_fields}, "takes": tuple(takes)}
        request = DeploymentRequest(
            options=named, run=named.run(), plan=Plan.model_construct(**planned), ceiling=Ceiling(),
            name="film", overlap="wait", spread="none",
        )  # fmt: skip
        return request.finished_services

    assert finished() == set() and finished("apiyi") == {"apiyi"}
    assert finished("apiyi", "dashscope") == {"apiyi", "dashscope"}


def test_a_packed_film_is_rendered_as_it_was_deployed(deploy: Deploy, film: Path, tmp_path: Path) -> None:
    bucket = (tmp_path / "bucket").as_uri()
    told = deploy("--yes", "--bucket", bucket, "--name", "packed")
    assert told["packed"] and told["storyboard"] == f"{bucket}/packs/{told['version']}.json"
    assert (tmp_path / "bucket" / "packs" / f"{told['version']}.json").is_file()
    assert told["out"] == f"{bucket}/films/twice-a-day"
    film.write_text(FILM.replace("lamp", "lantern"))
    assert deploy("--yes", "--name", "packed", STORYREEL_CLIPS_URL=bucket)["version"] != told["version"]


def test_deploying_again_changes_only_what_is_said(deploy: Deploy, client: SyncPrefectClient, film: Path) -> None:
    first = deploy("--yes", "--cron", "0 6 * * 1", "--limit", "dashscope=3")
    before = {one.name: one for one in client.read_automations()}
    film.write_text(FILM.replace("lamp", "lantern") + "  - {shot: 1B, action: A pier.}\n")
    again = deploy("--yes")
    assert again["id"] == first["id"] and again["version"] != first["version"]
    form = client.read_deployment(UUID(first["id"])).parameter_openapi_schema or {}
    assert "1B" in form["properties"]["select"]["items"]["enum"], "the form is that of the film as it is now"
    assert set(again["schedules"]) == set(first["schedules"]) and again["budget"] == "any price"
    assert again["limits"] == [{"name": "storyreel-dashscope", "limit": 3, "became": "kept"}]
    (models := film.with_name("models.yaml")).write_text("models: 1\nservices: {dashscope: {wan2.7: {at_once: 2}}}\n")
    changed = deploy("--yes", "--limit", "dashscope=4", "--limit", "dashscope:wan3.0-video=1",
                     STORYREEL_MODELS=str(models))  # fmt: skip
    assert {(one["name"], one["limit"], one["became"]) for one in changed["limits"]} == {
        ("storyreel-dashscope", 4, "changed"),
        ("storyreel-dashscope:wan2.7", 2, "made"),
        ("storyreel-dashscope:wan3.0-video", 1, "made"),
    }
    assert client.read_global_concurrency_limit_by_name("storyreel-dashscope").limit == 4
    client.increment_concurrency_slots(["storyreel-dashscope"], 2, "concurrency")
    assert [(lost["taken"], lost["released"]) for lost in deploy("--yes")["released"]] == [(2, 2)]
    assert client.read_global_concurrency_limit_by_name("storyreel-dashscope").active_slots == 0
    after = {one.name: one for one in client.read_automations()}
    assert after == before and len([name for name in after if name.startswith("storyreel: ")]) == 4


def test_how_long_a_run_may_be_silent_is_changed_only_when_that_is_said(
    deploy: Deploy, client: SyncPrefectClient
) -> None:
    def silence() -> set[float]:
        return {
            one.trigger.within.total_seconds()
            for one in client.read_automations()
            if one.name == "storyreel: a lost run is marked as crashed"
        }

    deploy("--yes", "--lost-after", "120")
    assert silence() == {120}
    deploy("--yes")
    assert silence() == {120}
    deploy("--yes", "--lost-after", "90")
    assert silence() == {90}


def test_an_automation_that_somebody_paused_stays_paused_and_is_told(deploy: Deploy, client: SyncPrefectClient) -> None:
    deploy("--yes")
    (lost,) = [one for one in client.read_automations() if one.name.endswith("is picked up")]
    httpx.patch(f"{client.api_url}automations/{lost.id}", json={"enabled": False}).raise_for_status()
    try:
        assert deploy("--yes")["paused"] == [lost.name]
    finally:
        httpx.patch(f"{client.api_url}automations/{lost.id}", json={"enabled": True}).raise_for_status()


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"provider": "nobody"}, "provider"),
        ({"budget": "lots"}, "budget"),
        ({"select": "1A"}, "select"),
        ({"vars": {"city": 3}}, "vars"),
        ({"storyboard": ""}, "storyboard"),
    ],
)
def test_the_form_refuses_a_bad_value_and_names_its_field(
    deployed: str, client: SyncPrefectClient, parameters: dict[str, Any], named: str
) -> None:
    url = f"{client.api_url}deployments/{deployed}/create_flow_run"
    answer = httpx.post(url, json={"parameters": parameters}, timeout=60)
    assert answer.status_code == 409
    assert named in answer.text


@pytest.fixture(scope="module")
def deployed(standing_server: str) -> str:
    """The flow, deployed with nothing said."""
    from prefect.types.entrypoint import EntrypointType

    from storyreel.flows.render import render_storyboard

    with temporary_settings({PREFECT_API_URL: standing_server}):
        wanted = render_storyboard.to_deployment("form", parameters=_FILM, entrypoint_type=EntrypointType.MODULE_PATH)
        return str(wanted.apply())


def test_every_field_of_the_form_is_described(deployed: str, client: SyncPrefectClient) -> None:
    form = client.read_deployment(UUID(deployed)).parameter_openapi_schema
    assert form is not None
    fields = form["properties"]
    assert [name for name, field in fields.items() if not field.get("description")] == []
    assert next(iter(fields)) == "storyboard" and list(fields)[-4:] == ["agreed", "buy", "draft", "deliverables"]
    (choice, _) = fields["provider"]["anyOf"]
    assert "animatic" in choice["enum"] and "dashscope" in choice["enum"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--budget", "0.01 CNY"], 3, "none of the shots fits"),
        ([], 2, "--budget '1.20 CNY'"),
        (["--yes", "--cron", "soon"], 2, "--cron '0 6 * * 1'"),
        (["--yes", "--limit", "animatic=3"], 2, "is not a paid service"),
        (["--yes", "--limit", "dashscope=none"], 2, "dashscope=5"),
        (["--yes", "--name", "a/b"], 2, "is not a name"),
        (["--yes", "--bucket", "s3://key:secret@films"], 2, "would be stored in Prefect"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_made(
    storyreel: Command, film: Path, arguments: list[str], code: int, says: str
) -> None:
    told = {"PREFECT_API_URL": "http://127.0.0.1:9/api", "COLUMNS": "200"}
    done = storyreel("deploy", film.name, "--pool", "render", *arguments, **told)
    assert done.returncode == code, done.stderr
    assert says in done.stderr and "Traceback" not in done.stderr


def test_without_a_server_or_a_pool_it_says_what_to_run(
    storyreel: Command, film: Path, standing_server: str, client: SyncPrefectClient
) -> None:
    nobody = storyreel("deploy", film.name, "--pool", "render", "--yes", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert nobody.returncode == 1 and "http://127.0.0.1:9 does not run, and PREFECT_API_URL names it" in nobody.stderr
    assert nobody.stderr.endswith("next: storyreel ui\n")
    away = storyreel("deploy", film.name, "--pool", "render", "--yes", PREFECT_API_URL="http://127.0.0.1:9/away/api")
    assert (
        away.returncode == 1 and "http://127.0.0.1:9/away, which PREFECT_API_URL names, does not answer" in away.stderr
    )
    missing = storyreel("deploy", film.name, "--pool", "cutting room", "--yes", PREFECT_API_URL=standing_server)
    assert missing.returncode == 1
    assert "no work pool 'cutting room'" in missing.stderr and "render" in missing.stderr
    assert f"next: {PREFECT} work-pool create 'cutting room' --type process" in missing.stderr
    worker = storyreel("worker", "--pool", "cutting room", PREFECT_API_URL=standing_server)
    assert worker.returncode == 1
    assert f"next: {PREFECT} work-pool create 'cutting room' --type process" in worker.stderr


def test_without_an_agreement_the_same_command_with_a_budget_is_named(
    storyreel: Command, film: Path, standing_server: str, client: SyncPrefectClient
) -> None:
    refused = storyreel("deploy", film.name, "--pool", "render", PREFECT_API_URL=standing_server)
    assert refused.returncode == 2 and "it does not ask first" in refused.stderr
    again = refused.stderr.rpartition("next: ")[2].strip()
    assert again.startswith(f"storyreel deploy {film.name} --pool render --budget ")
    agreed = storyreel(*shlex.split(again)[1:], PREFECT_API_URL=standing_server)
    assert agreed.returncode == 0, agreed.stderr


def test_the_commands_to_run_next_are_printed(
    storyreel: Command, film: Path, standing_server: str, client: SyncPrefectClient
) -> None:
    done = storyreel(
        "deploy", film.name, "--pool", "render", "--yes", "--provider", "animatic", PREFECT_API_URL=standing_server
    )
    assert done.returncode == 0, done.stderr
    for line in (
        "  storyreel worker --pool render\n",
        f"  {PREFECT} deployment run 'render storyboard/twice-a-day'\n",
        "read again at each run",
    ):
        assert line in done.stdout


def test_secrets_and_variables_of_one_machine_are_not_passed_to_workers() -> None:
    environment = {
        "STORYREEL_HOME": "/films",
        "STORYREEL_LEDGER_URL": "postgresql://db/films?password=x",
        "STORYREEL_CLIPS_URL": "s3://clips",
        "STORYREEL_FFMPEG": "/opt/ffmpeg",
        "STORYREEL_MODELS": "models.yaml",
        "DASHSCOPE_API_KEY": "sk",
        "DASHSCOPE_AT_ONCE": "9",
        "FREEPIK_BASE_URL": "http://elsewhere",
    }
    stored, withheld = worker_environment(["dashscope"], in_process_pool=True, environment=environment)
    assert stored == {
        "STORYREEL_HOME": "/films",
        "STORYREEL_CLIPS_URL": "s3://clips",
        "STORYREEL_MODELS": str(Path.cwd() / "models.yaml"),
        "DASHSCOPE_AT_ONCE": "9",
    }
    assert withheld == ["STORYREEL_LEDGER_URL"]
    in_containers, _ = worker_environment(["dashscope"], in_process_pool=False, environment=environment)
    assert "STORYREEL_HOME" not in in_containers


@pytest.mark.parametrize(
    ("crons", "intervals", "rrules", "zone"),
    [
        (["61 * * * *"], [], [], None),
        ([], ["5"], [], None),
        ([], ["0m"], [], None),
        ([], ["1h 2h"], [], None),
        ([], [], ["FREQ=SOMETIMES"], None),
        ([], [], ["FREQ=SECONDLY"], None),
        (["0 6 * * 1"], [], [], "Mars/Base"),
        ([], [], [], "Europe/Paris"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_refused_with_an_example(
    crons: list[str], intervals: list[str], rrules: list[str], zone: str | None
) -> None:
    with pytest.raises(typer.BadParameter, match="for example --"):
        read_schedules(crons, intervals, rrules, zone)


def test_intervals_are_counted_from_one_midnight_so_that_deploying_anew_moves_nothing() -> None:
    (first,) = parse_schedules([], [parse_interval("1d 12h")], [], "Europe/Paris")
    (again,) = parse_schedules([], [parse_interval("36h")], [], "Europe/Paris")
    assert (first.interval, first.anchor_date) == (again.interval, again.anchor_date)
    assert describe(first) == "every 1d 12h, Europe/Paris"


def test_scenes_that_are_spread_are_deployed_beside_their_film(deploy: Deploy, client: SyncPrefectClient) -> None:
    deployed = deploy("--yes", "--spread", "scenes", "--name", "spread")
    film = client.read_deployment_by_name("render storyboard/spread")
    scenes = client.read_deployment_by_name("shoot scene/spread")
    assert (str(film.id), film.parameters["spread"]) == (deployed["id"], "scenes")
    assert (scenes.work_pool_name, scenes.tags, scenes.version) == (film.work_pool_name, film.tags, film.version)
    assert (scenes.entrypoint, scenes.global_concurrency_limit, scenes.schedules) == (
        "storyreel.flows.scene.shoot_scene",
        None,
        [],
    )
    assert scenes.job_variables == film.job_variables, "a scene needs what its film needs"
    assert "spread" in (film.parameter_openapi_schema or {})["properties"]
    assert (scenes.parameter_openapi_schema or {})["properties"] == {}, "no person starts it"


def test_a_draft_is_deployed_beside_its_film_for_whose_services_it_has_limits_too(
    deploy: Deploy, client: SyncPrefectClient, film: Path, tmp_path: Path
) -> None:
    film.write_text(FILM.replace("Twice a Day", "Seen First").replace("vars:", "draft: {provider: apiyi}\nvars:"))
    told = deploy("--yes", "--draft", APIYI_API_KEY="sk-secret", DASHSCOPE_API_KEY="sk-secret")
    made = client.read_deployment_by_name("render storyboard/seen-first-draft")
    assert told["deployment"] == "render storyboard/seen-first-draft"
    assert [limit["name"] for limit in told["limits"]] == ["storyreel-apiyi", "storyreel-dashscope"]
    assert made.parameters["draft"] is True and "draft" in made.tags
    assert made.parameters["out"] == told["out"] == str(tmp_path / "renders" / "seen-first"), "a run adds `draft` to it"
    assert "Seen First (draft)" in (made.description or "")
    assert (made.parameter_openapi_schema or {})["properties"]["draft"]["type"] == "boolean"
    again = deploy("--yes", "--name", "seen-first-draft")
    assert [change for change in again["changes"] if change["what"] == "draft"] == [], "it stays a draft"
