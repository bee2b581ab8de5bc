"""A film that is deployed again changes in what is named, and in nothing else; the difference is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import typer
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.schedules import Cron, Interval, RRule

from storyreel.flows.commands import options
from storyreel.flows.commands.deployments import deploy as command
from storyreel.flows.commands.deployments.options import read_schedules
from storyreel.flows.deployment import registration
from storyreel.flows.deployment.request import FilmOptions
from storyreel.flows.deployment.schedules import change_schedules, describe
from storyreel.flows.errors import NotAllowed
from storyreel.flows.terminal import Terminal
from tests.flows.deployment.conftest import FILM, Deploy

NAMED = (
    "--budget", "9 CNY", "--set", "city=Lyon", "--select", "1A", "--overlap", "skip", "--cron", "0 6 * * 1",
    "--interval", "12h", "--provider", "dashscope",
)  # fmt: skip
_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_HOURLY = IntervalSchedule(interval=3600, anchor_date=_NOON)


def registered(client: SyncPrefectClient, told: dict[str, Any]) -> DeploymentResponse:
    return client.read_deployment(UUID(told["id"]))


def test_what_is_not_named_stays_as_it_was_deployed_and_as_others_have_changed_it(
    deploy: Deploy, client: SyncPrefectClient, film: Path
) -> None:
    first = deploy("--name", "kept", *NAMED, STORYREEL_POLL_SECONDS="5")
    made = registered(client, first)
    queue = client.create_work_queue("urgent", work_pool_name="render")
    client.update_deployment(
        made.id,
        DeploymentUpdate(
            tags=[*made.tags, "team:blue"],
            description="Ask Ana.",
            paused=True,
            work_queue_name=queue.name,
            work_pool_name="render",
            job_variables={**made.job_variables, "stream_output": False},
        ),
    )
    (hourly,) = [one for one in made.schedules if isinstance(one.schedule, IntervalSchedule)]
    client.update_deployment_schedule(made.id, hourly.id, active=False)
    before = registered(client, first)

    film.write_text(FILM.replace("lamp", "lantern"))
    again = deploy("--name", "kept", "--budget", "8 CNY")
    after = registered(client, first)
    assert {change["what"] for change in again["changes"]} == {"budget", "version"}
    assert after.parameters == {**before.parameters, "budget": "8.00 CNY"}
    for same in ("paused", "schedules", "job_variables", "description", "work_queue_name", "concurrency_options"):
        assert getattr(after, same) == getattr(before, same), same
    assert "team:blue" in after.tags and [tag for tag in after.tags if tag.startswith("version:")] == [
        f"version:{again['version'][:12]}"
    ]
    assert again["is_paused"] and again["paused_schedules"] == ["every 12h, UTC"]
    assert set(again["unnamed_schedules"]) == {"cron 0 6 * * 1, UTC", "every 12h, UTC"}
    assert deploy("--name", "kept")["changes"] == [], "nothing was named"


def test_a_schedule_goes_only_when_that_is_said_and_one_that_is_named_again_stays_paused(
    deploy: Deploy, client: SyncPrefectClient
) -> None:
    told = deploy("--yes", "--name", "times", "--cron", "0 6 * * 1", "--rrule", "FREQ=MONTHLY;BYDAY=1MO")
    (cron,) = [one for one in registered(client, told).schedules if isinstance(one.schedule, CronSchedule)]
    client.update_deployment_schedule(UUID(told["id"]), cron.id, active=False)
    again = deploy("--yes", "--name", "times", "--no-schedule", "--cron", "0 6 * * 1", "--cron", "0 7 * * 1")
    assert {(one["before"], one["after"]) for one in again["changes"] if one["what"] == "schedule"} == {
        ("rrule FREQ=MONTHLY;BYDAY=1MO, UTC", ""),
        ("", "cron 0 7 * * 1, UTC"),
    }
    assert again["paused_schedules"] == ["cron 0 6 * * 1, UTC"]
    there = {(describe(one.schedule), one.active) for one in registered(client, told).schedules}
    assert there == {("cron 0 6 * * 1, UTC", False), ("cron 0 7 * * 1, UTC", True)}
    assert deploy("--yes", "--name", "times", "--no-schedule")["schedules"] == []


def test_what_is_to_go_is_named_and_reset_sets_everything_back(deploy: Deploy, client: SyncPrefectClient) -> None:
    told = deploy("--name", "undone", *NAMED, STORYREEL_POLL_SECONDS="5")
    without = deploy("--yes", "--name", "undone", "--budget", "none")
    assert without["budget"] == "any price" and "budget" not in registered(client, told).parameters
    again = deploy("--yes", "--name", "undone", "--reset")
    made = registered(client, told)
    assert set(made.parameters) == {"storyboard", "out"} and again["overlap"] == "wait"
    assert set(made.job_variables["env"]) == {"PREFECT_CLIENT_MAX_RETRIES", "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"}
    assert len(made.schedules) == 2, "schedules go with --no-schedule"


def test_a_variable_that_the_film_lost_is_left_out_and_another_film_keeps_nothing(
    deploy: Deploy, client: SyncPrefectClient, film: Path, tmp_path: Path
) -> None:
    told = deploy("--name", "changed", *NAMED)
    film.write_text(FILM.replace("vars: {city: Paris}\n", "").replace("${city}", "Rome"))
    again = deploy("--name", "changed")
    assert "vars" not in registered(client, told).parameters and again["budget"] == "9.00 CNY for a run"
    (other := tmp_path / "other.yaml").write_text(film.read_text())
    film.rename(tmp_path / "kept.yaml")
    (tmp_path / "film.yaml").write_text(other.read_text())
    client.update_deployment(
        UUID(told["id"]), DeploymentUpdate(parameters={**registered(client, told).parameters, "storyboard": str(other)})
    )
    replaced = deploy("--yes", "--name", "changed")
    assert replaced["replaced"] == str(other) and replaced["budget"] == "any price"
    assert set(registered(client, told).parameters) == {"storyboard", "out"}


@pytest.mark.usefixtures("prefect_server")
def test_on_a_terminal_the_difference_is_asked_about_and_no_changes_nothing(
    deploy: Deploy, client: SyncPrefectClient, film: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    told = deploy("--name", "asked", "--budget", "9 CNY")
    before = registered(client, told)
    monkeypatch.setattr(options, "can_ask", lambda _: True)
    monkeypatch.delenv("STORYREEL_GUIDE_VOICE", raising=False)  # else it would be another change
    asked: list[str] = []
    monkeypatch.setattr(typer, "confirm", lambda question, **_: asked.append(question))
    monkeypatch.setenv("PREFECT_API_URL", str(client.api_url).rstrip("/"))
    schedules = tuple(read_schedules(["0 6 * * 1"], None, None, None))
    named = FilmOptions(storyboard=film, pool="render", name="asked", overlap="skip", schedules=schedules)
    with pytest.raises(NotAllowed, match="nothing was changed"):
        command._deploy([named], False, Terminal(stderr=True))
    difference = capsys.readouterr().err
    assert "overlap: wait → skip" in difference and "schedule: none → cron 0 6 * * 1, UTC" in difference
    assert registered(client, told) == before and asked == ["Make 3 changes?"], "the home is one of them"


@pytest.mark.usefixtures("prefect_server")
async def test_serving_again_ends_the_pause_of_the_process_that_ended_and_no_other(
    deploy: Deploy, client: SyncPrefectClient
) -> None:
    told = deploy("--yes", "--name", "served")
    deployment = UUID(told["id"])
    await registration.pause_unserved(deployment)
    assert registered(client, told).paused and registration.NOT_SERVED in registered(client, told).tags
    again = deploy("--yes", "--name", "served")
    assert not again["is_paused"] and registration.NOT_SERVED not in registered(client, told).tags
    client.pause_deployment(deployment)
    await registration.pause_unserved(deployment)
    assert deploy("--yes", "--name", "served")["is_paused"], "a person or an automation paused it before it ended"


@pytest.mark.parametrize(
    ("there", "named", "same"),
    [
        (CronSchedule(cron="0 6 * * 1"), Cron("0 6 * * 1"), True),
        (CronSchedule(cron="0 6 * * 1"), Cron("0 6 * * 1", timezone="Europe/Paris"), False),
        (RRuleSchedule(rrule="FREQ=DAILY"), RRule("FREQ=DAILY"), True),
        (
            RRuleSchedule(rrule="DTSTART:20250101T000000\nFREQ=DAILY"),
            RRule("DTSTART:20260101T000000\nFREQ=DAILY"),
            False,
        ),
        (
            IntervalSchedule(interval=3600, anchor_date=_NOON),
            Interval(3600, anchor_date=_NOON - timedelta(days=9)),
            True,
        ),
        (
            IntervalSchedule(interval=3600, anchor_date=_NOON),
            Interval(3600, anchor_date=_NOON + timedelta(1e-4)),
            False,
        ),
    ],
)
def test_a_schedule_is_the_same_if_it_is_due_at_the_same_times(there: Any, named: Any, same: bool) -> None:
    current = DeploymentSchedule(schedule=there, active=True)
    changed = change_schedules([current], [named], removes=True)
    assert (changed.kept == (current,), not changed.added, not changed.removed) == (same, same, same)
