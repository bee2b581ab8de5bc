"""People are told what becomes of a film: real runs, a real server's triggers, and catchers on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect import get_client
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_URL, PREFECT_LOCAL_STORAGE_PATH, temporary_settings
from prefect.states import Crashed, Late
from pydantic import SecretStr

from storyreel.flows.monitoring.notifications import (
    CHANNELS,
    Channel,
    remove_channel,
    send_test,
    set_channel,
    told_channels,
)
from storyreel.flows.monitoring.occasions import NAMES, occasions
from storyreel.testing.faults import Answer, Call
from tests.catchers import Caught, catching_json, catching_mail
from tests.flows.conftest import Command
from tests.flows.deployed import APPROVED, FILM, Set, on_a_set
from tests.prefect_server import move_in, serving

PAGES = "https://films.example.com"
TITLE = "Lamp <!channel> & Keeper"
QUIET = ("SCHEDULER", "LATE_RUNS", "PAUSE_EXPIRATIONS", "CANCELLATION_CLEANUP")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that acts on events, and misses a worker after two seconds."""
    home = tmp_path_factory.mktemp("prefect")
    move_in(home)
    foreman = "PREFECT_SERVER_SERVICES_FOREMAN"
    variables = {f"PREFECT_SERVER_SERVICES_{service}_ENABLED": "false" for service in QUIET} | {
        f"{foreman}_LOOP_SECONDS": "1",
        f"{foreman}_DEPLOYMENT_LAST_POLLED_TIMEOUT_SECONDS": "1",
    }
    EventsWorker.drain_all(timeout=5)
    with serving(home, **variables) as api:
        settings: dict[Any, Any] = {PREFECT_API_URL: api, PREFECT_LOCAL_STORAGE_PATH: home / "storage"}
        with temporary_settings(settings):
            yield api
            EventsWorker.drain_all(timeout=5)


@pytest.fixture
def on_set(tmp_path: Path, server: str) -> Iterator[Set]:
    with on_a_set(tmp_path) as made:
        yield made


