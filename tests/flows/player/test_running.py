"""Players begin and end with those that they belong to, and one takes over from another; links stay what they are."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psutil
import pytest

from storyreel.flows.diagnostics.player_check import check_player
from storyreel.flows.player import running
from storyreel.flows.player.links import NO_LINKS, Links, PlayerRecord, answers, secret_of
from storyreel.flows.servers.local import ServerRecord, free_port, record_path
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.owner import owner_of_process
from storyreel.tasks.settings import PLAYER_URL
from storyreel.tasks.storage.disk import DiskError

Wait = Callable[[Callable[[], bool]], None]


def plays(home: Home) -> bool:
    return answers(home, PlayerRecord.of(home).port)


@pytest.fixture
def lived(home: Path) -> Iterator[Home]:
    """A home with a port of its own, as other players run beside it; its player's process is stopped at the end."""
    made = Home.of()
    PlayerRecord(port=free_port()).write(made)
    yield made
    running.stop(made)


def test_a_second_player_of_a_home_waits_and_takes_over_at_the_same_port(home: Path, wait_until: Wait) -> None:
    made = Home.of()
    first, second = ExitStack(), ExitStack()
    first.enter_context(running.playing(made, print))
    wait_until(lambda: plays(made))
    port = PlayerRecord.of(made).port
    with second:
        second.enter_context(running.playing(made, print))
        first.close()
        wait_until(lambda: answers(made, port))
        assert PlayerRecord.of(made).port == port, "links of earlier runs lead to it"
    assert not plays(made)


def test_a_port_of_another_program_is_left_alone_and_the_new_one_is_kept(home: Path, wait_until: Wait) -> None:
    made = Home.of()
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as other:
        taken = other.server_port
        serving = Thread(target=other.serve_forever, daemon=True)
        serving.start()
        PlayerRecord(port=taken).write(made)
        with running.playing(made, print):
            wait_until(lambda: plays(made))
        other.shutdown()
        serving.join(10)
    found = PlayerRecord.of(made).port
    assert found != taken
    with running.playing(made, print):
        wait_until(lambda: plays(made))
        assert PlayerRecord.of(made).port == found
        assert f":{found}/take/" in Links.of(made).take("a" * 64, "1A", 1)


def test_a_link_that_is_made_before_the_player_begins_leads_to_it_though_another_has_the_default_port(
    home: Path, tmp_path: Path, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, others = Home.of(), Home.of({"STORYREEL_HOME": str(tmp_path / "other")})
    PlayerRecord(port=free_port()).write(others)
    with running.playing(others, print):
        wait_until(lambda: plays(others))
        monkeypatch.setattr("storyreel.flows.player.links.PORT", PlayerRecord.of(others).port)
        link = Links.of(made).take("a" * 64, "1A", 1)
        with running.playing(made, print):
            wait_until(lambda: plays(made))
            assert link.startswith(f"http://127.0.0.1:{PlayerRecord.of(made).port}/")
            assert PlayerRecord.of(made).port != PlayerRecord.of(others).port
            assert link == Links.of(made).take("a" * 64, "1A", 1)


def test_the_player_of_another_home_is_not_taken_for_ones_own(home: Path, tmp_path: Path, wait_until: Wait) -> None:
    made, others = Home.of(), Home.of({"STORYREEL_HOME": str(tmp_path / "other")})
    with running.playing(others, print):
        wait_until(lambda: plays(others))
        port = PlayerRecord.of(others).port
        PlayerRecord(port=port).write(made)
        assert not answers(made, port)
        with running.playing(made, print):
            wait_until(lambda: plays(made))
            assert PlayerRecord.of(made).port != port


def test_a_process_stays_until_it_is_stopped_and_is_started_once(lived: Home, wait_until: Wait) -> None:
    address = running.start(lived)
    first = PlayerRecord.of(lived).process
    assert first and running.start(lived) == address and PlayerRecord.of(lived).process == first
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: not first.is_alive())
    assert running.start(lived) == address, "also after it was killed"
    assert running.stop(lived) and not plays(lived)
    assert not running.stop(lived)


