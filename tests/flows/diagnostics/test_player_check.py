"""Doctor on the player of a team: it answers by its address, and with the secret that links are signed with here."""

from __future__ import annotations

import os
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from storyreel.flows.diagnostics.check import Check
from storyreel.flows.diagnostics.player_check import check_player
from storyreel.flows.player.links import PlayerRecord, answers
from storyreel.flows.player.running import playing
from storyreel.flows.servers.local import free_port
from storyreel.tasks.home import Home


def checked(url: str, **more: str) -> Check:
    (check,) = check_player({**os.environ, "STORYREEL_PLAYER_URL": url, **more}, offline=False)
    return check


def test_a_player_of_the_same_secret_is_well_and_one_of_another_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    monkeypatch.setenv("STORYREEL_PLAYER_SECRET", "of-the-team")
    made = Home.of()
    with playing(made, print):
        wait_until(lambda: answers(made, PlayerRecord.of(made).port))
        url = f"http://127.0.0.1:{PlayerRecord.of(made).port}"
        assert checked(url).state == "ok"
        other = checked(url, STORYREEL_PLAYER_SECRET="another")
        assert other.state == "note" and "no link made here works" in other.detail
        assert other.fix == "set STORYREEL_PLAYER_SECRET to the same here and there"


def test_an_address_at_which_no_player_answers_is_told() -> None:
    assert "cannot be reached" in checked(f"http://127.0.0.1:{free_port()}").detail
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as other:
        serving = Thread(target=other.serve_forever, daemon=True)
        serving.start()
        assert "is no player" in checked(f"http://127.0.0.1:{other.server_port}").detail
        other.shutdown()
        serving.join(10)


def test_without_a_public_player_nothing_is_checked() -> None:
    assert list(check_player({}, offline=False)) == []
