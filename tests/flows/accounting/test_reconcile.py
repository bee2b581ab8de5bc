"""Reconcile: what was bought is found again, what was not is free again, and what nobody can know is asked."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from storyreel.flows.commands.app import app
from storyreel.flows.commands.exit_codes import exit_code
from storyreel.specs.money import Money
from storyreel.specs.storyboard import Mode
from storyreel.tasks.ledger.database import Database
from storyreel.tasks.ledger.ledger import Ledger, State
from storyreel.tasks.providers.dashscope import DashScope
from storyreel.tasks.providers.models import find_capability
from storyreel.tasks.storage.acceptances import Acceptance, acceptances, keep_acceptance
from storyreel.tasks.storage.clips import ClipStore, Receipt
from storyreel.testing.faults import Answer, Call, Reset, Silence, Trouble
from storyreel.testing.requests import request_for
from tests.flows.accounting.unknowns import Shop
from tests.flows.conftest import Command
from tests.services.aimlapi import Aimlapi, AimlapiSettings
from tests.services.apiyi import Apiyi, ApiyiSettings
from tests.services.dashscope import Dashscope, DashscopeSettings
from tests.services.emulator import Emulator
from tests.services.freepik import Freepik, FreepikSettings
from tests.services.jobs import Phase, Script

Told = Callable[..., subprocess.CompletedProcess[str]]

AT_ONCE = Script(waiting=0, running=0)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Variables of the command, which this process has, too."""
    return {"STORYREEL_HOME": str(tmp_path / "home"), "STORYREEL_POLL_SECONDS": "0.05"}


@pytest.fixture
def reconcile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """The command in this process, which is quicker; as a process of its own it is run below, too.

    It never waits for the ledger on the event loop on which it talks to a service.
    """
    monkeypatch.chdir(tmp_path)
    transaction = Database._transaction

    def off_the_loop(self: Database, *arguments: object) -> object:
        assert asyncio._get_running_loop() is None
        return transaction(self, *arguments)

    def run(*arguments: str, command: str = "reconcile") -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(Database, "_transaction", off_the_loop)
            code = exit_code(lambda: app([command, *arguments]), sys.stderr)
        told = capsys.readouterr()
        return subprocess.CompletedProcess([command, *arguments], code, told.out, told.err)

    return run