def test_a_process_ends_with_the_prefect_server_that_it_was_started_beside(lived: Home, wait_until: Wait) -> None:
    """However that ends: nothing of `storyreel ui` is left behind."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as server:
        record = ServerRecord(port=free_port(), process=owner_of_process(server.pid))
        record_path().parent.mkdir(parents=True, exist_ok=True)
        record_path().write_text(record.model_dump_json())
        running.start(lived)
        player = PlayerRecord.of(lived).process
        assert player and player.is_alive()
        server.kill()
    wait_until(lambda: not player.is_alive())


def test_the_secret_is_one_for_all_processes_and_for_nobody_else(home: Path) -> None:
    made = Home.of()
    with ThreadPoolExecutor(8) as processes:
        found = set(processes.map(lambda _: secret_of(made), range(32)))
    assert len(found) == 1 and len(found.pop()) == 64
    assert stat.S_IMODE((home / "player.key").stat().st_mode) == 0o600
    assert sorted(path.name for path in home.iterdir()) == ["player.key"], "nothing is left beside it"
    assert secret_of(made, {"STORYREEL_PLAYER_SECRET": "of the team"}) == b"of the team"


def test_links_are_given_to_readers_who_can_open_them(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, near, far = Home.of(), "http://127.0.0.1:4200/api", "https://prefect.studio/api"
    take = ("a" * 64, "1A", 1)
    link = Links.of(made, near).take(*take)  # of another port if somebody's player is at the usual one
    assert link.startswith(f"http://127.0.0.1:{PlayerRecord.of(made).port}/take/")
    assert Links.of(made).take(*take) == Links.of(made, near).take(*take)
    assert Links.of(made, far) == NO_LINKS and NO_LINKS.take(*take) == "" and NO_LINKS.film(None) == ""
    PlayerRecord(process=owner_of_process(psutil.Process().pid)).write(made)
    assert Links.of(made, far).take(*take) == Links.of(made).take(*take), "its user has started a player here"
    monkeypatch.setenv("STORYREEL_PLAYER_URL", "https://films.example/")
    assert Links.of(made, far).take(*take).startswith("https://films.example/take/")


def test_the_command_plays_until_ctrl_c(tmp_path: Path, fresh_environment: dict[str, str]) -> None:
    environment = {**fresh_environment, "STORYREEL_HOME": str(tmp_path / "home")}
    command = [Path(sys.executable).with_name("storyreel"), "player", "--host", "0.0.0.0", "--port"]
    with subprocess.Popen([*command, "0"], env=environment, stderr=subprocess.PIPE, text=True) as player:
        assert player.stderr
        line = player.stderr.readline()
        home = Home.of(environment)
        port = PlayerRecord.of(home).port
        assert f"http://0.0.0.0:{port}; Ctrl-C ends it" in line
        assert player.stderr.readline().startswith("set STORYREEL_PLAYER_URL to its public address")
        deadline = time.monotonic() + 30
        while not answers(home, port, environment):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        taken = subprocess.run([*command, str(port)], env=environment, capture_output=True, text=True, check=False)
        assert taken.returncode == 1
        assert (
            f"cannot listen on 0.0.0.0:{port}: address already in use\nnext: storyreel player --port 0" in taken.stderr
        )
        (check,) = check_player({**environment, PLAYER_URL: f"http://127.0.0.2:{port}"}, offline=False)
        assert check.detail.endswith("does not know that address") and check.state == "note"
        player.send_signal(signal.SIGINT)
        assert player.stderr.read() == "ended\n" and player.wait(20) == 0


def test_a_home_that_takes_no_files_is_told_and_stops_nothing_else(tmp_path: Path, wait_until: Wait) -> None:
    (tmp_path / "file").write_text("")
    made, said = Home.of({"STORYREEL_HOME": str(tmp_path / "file" / "home")}), list[str]()
    with running.playing(made, said.append):
        wait_until(lambda: bool(said))
    assert len(said) == 1 and said[0].startswith("films and takes cannot be played: ")
    assert Links.of(made) == NO_LINKS
    with pytest.raises(DiskError):
        running.start(made)