@pytest.fixture
async def hook(server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An http address that is told of everything; of a late run after ten seconds, the least that Prefect takes."""
    for each in occasions("webhook"):
        if each.title == "late run":
            monkeypatch.setattr(each.trigger, "within", timedelta(seconds=10))
    with catching_json() as caught:
        await set_channel(Channel(name="webhook", address=SecretStr(caught.address)), NAMES, PAGES)
        yield caught
        await remove_channel("webhook")


def told(caught: Caught[dict[str, Any]], occasion: str) -> dict[str, Any]:
    """The message of an occasion, in which nothing is left out."""
    message = caught.wait_for(lambda one: one["occasion"] == occasion, occasion)
    assert message["subject"] and not re.search(r"(?m)None|^[a-z ]*: *$|^$", message["text"]), message
    return message


async def test_a_film_tells_of_its_budget_its_approval_and_that_it_is_ready(
    on_set: Set, hook: Caught[dict[str, Any]]
) -> None:
    deployed = await on_set.deployed(FILM, TITLE, budget="0.2 USD")
    run = await deployed.begin()
    over = told(hook, "budget")
    assert over["film"] == TITLE and over["subject"] == f"{TITLE} would exceed its budget"
    assert "the budget is 0.20 USD for a run" in over["text"] and "then costs 0.336 USD" in over["text"]
    assert over["details"]["cost"] == {"amount": "0.336", "currency": "USD"}
    page = f"{PAGES}/runs/flow-run/{run}"
    assert page in over["text"] and over["flow_run"] == str(run)

    await deployed.resume(run, {"decision": "approve", "amount": 0.3})
    low = hook.wait_for(lambda one: "0.30 USD" in one["text"], "that it was too little")
    assert "the approved 0.30 USD is 0.036 USD too little" in low["text"]
    await deployed.resume(run, {"decision": "approve", "amount": 1})
    waits = told(hook, "approval")
    assert "1A, 1.B-2 of 2 shots; 0.336 USD spent" in waits["text"] and page in waits["text"]
    assert waits["details"]["shots"] == ["1A", "1.B-2"]

    with catching_json() as slack, catching_mail() as mail:
        await set_channel(Channel(name="slack", address=SecretStr(slack.address)), ["ready"], PAGES)
        people = ("ana@example.com", "bo@example.com")
        await set_channel(Channel(name="email", address=SecretStr(mail.address), to=people), ["ready"], PAGES)
        await deployed.resume(run, {"shot_1A": APPROVED, "shot_1_B_2": APPROVED})
        ready = told(hook, "ready")
        assert "2 takes, about 0.336 USD, 1 s" in ready["text"] and page in ready["text"]
        assert str(on_set.film) in ready["text"] and on_set.film.exists()
        (text,) = slack.wait_for(lambda _: True, "Slack").values()
        assert text.startswith("*Lamp &lt;!channel&gt; &amp; Keeper is ready*\n") and page in text
        letter = mail.wait_for(lambda _: True, "by mail")
        assert letter["subject"] == f"Storyreel: {TITLE} is ready"
        assert letter["from"].addresses[0].addr_spec == "films@example.com"
        assert page in letter.get_content() and letter.get_content_type() == "text/plain"
        mail.wait_for(lambda _: len(mail.messages) == 2, "both")
        assert {one["to"].addresses[0].addr_spec for one in mail.messages} == set(people)
        assert [one.channel for one in await told_channels()] == list(CHANNELS)
        for name in CHANNELS[:1] + CHANNELS[2:]:
            await remove_channel(name)
    assert not [one for one in hook.messages if one["occasion"] == "failed"]


async def test_an_unknown_order_and_a_failed_run_are_told_with_their_reason(
    on_set: Set, hook: Caught[dict[str, Any]]
) -> None:
    on_set.apiyi.fault(Call.CREATE, Answer(502), accepted=True, times=2)
    deployed = await on_set.deployed(FILM, "Doubtful")
    run = await deployed.begin()
    unknown = told(hook, "unknown")
    assert unknown["film"] == "Doubtful" and "take 1, apiyi: " in unknown["text"]
    assert "storyreel reconcile" in unknown["text"] and unknown["details"]["service"] == "apiyi"
    failed = told(hook, "failed")
    assert (
        failed["film"] == "Doubtful"
        and failed["subject"].startswith("Doubtful ")
        and failed["subject"].endswith(" failed")
    )
    assert "2 of 2 shots" in failed["text"] and f"{PAGES}/runs/flow-run/{run}" in failed["text"]
    assert len([one for one in hook.messages if one["occasion"] == "unknown"]) == 1, "of a run, the first is told"


async def test_a_run_that_no_worker_can_begin_and_a_worker_that_is_gone_are_told(
    on_set: Set, hook: Caught[dict[str, Any]]
) -> None:
    deployed = await on_set.deployed(FILM, "Alone")
    async with get_client() as client:
        run = await client.create_flow_run_from_deployment(deployed.id)
        await client.set_flow_run_state(run.id, Crashed(message="Process exited with status code: 1."), force=True)
        failed = told(hook, "failed")
        assert (
            failed["film"] == "Alone" and "could not begin" in failed["subject"] and "status code: 1." in failed["text"]
        )
        # As a worker does, or `serve`; and then never again.
        await client.get_scheduled_flow_runs_for_deployments([deployed.id])
        late = await client.create_flow_run_from_deployment(deployed.id)
        await client.set_flow_run_state(late.id, Late(), force=True)
    gone = told(hook, "worker")
    assert gone["film"] == "Alone" and gone["subject"] == f"no worker takes the runs of {on_set.folder.name}"
    assert f"{PAGES}/deployments/deployment/{deployed.id}" in gone["text"]
    waits = hook.wait_for(lambda one: "takes " + late.name in one["subject"], "a late run")
    assert waits["film"] == "Alone" and f"{PAGES}/runs/flow-run/{late.id}" in waits["text"]


async def test_a_channel_is_told_of_what_was_asked_for_last_and_what_is_paused_stays_paused(server: str) -> None:
    channel = Channel(name="slack", address=SecretStr("http://127.0.0.1:9/"))
    assert (await set_channel(channel, NAMES, PAGES)).occasions == NAMES
    async with get_client() as client:
        (ready,) = await client.read_automations_by_name("storyreel tells slack: is ready")
        await client.pause_automation(ready.id)
    again = await set_channel(channel, ["ready", "failed"], PAGES)
    assert again.occasions == ("failed", "ready") and again.paused == (ready.name,)
    sent = await send_test("slack")
    assert not sent.is_sent and "Webhook call failed" in sent.answer
    assert await remove_channel("slack") and not await remove_channel("slack")
    assert await told_channels() == []


def test_the_command_tries_the_address_and_shows_it_nowhere(storyreel: Command, server: str) -> None:
    known: dict[str, str] = {"PREFECT_API_URL": server, "COLUMNS": "200"}
    with catching_json() as good, catching_json(404) as bad:
        addresses = ("--slack", f"{good.address}/SECRET", "--webhook", f"{bad.address}/SECRET")
        done = storyreel("notify", *addresses, "--on", "ready", **known)
        assert done.returncode == 1, done.stderr
        assert "test      slack: sent (200)" in done.stdout and done.stdout.count("is told of: ready") == 2
        assert "webhook was not reached: 404: no_service" in done.stderr and "notify --webhook -" in done.stderr
        assert "This is a test" in good.messages[0]["text"] and server.removesuffix("/api") in good.messages[0]["text"]
        removed = storyreel("notify", "--remove", "slack", "--remove", "webhook", **known)
        assert "nobody is told" in removed.stdout
        for each in (done, removed):
            assert "SECRET" not in each.stdout + each.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--slack", "ftp://SECRET"], "begins with http://"),
        (["--webhook", "https://"], "begins with http://"),
        (["--email", "ana@example.com"], "--smtp"),
        (["--email", "Ana", "--smtp", "smtp://SECRET"], "ana@example.com"),
        (["--email", "ana@example.com", "--smtp", "https://SECRET"], "smtp://"),
        (["--email", "ana@example.com", "--smtp", "smtp://u:SECRET@mail?from=films"], "such as films@example.com"),
        (["--slack", "http://SECRET", "--on", "sometimes"], "`approval`"),
        (["--remove", "pigeon"], "`slack`"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_asked(
    storyreel: Command, arguments: list[str], says: str
) -> None:
    done = storyreel("notify", *arguments, PREFECT_API_URL="http://127.0.0.1:9/api", COLUMNS="200")
    assert done.returncode == 2, done.stderr
    assert says in done.stderr and "SECRET" not in done.stderr
