"""What is set up and what is not: told with the way to set it up, never with a key."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sqlite3
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from decimal import Decimal
from importlib import metadata
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_HOME, temporary_settings
from rich.console import Console

from storyreel.flows.diagnostics import connectivity, doctor
from storyreel.flows.diagnostics.clip_store_check import check_store
from storyreel.flows.diagnostics.doctor import Check, examine, print_checkup
from storyreel.specs.money import Money
from storyreel.tasks.ledger.ledger import Ledger, Order
from storyreel.tasks.storage.clips import ClipStore, Receipt
from storyreel.testing.wire import HttpRequest, Reply, app, listening_socket, serving
from tests import postgres
from tests.buckets import environment as told_of
from tests.flows.conftest import Command
from tests.fonts import no_fonts, packaged_fonts  # noqa: F401
from tests.services.__main__ import SERVICES

NOBODY = "http://127.0.0.1:9"
"""A port of this machine that nobody listens at."""


def examined(
    environment: Mapping[str, str] | None = None, *, offline: bool = True, everything: bool = False, **more: str
) -> dict[str, Check]:
    """The checks of an environment, by name."""
    here = {"STORYREEL_HOME": os.environ["STORYREEL_HOME"], **(environment or {}), **more}
    return {check.name: check for check in examine(here, offline=offline, everything=everything).checks}


def commanded(storyreel: Command, *arguments: str, code: int = 0, **environment: str) -> dict[str, dict[str, str]]:
    """The checks that the command prints, by name."""
    done = storyreel("doctor", "--json", *arguments, **environment)
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["ok"] is (code == 0)
    return {check["name"]: check for check in told["checks"]}


def test_a_fresh_machine_can_make_an_animatic(storyreel: Command, fresh_environment: dict[str, str]) -> None:
    found = commanded(storyreel)
    assert [name for name, check in found.items() if check["state"] == "missing"] == []
    needed = ("ffmpeg", "fonts", "prefect", "prefect server", "ledger", "disk space")
    assert {name: found[name]["state"] for name in needed} == dict.fromkeys(needed, "ok")
    assert found["freepik"]["state"] == "note"
    assert found["freepik"]["fix"] == "export FREEPIK_API_KEY=…"
    assert not (Path(fresh_environment["HOME"]) / ".storyreel").exists(), "a look makes nothing"


def test_people_are_told_what_to_do_next(storyreel: Command) -> None:
    ill = storyreel("doctor", "--offline", STORYREEL_FFMPEG="/no/such/ffmpeg")
    assert ill.returncode == 1 and "Nothing can be rendered yet" in ill.stdout
    assert "→ install ffmpeg" in ill.stdout
    written = StringIO()
    print_checkup(Console(file=written), examine({"STORYREEL_HOME": os.environ["STORYREEL_HOME"]}, offline=True))
    assert "An animatic can be made." in written.getvalue()


def test_an_ffmpeg_that_is_none_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORYREEL_FFMPEG", "/no/such/ffmpeg")
    found = examined()
    assert found["ffmpeg"].state == "missing"
    assert "STORYREEL_FFMPEG" in found["ffmpeg"].detail and found["ffmpeg"].fix


def test_a_place_that_cannot_be_written_to_is_missing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = examined(STORYREEL_HOME=str(tmp_path / "file" / "home"))
    assert found["disk space"].state == "missing"
    assert "STORYREEL_HOME" in found["disk space"].fix


def test_another_prefect_than_the_one_that_works_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "2.20.1")
    check = doctor._prefect()
    assert check.state == "missing"
    assert "2.20.1" in check.detail and check.fix.startswith("pip install 'prefect")


def test_a_server_that_is_named_and_does_not_answer_is_missing(storyreel: Command) -> None:
    found = commanded(storyreel, code=1, PREFECT_API_URL=f"{NOBODY}/api")
    assert found["prefect server"]["state"] == "missing"
    assert "PREFECT_API_URL" in found["prefect server"]["fix"]
    found = commanded(storyreel, "--offline", PREFECT_API_URL=f"{NOBODY}/api")
    assert found["prefect server"]["detail"] == f"{NOBODY}/api, not asked"


def test_a_server_that_answers_is_named_without_its_password(storyreel: Command) -> None:
    heard: list[HttpRequest] = []

    async def answer(request: HttpRequest) -> Reply:
        heard.append(request)
        return Reply(200)

    listening = listening_socket()
    port = listening.getsockname()[1]
    with serving((app(answer, time.time), listening), background=_nothing):
        found = commanded(storyreel, PREFECT_API_URL=f"http://me:secret@127.0.0.1:{port}/api")
    # It is no Prefect server, but its answers say so only where more is asked than whether it is well.
    check = found["prefect server"]
    assert check["state"] == "note" and check["detail"].startswith(
        f"http://127.0.0.1:{port}/api answers, but cannot be"
    )
    assert heard[0].path == "/api/health" and "secret" not in str(found)


async def _nothing() -> None:
    return None


def test_a_key_is_told_to_be_set_and_never_shown(storyreel: Command) -> None:
    keys = {f"{name.upper()}_API_KEY": f"sk-{secrets.token_hex(16)}" for name in SERVICES}
    secret = secrets.token_hex(16)
    environment = {**keys, "FREEPIK_WEBHOOK_SECRET": secret, "STORYREEL_WEBHOOK_URL": "https://films.example/freepik"}
    bases = {f"{name.upper()}_BASE_URL": NOBODY for name in SERVICES}
    found = examined({**environment, **bases}, offline=False)
    assert {found[name].state for name in SERVICES} == {"ok"}
    assert found["webhooks"].state == "ok"
    shown = str(found) + storyreel("doctor", **environment, **bases).stdout
    for never in (*keys.values(), secret):
        parts = {never[at : at + 8] for at in range(3, len(never) - 7)}
        assert not [part for part in parts if part in shown]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_with_a_key_is_asked_without_it(name: str) -> None:
    emulator = SERVICES[name]()
    with emulator.served() as base_url:
        environment = {f"{name.upper()}_BASE_URL": base_url}
        key = {f"{name.upper()}_API_KEY": emulator.settings.key}
        assert f"{name} online" not in examined(environment, offline=False), "not without a key"
        assert f"{name} online" not in examined({**environment, **key}, offline=True)
        assert emulator.requests == []
        found = examined({**environment, **key}, offline=False)
    assert found[f"{name} online"] == Check(name=f"{name} online", state="ok", detail=f"{base_url} answers")
    (received,) = emulator.requests
    assert received.method == "GET"
    assert emulator.settings.key not in str(received)


def test_all_services_can_be_asked_at_once() -> None:
    bases = {f"{name.upper()}_BASE_URL": NOBODY for name in SERVICES}
    found = examined(bases, offline=False, everything=True)
    for name in SERVICES:
        assert found[f"{name} online"].state == "note"
        assert "cannot be reached" in found[f"{name} online"].detail
        assert f"{name.upper()}_BASE_URL" in found[f"{name} online"].fix


def test_it_is_told_what_can_be_rendered() -> None:
    keys = {f"{name.upper()}_API_KEY": "k" for name in SERVICES}
    here = {"STORYREEL_HOME": os.environ["STORYREEL_HOME"]}
    assert examine({**here, **keys}, offline=True).in_words.startswith("Films can be rendered by aimlapi, apiyi, dash")
    assert examine({**here, **keys}, offline=True).as_json()["services"] == sorted(SERVICES)
    assert examine(here, offline=True).in_words == "An animatic can be made."
    away = {f"{name.upper()}_BASE_URL": NOBODY for name in SERVICES}
    assert examine({**here, **keys, **away}, offline=False).services == ()


def test_a_package_that_is_missing_or_does_not_fit_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = metadata.version

    def version(name: str) -> str:
        if name == "regex":
            raise metadata.PackageNotFoundError(name)
        return {"fastapi": "0.165.0", "sqlalchemy": "2.1.0"}.get(name) or installed(name)

    assert "packages" not in examined()
    monkeypatch.setattr(metadata, "version", version)
    check = examined()["packages"]
    assert check.state == "missing"
    for wrong in ("fastapi 0.165.0 is not <0.151", "sqlalchemy 2.1.0 is not", "regex is not installed"):
        assert wrong in check.detail
    assert check.fix.startswith("pip install ") and "'fastapi<0.151'" in check.fix and "'regex>=" in check.fix


@pytest.mark.parametrize("folder", ["clips", "house", "packs"])
def test_a_folder_of_the_home_that_takes_no_files_is_missing(home: Path, folder: str) -> None:
    home.mkdir(exist_ok=True)
    assert "home" not in examined(STORYREEL_HOME=str(home))
    (home / folder).write_text("in the way")
    check = examined(STORYREEL_HOME=str(home))["home"]
    assert check.state == "missing" and str(home / folder) in check.detail and "STORYREEL_HOME" in check.fix


def test_prefects_folder_that_takes_no_files_is_missing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with temporary_settings({PREFECT_HOME: tmp_path / "file" / "prefect"}):
        checks = examine({"STORYREEL_HOME": os.environ["STORYREEL_HOME"]}, offline=True).checks
    # The results of tasks are there, too, unless another folder is set for them.
    check, *of_results = [check for check in checks if check.name == "home"]
    assert check.state == "missing" and "Prefect's records" in check.detail and "PREFECT_HOME" in check.fix
    assert all("results of tasks" in other.detail and "PREFECT_HOME" in other.fix for other in of_results)


def test_a_service_in_trouble_is_not_called_well() -> None:
    async def answer(_: HttpRequest) -> Reply:
        return Reply(503)

    listening = listening_socket()
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with serving((app(answer, time.time), listening), background=_nothing):
        found = examined(offline=False, DASHSCOPE_API_KEY="k", DASHSCOPE_BASE_URL=base)
    assert found["dashscope online"].state == "note"
    assert "503" in found["dashscope online"].detail


def test_half_of_the_callbacks_is_noted() -> None:
    only_address = examined(STORYREEL_WEBHOOK_URL="https://films.example/freepik")
    assert "FREEPIK_WEBHOOK_SECRET" in only_address["webhooks"].fix
    only_secret = examined(FREEPIK_WEBHOOK_SECRET="s")
    assert "STORYREEL_WEBHOOK_URL" in only_secret["webhooks"].fix
    assert "webhooks" not in examined()


def test_a_bucket_that_cannot_give_links_is_noted(tmp_path: Path) -> None:
    found = examined(STORYREEL_MEDIA_URL=f"file://{tmp_path}")
    assert found["media"].state == "note"
    assert "links" in found["media"].detail


def test_a_bucket_of_an_unknown_kind_is_noted_without_what_is_secret_in_its_address() -> None:
    found = examined(STORYREEL_MEDIA_URL="cloud9://me:secret@films/x?token=secret")
    assert found["media"].state == "note"
    assert "secret" not in str(found)


def test_a_bucket_for_clips_is_looked_into_before_the_first_clip_is_there(bucket: str, s3: str) -> None:
    told = told_of(s3)
    found = examined(offline=False, STORYREEL_CLIPS_URL=bucket, **told)
    assert (found["clips bucket"].state, found["clips bucket"].detail) == ("ok", f"{bucket.rstrip('/')} answers")
    found = examined(offline=False, STORYREEL_CLIPS_URL="s3://nobodys/clips", **told)
    assert found["clips bucket"].state == "note"
    assert "does not exist" in found["clips bucket"].detail
    assert "STORYREEL_CLIPS_URL" in found["clips bucket"].fix


def test_a_clip_that_another_host_has_made_is_not_called_lost(home: Path) -> None:
    with closing(Ledger(f"sqlite:///{home / 'ledger.sqlite'}")) as ledger:
        key = ordered(ledger, "1A")
        ledger.mark_submitted(key, "task-1", None)
        ledger.mark_finished(key, "0" * 64, None)
    arrived(ClipStore(home / "clips"), b"mine")
    assert "missing" in examined()["clip store"].detail
    assert "missing" not in examined(STORYREEL_CLIPS_URL="s3://films/clips")["clip store"].detail


# The ledger and the clips


def ordered(ledger: Ledger, name: str) -> str:
    """Note a take in the ledger; gives its key."""
    key = name.encode().hex().ljust(64, "0")
    assert ledger.intend(Order(key=key, provider="freepik", model="m", request="{}", film="Rain", slate=name, take=1))
    return key


def arrived(store: ClipStore, content: bytes) -> str:
    """Put a clip into the store; gives its digest."""
    with store.arriving("x") as file:
        file.write_bytes(content)
        return store.keep(file).digest


def test_the_ledger_is_opened_and_counted(home: Path) -> None:
    with closing(Ledger(f"sqlite:///{home / 'ledger.sqlite'}")) as ledger:
        for name in ("1A", "1B"):
            ledger.mark_submitted(ordered(ledger, name), f"task-{name}", None)
        drawn = Order(key="c" * 64, provider="animatic", model="m", request="{}", film="Rain", slate="1C", take=1,
                      price=Money(amount=Decimal(0), currency="USD"))  # fmt: skip
        ledger.intend(drawn)
    found = examined(STORYREEL_HOME=str(home))
    assert found["ledger"].state == "ok"
    assert "2 purchases and 1 free take" in found["ledger"].detail and str(home) in found["ledger"].detail


def test_clips_that_the_ledger_was_not_told_of_are_noted(home: Path) -> None:
    store = ClipStore(home / "clips")
    with store.arriving("x") as file:
        file.write_bytes(b"a clip")
        store.keep(file, Receipt(key="a" * 64, task="task-1"))
    found = examined(STORYREEL_HOME=str(home))["clip store"]
    assert found.state == "note" and "1 not noted in the ledger" in found.detail and "purchase" not in found.detail
    assert "buys nothing" in found.fix


def test_what_nobody_knows_is_noted(home: Path) -> None:
    with closing(Ledger(f"sqlite:///{home / 'ledger.sqlite'}")) as ledger:
        ledger.mark_unknown(ordered(ledger, "1A"), "the answer was lost")
    found = examined(STORYREEL_HOME=str(home))
    assert found["ledger"].state == "note"
    assert found["ledger"].fix == "storyreel reconcile"


def test_a_damaged_ledger_is_missing(home: Path) -> None:
    home.mkdir()
    (home / "ledger.sqlite").write_text("this is no database, and it is long enough to be looked at" * 20)
    found = examined(STORYREEL_HOME=str(home))
    assert found["ledger"].state == "missing"
    assert "backup" in found["ledger"].fix


def test_a_ledger_of_tomorrow_is_missing_and_left_alone(home: Path) -> None:
    file = home / "ledger.sqlite"
    Ledger(f"sqlite:///{file}").close()
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("update schema_version set version = 99")
    found = examined(STORYREEL_HOME=str(home))
    assert found["ledger"].state == "missing"
    assert "99" in found["ledger"].detail and "upgrade" in found["ledger"].fix


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:very-secret@127.0.0.1:9/films",
        "postgresql://me:very-secret@127.0.0.1:9/films?sslpassword=very-secret",
        "very-secret",
        "postgresql://me:very-secret@127.0.0.1:port/films",
    ],
)
def test_a_ledger_that_cannot_be_used_is_missing_and_its_password_not_shown(url: str) -> None:
    found = examined(STORYREEL_LEDGER_URL=url, offline=False)
    assert found["ledger"].state == "missing"
    assert found["ledger"].fix
    assert "very-secret" not in str(found)


def test_a_ledger_on_a_server_is_not_asked_offline() -> None:
    found = examined(STORYREEL_LEDGER_URL="postgresql://me:very-secret@db.example/films")
    assert found["ledger"].detail == "postgresql://db.example/films, not asked"


def test_a_ledger_in_postgresql_is_opened_and_counted() -> None:
    url = postgres.running().fresh()
    with closing(Ledger(url)) as ledger:
        ordered(ledger, "1A")
    found = examined(STORYREEL_LEDGER_URL=url, offline=False)
    assert found["ledger"].state == "ok"
    assert "1 purchase" in found["ledger"].detail


def test_the_store_is_held_against_the_ledger(home: Path) -> None:
    store = ClipStore(home / "clips")
    whole, hurt, orphan = (arrived(store, content) for content in (b"whole", b"hurt", b"orphan"))
    (store.root / hurt[:2] / f"{hurt}.mp4").write_bytes(b"hurx")
    with closing(Ledger(f"sqlite:///{home / 'ledger.sqlite'}")) as ledger:
        for name, digest in (("1A", whole), ("1B", hurt), ("1C", "f" * 64)):
            key = ordered(ledger, name)
            ledger.mark_submitted(key, f"task-{name}", None)
            ledger.mark_finished(key, digest)
    found = examined(STORYREEL_HOME=str(home))
    assert found["clip store"].state == "note"
    for words in ("3 clips, all read", "1 damaged", "1 made, and missing", "1 without a purchase"):
        assert words in found["clip store"].detail
    assert hurt in found["clip store"].fix
    assert orphan not in found["clip store"].fix


def test_reading_the_clips_ends_when_its_time_is_over(home: Path) -> None:
    store = ClipStore(home)
    for number in range(5):
        arrived(store, b"%d" % number)
    stock = check_store(store, None, seconds=-1)
    assert (stock.clips, stock.read, stock.damaged) == (5, 0, ())
    assert check_store(store, None).read == 5


def test_a_download_that_was_left_behind_is_told_once_it_is_a_day_old(home: Path) -> None:
    store = ClipStore(home)
    old, young = home / "arriving" / "old", home / "arriving" / "young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (time.time() - 90_000,) * 2)
    stock = check_store(store, None)
    assert stock.abandoned == (old,)
    assert str(home / "arriving") in stock.advice


def test_a_service_that_answers_byte_by_byte_ends_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connectivity, "_WHOLE_SECONDS", 0.5)
    ended = threading.Event()

    def drip(listening: socket.socket) -> None:
        line, _ = listening.accept()
        with line, suppress(OSError):
            line.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not ended.wait(0.05):
                line.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        dripping = threading.Thread(target=drip, args=(listening,))
        dripping.start()
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        found = connectivity.check_services(["aimlapi"], {"AIMLAPI_BASE_URL": base})
        ended.set()
        dripping.join()
    assert found["aimlapi"].problem == "gave no whole answer in 0.5 s"


def test_who_signs_films_is_told_and_what_prevents_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = {"STORYREEL_HOME": str(tmp_path)}
    assert "self-made certificate" in doctor._credentials(home).detail and not list(tmp_path.iterdir())
    wrong = doctor._credentials({**home, "STORYREEL_CERTIFICATE": str(tmp_path / "no.pem")})
    assert wrong.state == "note" and wrong.fix.startswith("set STORYREEL_CERTIFICATE and STORYREEL_CERTIFICATE_KEY")
    monkeypatch.setattr(doctor, "is_installed", lambda: False)
    assert doctor._credentials(home).fix == "pip install 'storyreel[credentials]'"


def test_who_speaks_the_lines_of_animatics_is_told() -> None:
    told = [examined(STORYREEL_GUIDE_VOICE=asked)["guide voice"] for asked in ("", "off")]
    assert [check.state for check in told] == ["ok", "ok"]
    assert told[0].detail.startswith("espeak-ng 1.") and "STORYREEL_GUIDE_VOICE" in told[1].detail


@pytest.mark.usefixtures("packaged_fonts")
def test_the_scripts_that_have_fonts_are_named() -> None:
    check = examined()["fonts"]
    assert check.state == "ok" and "Chinese" in check.detail


@pytest.mark.usefixtures("no_fonts")
def test_scripts_without_a_font_are_noted_with_the_command() -> None:
    check = examined()["fonts"]
    assert (check.state, check.fix) == ("note", "pip install 'storyreel[fonts]'")
    assert "Chinese, Japanese, Korean, Devanagari" in check.detail and "Arabic" not in check.detail


def test_a_font_of_the_users_that_is_none_is_noted(tmp_path: Path) -> None:
    (tmp_path / "mine.ttf").write_bytes(b"no font")
    check = examined(STORYREEL_FONT=str(tmp_path / "mine.ttf"))["fonts"]
    assert check.state == "note" and "mine.ttf" in check.detail and "STORYREEL_FONT" in check.fix
