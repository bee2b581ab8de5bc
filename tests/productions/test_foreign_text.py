"""A service that answers with commands to the terminal, halves of emoji, markup and the user's own key."""

from __future__ import annotations

import base64
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from storyreel.testing.faults import Call, ErrorReply, Trouble
from storyreel.testing.wire import HttpRequest, Reply
from tests import postgres
from tests.flows import warm
from tests.flows.staging import Stage, staged
from tests.services.apiyi import Apiyi, ApiyiSettings
from tests.services.jobs import Script

KEY = "sk-0123/456789+abcdef"
SIGNATURE = "c2lnbmF0dXJl"
FILM = f"""\
storyboard: 1
title: "Act [/one] of [red]**x**"
format: {{fps: 12}}
defaults: {{provider: apiyi, duration: 6f}}
shots:
  - shot: 1A
    action: Ana [/b] enters.
    first_frame: "https://me:{SIGNATURE}@films.example/a.png?X-Amz-Signature={SIGNATURE}"
  - {{shot: 1B, action: She sits.}}
"""
REASON = f"no \ud83d [/x] [link=https://a.example]\x1b[31mred\x9b0m\0 \u202e {KEY} {quote(KEY, safe='')} "
REASON += base64.b64encode(KEY.encode()).decode()
COMMANDS = (
    "ledger", "ledger --history --json --full", "plan film.yaml", "plan film.yaml --json", "explain film.yaml 1A",
    "explain film.yaml 1A --json", "providers", "doctor --offline --json", "doctor --offline",
)  # fmt: skip


@dataclass(frozen=True)
class Says(Trouble):
    """An answer that no encoder of JSON would write."""

    content: bytes

    def spoil(self, reply: Reply, request: HttpRequest, error_reply: ErrorReply) -> Reply:
        return Reply(200, self.content)


@dataclass(frozen=True)
class Fails(Trouble):
    """The task that is asked for has failed, for a reason that no encoder of JSON would write."""

    reason: str

    def spoil(self, reply: Reply, request: HttpRequest, error_reply: ErrorReply) -> Reply:
        failure = {"status": "failed", "error": {"code": "Odd", "message": self.reason}}
        return Reply(200, json.dumps(json.loads(reply.body) | failure).encode())


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_it_is_told_recorded_and_settled_without_harm(
    tmp_path: Path, fresh_environment: dict[str, str], standing_server: str, database: str
) -> None:
    service = Apiyi(ApiyiSettings(key=KEY, script=Script(waiting=0, running=0)))
    ledger_url, told_more = "", {"COLUMNS": "300"}  # Prefect's records are looked through as well
    if database == "postgresql":
        ledger_url, told_more = postgres.running().fresh(), {"COLUMNS": "300", "PREFECT_API_URL": standing_server}
    service.fault(Call.POLL, Fails(REASON), accepted=True, times=1)
    # The order of the other shot: accepted, by an answer without a usable id.
    with staged(tmp_path, FILM, service, {**fresh_environment, **told_more}, ledger_url) as stage:
        stage.environment["APIYI_API_KEY"] = KEY
        service.fault(
            Call.CREATE, Says(json.dumps({"note": f"task ' \" \x1b[2J {KEY}"}).encode()), accepted=True, times=1
        )
        code, out, err = stage.run()
        assert code == 1, err
        told = out + err
        assert r"no \ud83d [/x] [link=https://a.example]\x1b[31mred\x9b0m\x00 \u202e … … …" in told
        assert "its answer is kept in" in told
        for command in COMMANDS:
            told += said(stage, *command.split())
    (kept,) = (tmp_path / "home" / "answers").iterdir()
    assert b"task ' " in kept.read_bytes()
    for armed in ("\x1b", "\x9b", "\u202e", "\ud83d", "\0", KEY, quote(KEY, safe=""), SIGNATURE):
        assert armed not in told
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "film.yaml":
            for secret in (KEY, quote(KEY, safe=""), SIGNATURE):
                assert secret.encode() not in path.read_bytes(), path


def said(stage: Stage, *arguments: str) -> str:
    """The output of a command."""
    done = warm.command(*arguments, folder=stage.folder, environment=stage.environment)
    assert "Traceback" not in done.stderr and "bug in storyreel" not in done.stderr, shlex.join(arguments)
    return done.stdout + done.stderr
