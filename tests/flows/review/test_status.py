"""The command that reviews, as a user has it: what it shows, notes, refuses, and says to do next."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from storyreel.flows.planning.model import takes_by_shot
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.player.links import is_playing
from storyreel.flows.player.running import playing
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Ledger
from tests.flows import warm
from tests.flows.selling import buy_take
from tests.players import is_played

STORYREEL = Path(sys.executable).with_name("storyreel")

FILM = """\
storyboard: 1
title: The Keeper
review: required
defaults: {duration: 2s, provider: apiyi}
shots:
  - {shot: 1A, action: She climbs.}
  - {shot: 1B, action: She waits., takes: 2}
  - {shot: 1C, action: The sea., review: none}
"""


@pytest.fixture
def made(film: Path, ledger: Ledger) -> Ledger:
    """The ledger, with all takes of the film bought; their clips are no films, but they are there."""
    for take in Planner.of(RunRequest(storyboard=film)).plan().takes:
        buy_take(ledger, "The Keeper", take, take.key.encode())
    return ledger


def storyreel(film: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command without a terminal, and without a Prefect server."""
    environment = {**os.environ, "PREFECT_HOME": str(film.parent / "prefect")}
    return warm.command(*words, folder=film.parent, environment=environment)


def words(film: Path) -> dict[str, list[str]]:
    """The words for the takes of the shots that are reviewed."""
    takes = takes_by_shot(Planner.of(RunRequest(storyboard=film)).plan().takes)
    return {slate: [str(take.review) for take in those] for slate, those in takes.items() if those[0].needs_review}


def test_without_made_takes_there_is_nothing_to_review(film: Path) -> None:
    assert words(film) == {"1A": ["todo"], "1B": ["todo", "todo"]}
    shown = storyreel(film, "review", "film.yaml")
    assert shown.returncode == 0 and "next: storyreel render film.yaml" in shown.stdout
    refused = storyreel(film, "review", "film.yaml", "--approve", "1A")
    assert refused.returncode == 2 and "no take of 1A is made yet" in refused.stderr
    assert not Home.of().has_ledger, "a look makes no ledger"


def test_takes_are_shown_approved_and_made_again_without_any_server(film: Path, made: Ledger) -> None:
    assert words(film) == {"1A": ["wfa"], "1B": ["wfa", "wfa"]}
    shown = storyreel(film, "review", "film.yaml")
    assert "next: storyreel review film.yaml --approve 1A" in shown.stdout and "0.168 USD" in shown.stdout
    said = storyreel(film, "review", "film.yaml", "--approve", "1A", "--retake", "1B:1", "--note", "too dark")
    assert said.returncode == 0, said.stderr
    assert "1A take 1: approved\n1B take 1: retake\n" in said.stdout
    assert words(film) == {"1A": ["approved"], "1B": ["retake", "wfa"]}
    plan = json.loads(storyreel(film, "plan", "film.yaml", "--json").stdout)
    assert [take["review"] for take in plan["shots"]] == ["approved", "retake", "wfa", None]
    noted = made.verdicts(take["key"] for take in plan["shots"])
    assert [verdict.note for verdict in noted.values()] == ["too dark", "too dark"]
    assert all(verdict.by for verdict in noted.values())
    assert "too dark (" in storyreel(film, "review", "film.yaml").stdout
    everything = json.loads(storyreel(film, "review", "film.yaml", "--all", "--json").stdout)
    assert all(take["said"].startswith("too dark (") for shot in everything["shots"] for take in shot["takes"][:1])
    assert everything["runs"] == []
    assert [(shot["shot"], [take["word"] for take in shot["takes"]]) for shot in everything["shots"]] == [
        ("1A", ["approved"]), ("1B", ["retake", "approved"]),
    ]  # fmt: skip
    assert words(film) == {"1A": ["approved"], "1B": ["retake", "approved"]}
    assert "next: storyreel render film.yaml" in storyreel(film, "review", "film.yaml").stdout


def test_a_retake_with_another_action_is_planned_with_it(film: Path, made: Ledger) -> None:
    said = storyreel(film, "review", "film.yaml", "--retake", "1A", "--action", "She falls.")
    assert "1A take 1: retake, with a new action: She falls." in said.stdout
    plan = json.loads(storyreel(film, "plan", "film.yaml", "--json").stdout)
    assert (plan["shots"][0]["state"], plan["shots"][0]["changes"], plan["shots"][0]["review"]) == (
        "new", ["action"], "retake",
    )  # fmt: skip
    assert film.read_text() == FILM, "the storyboard stays as it is"
    shown = storyreel(film, "plan", "film.yaml").stdout
    assert "review" in shown and "retake" in shown


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--approve", "1X"), "there is no shot `1X` to be reviewed"),
        (("--approve", "1C"), "there is no shot `1C` to be reviewed"),
        (("--approve", "1B:3"), "`1B:3` is not a take that is made; of 1B there is `1` and `2`"),
        (("--retake", "1B:x"), "`1B:x` is not a take that is made"),
        (("--retake", "1A", "--action", "{mira} falls."), "neither cast nor location"),
        (("--retake", "1A", "--action", " "), "the new action cannot be used"),
        (("--retake", "1A", "--action", "x" * 6000), "the new action cannot be used"),
        (("--action", "She falls."), "--action goes with --retake"),
        (("--approve", "1A", "--retake", "1A"), "take 1 of 1A is named twice"),
    ],
)
def test_invalid_verdicts_are_refused_and_none_is_noted(
    film: Path, made: Ledger, words: tuple[str, ...], told: str
) -> None:
    refused = storyreel(film, "review", "film.yaml", *words)
    said = " ".join(refused.stderr.replace("│", " ").split())
    assert refused.returncode == 2 and told in said, refused.stderr
    assert not made.has_verdicts


def test_on_a_terminal_each_shot_that_waits_is_asked_about(film: Path, made: Ledger) -> None:
    leader, follower = pty.openpty()
    try:
        asked = subprocess.Popen(
            [STORYREEL, "review", "film.yaml"], cwd=film.parent,
            env={**os.environ, "PREFECT_HOME": str(film.parent / "prefect"), "TERM": "xterm"},
            stdin=follower, stdout=subprocess.PIPE, stderr=follower,
        )  # fmt: skip
        os.write(leader, b"r\ntoo dark\nShe falls.\na\n1\n")
        shown, _ = asked.communicate(timeout=120)
    finally:
        os.close(follower)
        os.close(leader)
    assert asked.returncode == 0
    assert words(film) == {"1A": ["retake"], "1B": ["approved", "wfa"]}
    assert "1A take 1: retake, with a new action: She falls." in shown.decode()


def test_takes_are_played_by_the_links_that_are_shown_while_a_player_runs(
    film: Path, made: Ledger, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    assert "play: " not in storyreel(film, "review", "film.yaml").stdout, "no link that leads nowhere"
    home = Home.of()
    with playing(home, print):
        wait_until(lambda: is_playing(home))
        shown = storyreel(film, "review", "film.yaml").stdout
        links = re.findall(r"^  play: (\S+)$", shown, re.MULTILINE)
        assert len(links) == 3 and all(map(is_played, links))
        told = json.loads(storyreel(film, "review", "film.yaml", "--json").stdout)
    assert [take["play"] for shot in told["shots"] for take in shot["takes"]] == links