def opened(emulator: Emulator, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    name = emulator.name.upper()
    with emulator.served(port=0) as base_url:
        environment.update({f"{name}_API_KEY": "sk-emulator", f"{name}_BASE_URL": base_url})
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        yield emulator


@pytest.fixture
def dashscope(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Emulator]:
    settings = getattr(request, "param", DashscopeSettings(script=AT_ONCE))
    yield from opened(Dashscope(settings), environment, monkeypatch)


@pytest.fixture
def freepik(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    yield from opened(Freepik(FreepikSettings(script=AT_ONCE)), environment, monkeypatch)


@pytest.fixture
def aimlapi(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Emulator]:
    settings = getattr(request, "param", AimlapiSettings(script=AT_ONCE))
    yield from opened(Aimlapi(settings), environment, monkeypatch)


@pytest.fixture
def apiyi(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    yield from opened(Apiyi(ApiyiSettings(script=AT_ONCE)), environment, monkeypatch)


def wait_for(happened: Callable[[], bool]) -> None:
    """Wait until a task at an emulator has ended: some end by time alone."""
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def age(shop: Shop, emulator: Emulator, hours: float) -> None:
    """Let time pass for the ledger and for the service's record of tasks."""
    shop.age(hours=hours)
    for job in emulator.jobs.all():
        request = replace(job.sale.request, at=job.sale.at - hours * 3600)
        job.sale, job.ended = replace(job.sale, request=request), (job.ended or 0) - hours * 3600


def test_a_take_whose_answer_was_lost_is_found_and_never_bought_again(
    dashscope: Emulator, tmp_path: Path, storyreel: Command, environment: dict[str, str], standing_server: str
) -> None:
    (tmp_path / "film.yaml").write_text(
        "storyboard: 1\ntitle: One\nformat: {fps: 12}\ndefaults: {provider: dashscope, duration: 6f}\n"
        "shots: [{shot: 1A, action: Rain.}]\n"
    )
    render = ("render", "film.yaml", "--yes", "--json", "--out", "out")
    more = {**environment, "PREFECT_API_URL": standing_server}
    dashscope.fault(Call.CREATE, Reset(), accepted=True)
    lost = storyreel(*render, **more)
    assert lost.returncode == 1 and "storyreel reconcile" in lost.stderr
    settled = storyreel("reconcile", "--json", **more)
    assert settled.returncode == 0, settled.stderr
    (told,) = json.loads(settled.stdout)
    assert (told["outcome"], told["task"]) == ("attached", dashscope.accepted[0].task)
    assert "the only wan2.7-t2v" in told["why"]
    found = storyreel(*render, **more)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["frames"] == 6
    assert len(dashscope.accepted) == 1


def test_a_take_that_was_never_accepted_is_free_again(dashscope: Emulator, tmp_path: Path, reconcile: Told) -> None:
    shop = Shop(tmp_path, "dashscope")
    (order,) = shop.order("1A", accepted=False)
    # The list is of the account that this one was bought from.
    shop.order("1B", accepted=True, heard=True)
    early = reconcile()
    assert early.returncode == 1
    assert "does not list it yet" in early.stdout and "--never-made" in early.stderr
    dashscope.jobs.all()[0].created -= 3600
    shop.age(hours=1)
    settled = reconcile()
    assert (settled.returncode, settled.stderr) == (0, "")
    assert "never made" in settled.stdout and order.order.key[:12] in settled.stdout
    assert not shop.has(order.order.key)


def test_a_list_without_any_task_of_ours_proves_nothing(dashscope: Emulator, tmp_path: Path, reconcile: Told) -> None:
    """The key may be another account's than the one that ordered."""
    shop = Shop(tmp_path, "dashscope")
    (order,) = shop.order(accepted=False)
    shop.age(hours=1)
    told = reconcile()
    assert told.returncode == 1
    assert "may be another account's" in told.stdout
    assert shop.has(order.order.key)


@pytest.mark.parametrize("dashscope", [DashscopeSettings(script=AT_ONCE, list_zone=UTC)], indirect=True)
def test_the_zone_that_a_list_is_asked_in_makes_no_difference(
    dashscope: Emulator, tmp_path: Path, reconcile: Told
) -> None:
    shop = Shop(tmp_path, "dashscope")
    (order,) = shop.order(accepted=True)
    assert reconcile().returncode == 0
    assert shop.find(order.order.key).task == dashscope.accepted[0].task


def test_each_decision_is_told_in_a_line_and_what_is_open_stays_so(
    dashscope: Emulator, tmp_path: Path, reconcile: Told
) -> None:
    shop = Shop(tmp_path, "dashscope")
    orders = shop.order("1A 1B", accepted=True)
    told = reconcile()
    assert told.returncode == 1
    assert [line.split(" (")[0] for line in told.stdout.splitlines()] == ["Two Rooms 1B take 1", "Two Rooms 1A take 1"]
    assert told.stdout.count("lists 2 tasks that could be it") == 2
    assert "or at the tasks that --json lists" in told.stderr
    assert "2 orders are still unknown, and not ordered again" in told.stderr
    assert all(shop.find(order.order.key).state is State.UNKNOWN for order in orders)
    task = dashscope.accepted[0].task
    one = reconcile("--shot", "1A", "--attach", task)
    assert one.returncode == 0, one.stderr
    assert "attached" in one.stdout and task in one.stdout
    rest = reconcile("--json")
    assert rest.returncode == 0
    assert [(each["slate"], each["task"]) for each in json.loads(rest.stdout)] == [("1B", dashscope.accepted[1].task)]
    assert {shop.find(order.order.key).task for order in orders} == {sale.task for sale in dashscope.accepted}


def test_a_run_that_was_killed_while_it_ordered_is_settled_too(
    dashscope: Emulator, tmp_path: Path, storyreel: Command, environment: dict[str, str]
) -> None:
    shop = Shop(tmp_path, "dashscope")
    (take,) = shop.takes("1A")
    die = (
        "import os, signal, asyncio; from pathlib import Path\n"
        "from tests.flows.accounting.unknowns import Shop, _order\n"
        "from storyreel.tasks.ledger.ledger import Ledger\n"
        f"shop = Shop(Path({str(tmp_path)!r}), 'dashscope'); (take,) = shop.takes('1A')\n"
        "Ledger(shop.url).intend(_order(take)); asyncio.run(shop._send(take)); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    repository = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", die], cwd=repository, env={**os.environ, **environment}, check=False)
    assert done.returncode == -9
    assert shop.find(take.key).state is State.INTENDED
    assert storyreel("reconcile", **environment).returncode == 0
    settled = shop.find(take.key)
    assert (settled.state, settled.task) == (State.SUBMITTED, dashscope.accepted[0].task)
    assert settled.is_abandoned(), "the next run goes on with it at once"


def test_without_a_key_nothing_is_guessed(
    dashscope: Emulator, tmp_path: Path, reconcile: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path, "dashscope")
    shop.order(accepted=False)
    shop.age(hours=1)
    monkeypatch.delenv("DASHSCOPE_API_KEY")
    told = reconcile()
    assert told.returncode == 1
    assert "DASHSCOPE_API_KEY is not set" in told.stdout


def test_a_list_that_cannot_be_had_settles_nothing(dashscope: Emulator, tmp_path: Path, reconcile: Told) -> None:
    shop = Shop(tmp_path, "dashscope")
    (order,) = shop.order(accepted=False)
    shop.age(hours=1)
    dashscope.fault(Call.LIST, Answer(503), times=50)
    told = reconcile()
    assert told.returncode == 1 and "the list cannot be read" in told.stdout
    assert "Traceback" not in told.stderr
    assert shop.find(order.order.key).state is State.UNKNOWN


@pytest.mark.parametrize("call", [Call.LIST, Call.POLL])
def test_a_service_that_never_answers_ends_the_command(
    dashscope: Emulator, tmp_path: Path, reconcile: Told, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    monkeypatch.setattr("storyreel.flows.accounting.reconcile._ANSWER_SECONDS", 0.5)
    shop = Shop(tmp_path, "dashscope")
    (order,) = shop.order(accepted=False)
    shop.age(hours=1)
    dashscope.fault(call, Silence(), times=50)
    told = reconcile(*(["--attach", "some-task", "--yes"] if call is Call.POLL else []))
    assert "Traceback" not in told.stderr
    if call is Call.LIST:
        assert told.returncode == 1 and "dashscope has not given all of its list in 0.5 s" in told.stdout
        assert shop.find(order.order.key).state is State.UNKNOWN
    else:
        assert "it could not be checked: dashscope gave no answer in 0.5 s" in told.stdout


def test_a_refused_key_is_told_as_such_and_not_as_an_unknown_task(
    aimlapi: Emulator, tmp_path: Path, reconcile: Told
) -> None:
    shop = Shop(tmp_path, "aimlapi")
    (order,) = shop.order(accepted=True)
    aimlapi.fault(Call.POLL, Answer(401))
    told = reconcile("--attach", aimlapi.accepted[0].task)
    assert told.returncode == 2 and "aimlapi does not accept the key" in told.stderr and "doctor" in told.stderr
    assert "knows no task" not in told.stderr
    assert shop.find(order.order.key).state is State.UNKNOWN


def test_a_list_without_times_makes_a_proposal(freepik: Emulator, tmp_path: Path, reconcile: Told) -> None:
    shop = Shop(tmp_path, "freepik")
    (order,) = shop.order(accepted=True)
    proposed = reconcile()
    assert proposed.returncode == 1
    task = f"text-to-video/{freepik.accepted[0].task}"
    assert f"--attach {task}" in proposed.stderr
    taken = reconcile("--yes")
    assert taken.returncode == 0, taken.stdout
    assert shop.find(order.order.key).task == task


def test_an_id_can_be_given_as_the_service_shows_it(freepik: Emulator, tmp_path: Path, reconcile: Told) -> None:
    shop = Shop(tmp_path, "freepik")
    (order,) = shop.order(accepted=True)
    done = reconcile("--attach", freepik.accepted[0].task)
    assert done.returncode == 0, done.stderr
    assert shop.find(order.order.key).task == f"text-to-video/{freepik.accepted[0].task}"


def test_an_id_is_kept_as_it_is_asked_for_although_the_service_does_not_answer_then(
    freepik: Emulator, tmp_path: Path, reconcile: Told
) -> None:
    shop = Shop(tmp_path, "freepik")
    (order,) = shop.order(accepted=True)
    freepik.fault(Call.POLL, Answer(503))
    done = reconcile("--attach", freepik.accepted[0].task)
    assert "could not be checked" in done.stdout, done.stderr
    assert shop.find(order.order.key).task == f"text-to-video/{freepik.accepted[0].task}"


def test_a_task_that_the_service_does_not_know_is_not_attached(
    freepik: Emulator, tmp_path: Path, reconcile: Told
) -> None:
    shop = Shop(tmp_path, "freepik")
    (order,) = shop.order(accepted=False)
    for wrong in ("text-to-video/0000-1111", "0000-1111"):
        refused = reconcile("--attach", wrong)
        assert refused.returncode == 2, refused.stderr
        assert "knows no task" in refused.stderr and "Traceback" not in refused.stderr
    assert shop.find(order.order.key).state is State.UNKNOWN


def test_the_task_of_another_purchase_is_not_attached(dashscope: Emulator, tmp_path: Path, reconcile: Told) -> None:
    shop = Shop(tmp_path, "dashscope")
    shop.order("1A", accepted=True, heard=True)
    (order,) = shop.order("1B", accepted=False)
    refused = reconcile("--shot", "1B", "--attach", dashscope.accepted[0].task)
    assert refused.returncode == 2
    assert refused.stderr.endswith("belongs to another purchase\nnext: storyreel ledger --json\n")
    assert shop.find(order.order.key).state is State.UNKNOWN


def test_an_order_that_aimlapis_log_has_is_found_by_its_key_with_its_cost(
    aimlapi: Emulator, tmp_path: Path, reconcile: Told
) -> None:
    shop = Shop(tmp_path, "aimlapi")
    first, second = shop.order("1A 1B", accepted=True)
    wait_for(lambda: all(job.ended for job in aimlapi.jobs.all()))
    settled = reconcile()
    assert (settled.returncode, settled.stderr) == (0, "")
    for order, sale in zip((first, second), aimlapi.accepted, strict=True):
        found = shop.find(order.order.key)
        assert (found.state, found.task, str(found.cost)) == (State.SUBMITTED, sale.task, "0.45 USD")
        assert f"names its key, as {sale.task}, for 0.45 USD" in settled.stdout
    plan = json.loads(reconcile("film.yaml", "--provider", "aimlapi", "--json", command="plan").stdout)
    assert {shot["state"] for shot in plan["shots"]} == {"resuming"}


@pytest.mark.parametrize("aimlapi", [AimlapiSettings(script=Script(waiting=0, running=0, end=Phase.FAILED))],
                         indirect=True)  # fmt: skip
def test_an_order_that_failed_by_aimlapis_log_costs_nothing_and_is_free_again(
    aimlapi: Emulator, tmp_path: Path, reconcile: Told
) -> None:
    shop = Shop(tmp_path, "aimlapi")
    (order,) = shop.order(accepted=True)
    wait_for(lambda: bool(aimlapi.jobs.all()[0].ended))
    settled = reconcile("--json")
    assert (settled.returncode, settled.stderr) == (0, "")
    (told,) = json.loads(settled.stdout)
    assert (told["outcome"], told["task"]) == ("failed", aimlapi.accepted[0].task)
    assert "has failed" in told["why"] and "was not charged" in told["why"]
    found = shop.find(order.order.key)
    assert (found.state, found.owed, str(found.cost)) == (State.FAILED, False, "0.00 USD")
    plan = json.loads(reconcile("film.yaml", "--provider", "aimlapi", "--json", command="plan").stdout)
    assert [shot["state"] for shot in plan["shots"]] == ["new"], "the next render orders it"


@pytest.mark.parametrize("aimlapi", [AimlapiSettings(script=AT_ONCE, log_seconds=3600)], indirect=True)
def test_a_row_that_is_missing_in_aimlapis_log_proves_nothing_until_the_longest_run_is_over(
    aimlapi: Emulator, tmp_path: Path, reconcile: Told
) -> None:
    shop = Shop(tmp_path, "aimlapi")
    (order,) = shop.order("1A", accepted=False)
    shop.order("1B", accepted=True, heard=True)
    wait_for(lambda: all(job.ended for job in aimlapi.jobs.all()))
    for hours, outcome in ((0, "may be another account's"), (2, "does not list it yet"), (7, "never made")):
        age(shop, aimlapi, hours)
        told = reconcile("--shot", "1A")
        assert outcome in told.stdout
        assert shop.has(order.order.key) == (hours < 7)


@pytest.mark.parametrize("aimlapi", [AimlapiSettings(script=AT_ONCE, keeps_client_ids=False)], indirect=True)
def test_a_row_whose_key_was_lost_on_the_way_is_only_proposed(
    aimlapi: Emulator, tmp_path: Path, reconcile: Told
) -> None:
    shop = Shop(tmp_path, "aimlapi")
    (order,) = shop.order(accepted=True)
    wait_for(lambda: bool(aimlapi.jobs.all()[0].ended))
    proposed = reconcile()
    assert proposed.returncode == 1 and f"--attach {aimlapi.accepted[0].task}" in proposed.stderr
    assert shop.find(order.order.key).state is State.UNKNOWN


@pytest.mark.parametrize("trouble", [Answer(429), Answer(404), Answer(200, {"data": []}), Reset()], ids=str)
def test_a_log_that_cannot_be_read_settles_nothing(
    aimlapi: Emulator, tmp_path: Path, reconcile: Told, trouble: Trouble
) -> None:
    shop = Shop(tmp_path, "aimlapi")
    (order,) = shop.order(accepted=True)
    shop.age(hours=12)
    aimlapi.fault(Call.LIST, trouble)
    told = reconcile()
    assert told.returncode == 1 and "the list cannot be read" in told.stdout and "Traceback" not in told.stderr
    assert shop.find(order.order.key).state is State.UNKNOWN


@pytest.mark.parametrize("way", ["--never-made", "--buy-again"])
def test_a_service_without_a_list_is_settled_by_hand(
    apiyi: Emulator, tmp_path: Path, reconcile: Told, way: str
) -> None:
    shop = Shop(tmp_path, "apiyi")
    (order,) = shop.order(accepted=False)
    key = order.order.key
    told = reconcile()
    assert told.returncode == 1 and "apiyi has no list of tasks" in told.stdout
    assert f"storyreel reconcile --key {key[:12]} --attach ID, or --never-made, or --buy-again" in told.stderr
    done = reconcile("--key", key[:12], way)
    assert done.returncode == 0, done.stderr
    if way == "--never-made":
        assert not shop.has(key)
    else:
        assert shop.find(key).state is State.FAILED
    plan = json.loads(reconcile("film.yaml", "--provider", "apiyi", "--json", command="plan").stdout)
    assert [shot["state"] for shot in plan["shots"]] == ["new"], "the next render orders it"
    assert reconcile().stdout == "Nothing is unknown.\n"


def test_an_order_whose_clip_is_in_the_store_is_not_bought_again(
    aimlapi: Emulator, tmp_path: Path, reconcile: Told
) -> None:
    shop = Shop(tmp_path, "aimlapi")
    (order,) = shop.order(accepted=True, heard=True)
    key, task = order.order.key, shop.find(order.order.key).task
    clip = tmp_path / "take.mp4"
    clip.write_bytes(b"a clip")
    ClipStore(shop.home / "clips").keep(clip, Receipt(key=key, task=task or ""))
    with closing(Ledger(shop.url)) as ledger:
        assert ledger.mark_unknown(key, "the service has forgotten it")
    refused = reconcile("--key", key[:12], "--buy-again")
    assert refused.returncode == 2 and "is in the store; the next render notes it" in refused.stderr
    (row,) = json.loads(reconcile("--key", key[:12], "--json", command="ledger").stdout)
    assert row["has_unnoted_clip"] is True
    assert "In the store and not noted here yet: " in reconcile(command="ledger").stdout
    done = reconcile()
    assert done.returncode == 0 and "attached to" in done.stdout and "it is in the store" in done.stdout
    (shot,) = json.loads(reconcile("film.yaml", "--provider", "aimlapi", "--json", command="plan").stdout)["shots"]
    assert (shot["state"], shop.find(key).task) == ("resuming", task)


def test_an_order_that_only_the_disk_knows_to_be_accepted_is_attached_and_not_bought_again(
    aimlapi: Emulator, tmp_path: Path, reconcile: Told
) -> None:
    """Its run was killed while the ledger was locked."""
    shop = Shop(tmp_path, "aimlapi")
    (order,) = shop.order(accepted=True)
    key, (accepted,) = order.order.key, aimlapi.accepted
    cost = Money(amount=Decimal("0.37"), currency="USD")
    kept = Acceptance(key=key, task=accepted.task, cost=cost, at=datetime.now(UTC))
    assert keep_acceptance(shop.home / "accepted", kept)
    (shot,) = json.loads(reconcile("film.yaml", "--provider", "aimlapi", "--json", command="plan").stdout)["shots"]
    assert shot["state"] == "resuming" and "the service has accepted it" in shot["reason"]
    for way in ("--never-made", "--buy-again"):
        refused = reconcile("--key", key[:12], way)
        assert refused.returncode == 2 and f"has accepted Two Rooms 1A take 1 as {accepted.task}" in refused.stderr
    done = reconcile()
    assert done.returncode == 0 and "the service has accepted it" in done.stdout
    assert (shop.find(key).state, shop.find(key).task) == (State.SUBMITTED, accepted.task)
    assert shop.find(key).cost == cost, "the service may not tell it again"
    assert acceptances(shop.home / "accepted") == []


def test_a_clip_that_is_gone_for_good_can_be_bought_again(aimlapi: Emulator, tmp_path: Path, reconcile: Told) -> None:
    shop = Shop(tmp_path, "aimlapi")
    (order,) = shop.order(accepted=True, heard=True)
    clip = tmp_path / "take.mp4"
    clip.write_bytes(b"a clip")
    kept = ClipStore(shop.home / "clips").keep(clip)
    with closing(Ledger(shop.url)) as ledger:
        found = ledger.find(order.order.key)
        assert found and ledger.take_over(found)
        ledger.mark_finished(order.order.key, kept.digest)
    again = ("--key", order.order.key[:12], "--buy-again")
    refused = reconcile(*again)
    assert refused.returncode == 2 and "is in the store" in refused.stderr
    kept.path.unlink()
    assert reconcile(*again).returncode == 0
    assert shop.find(order.order.key).state is State.FAILED


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--attach", "x", "--never-made"), "only one of"),
        (("--attach", "x"), "give one with --key next: storyreel ledger --state unknown"),
        (("--shot", "9Z", "--never-made"), "no such order is open next: storyreel ledger"),
        (("--key", "%", "--buy-again"), "no such order is open next: storyreel ledger"),
    ],
)
def test_an_invalid_decision_is_refused_before_anything_is_changed(
    aimlapi: Emulator, tmp_path: Path, reconcile: Told,
    arguments: tuple[str, ...], words: str,
) -> None:  # fmt: skip
    shop = Shop(tmp_path, "aimlapi")
    orders = shop.order("1A 1B", accepted=False)
    refused = reconcile(*arguments)
    assert refused.returncode == 2
    assert words in " ".join(refused.stderr.replace("│", " ").split())
    assert all(shop.find(order.order.key).state is State.UNKNOWN for order in orders)


def test_without_unknown_orders_no_ledger_is_created(storyreel: Command, tmp_path: Path) -> None:
    done = storyreel("reconcile", STORYREEL_HOME=str(tmp_path / "home"))
    assert (done.returncode, done.stdout) == (0, "Nothing is unknown.\n")
    assert not (tmp_path / "home").exists()


def on_a_terminal(arguments: list[str], answers: list[str], cwd: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run the command with a person at it, who gives one answer whenever a question ends with a colon."""
    leader, follower = pty.openpty()
    run = subprocess.Popen(
        [Path(sys.executable).with_name("storyreel"), *arguments],
        cwd=cwd, env=environment, stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    seen, answered = "", 0
    while True:
        try:
            more = os.read(leader, 4096).decode(errors="replace")
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not more:
            break
        seen += more
        if seen.rstrip(" ").endswith(":") and answered < len(answers) and more.strip() != answers[answered - 1]:
            os.write(leader, f"{answers[answered]}\n".encode())
            answered += 1
    os.close(leader)
    return run.wait(60), seen


def test_a_person_is_asked_and_may_take_the_services_only_task(
    freepik: Emulator, tmp_path: Path, environment: dict[str, str], fresh_environment: dict[str, str]
) -> None:
    shop = Shop(tmp_path, "freepik")
    (order,) = shop.order(accepted=True)
    everything = {**fresh_environment, **environment, "COLUMNS": "200"}
    code, seen = on_a_terminal(["reconcile"], ["a", ""], tmp_path, everything)
    assert code == 0, seen
    assert "[a]ttach a task, it was [n]ever made, [b]uy it again, [s]kip" in seen
    assert shop.find(order.order.key).task == f"text-to-video/{freepik.accepted[0].task}"


def test_a_person_may_leave_it_open(
    aimlapi: Emulator, tmp_path: Path, environment: dict[str, str], fresh_environment: dict[str, str]
) -> None:
    shop = Shop(tmp_path, "aimlapi")
    (order,) = shop.order(accepted=False)
    everything = {**fresh_environment, **environment, "COLUMNS": "200"}
    code, seen = on_a_terminal(["reconcile"], ["b", "n", "s"], tmp_path, everything)
    assert code == 1, seen
    assert "it is paid twice" in seen
    assert shop.find(order.order.key).state is State.UNKNOWN


def test_buying_again_is_asked_once_more_on_a_terminal(
    aimlapi: Emulator, tmp_path: Path, environment: dict[str, str], fresh_environment: dict[str, str]
) -> None:
    shop = Shop(tmp_path, "aimlapi")
    (order,) = shop.order(accepted=False)
    everything = {**fresh_environment, **environment, "COLUMNS": "200"}
    code, seen = on_a_terminal(["reconcile", "--buy-again"], ["n"], tmp_path, everything)
    assert code == 2 and "nothing was changed" in seen
    assert shop.find(order.order.key).state is State.UNKNOWN
    code, _ = on_a_terminal(["reconcile", "--buy-again"], ["y"], tmp_path, everything)
    assert code == 0
    assert shop.find(order.order.key).state is State.FAILED


def test_a_lost_order_of_speech_is_open_whatever_the_list_says(
    dashscope: Emulator, tmp_path: Path, reconcile: Told
) -> None:
    """What is answered at once is in no list: that it is not there proves nothing, and it may have been bought."""
    shop = Shop(tmp_path, "dashscope")
    shop.order("1A", accepted=True, heard=True)  # by which the list is known to be of this account
    (lost,) = shop.order("1B", accepted=False)
    line = request_for(DashScope, find_capability(DashScope, None, Mode.SPEECH))
    told = {"key": line.key, "model": line.model, "request": line.canonical(), "slate": "1B@line-1"}
    spoken = lost.order.model_copy(update=told)
    with closing(Ledger(shop.url)) as ledger:
        ledger.intend(spoken)
        ledger.mark_unknown(spoken.key, "the connection was reset")
    age(shop, dashscope, 2)
    for job in dashscope.jobs.all():
        job.created -= 2 * 3600
    settled = reconcile()
    assert settled.returncode == 1 and not shop.has(lost.order.key)
    assert "lists no order that it answers at once" in settled.stdout + settled.stderr
    told = f"next: storyreel reconcile --key {spoken.key[:12]} --buy-again, or --never-made if it was not charged"
    assert told in settled.stderr and "on the bill of dashscope" in settled.stderr, "no task of it can be attached"
    assert shop.find(spoken.key).state is State.UNKNOWN
    assert reconcile("--key", spoken.key[:12], "--buy-again").returncode == 0
    assert shop.find(spoken.key).state is State.FAILED
