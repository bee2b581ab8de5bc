"""Before a cent is spent, by the real command: what stops a run, with which exit code, and what it says to do next."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.flows import warm

FILM = """\
storyboard: 1
title: Rooms
defaults: {provider: apiyi, duration: 5s}
shots:
  - {shot: 1A, action: One.}
  - {shot: 1B, action: Two., continues: 1A, takes: 3}
  - {shot: 1C, action: Three.}
"""


def storyreel(folder: Path, *words: str, **told: str) -> subprocess.CompletedProcess[str]:
    """The command, with a key and a service that nobody answers at: whatever it asked would fail."""
    environment = {**os.environ, "APIYI_API_KEY": "sk-none", "APIYI_BASE_URL": "http://127.0.0.1:9", **told}
    return warm.command(*words, folder=folder, environment=environment)


def test_without_a_terminal_nothing_is_bought_without_consent(film: Path) -> None:
    run = storyreel(film.parent, "render", "film.yaml")
    assert run.returncode == 2
    assert "this would buy 5 takes from apiyi for 2.10 USD" in run.stderr
    assert "--yes or --budget '2.10 USD'" in run.stderr


def test_a_run_over_its_budget_ends_with_3_and_says_what_fits(film: Path) -> None:
    run = storyreel(film.parent, "render", "film.yaml", "--yes", "--budget", "1.80 USD")
    assert run.returncode == 3
    assert "with 1C it would be exceeded; nothing was bought" in run.stderr
    assert run.stderr.endswith(
        "these shots fit: 1A, 1B\nnext: storyreel render film.yaml --budget '1.80 USD' --select 1A,1B\n"
    )


@pytest.mark.parametrize("command", ["deploy", "serve"])
def test_a_deployment_over_its_budget_names_the_same_deployment_of_what_fits(
    film: Path, command: str, standing_server: str
) -> None:
    pool = ["--pool", "render"] if command == "deploy" else []
    typed = [command, "film.yaml", *pool, "--cron", "0 6 * * 1", "--select=1A,1B,1C", "--budget", "1.80 USD"]
    run = storyreel(film.parent, *typed, PREFECT_API_URL=standing_server)
    assert run.returncode == 3 and "these shots fit: 1A, 1B" in run.stderr, run.stderr
    kept = [word for word in typed if not word.startswith("--select")]
    assert run.stderr.endswith(f"next: storyreel {shlex.join(kept)} --select 1A,1B\n")


def test_of_several_films_the_one_over_its_budget_is_named_alone(film: Path) -> None:
    other = film.with_name("other.yaml")
    other.write_text(FILM.replace("title: Rooms", "title: Halls").replace("takes: 3", "takes: 1"))
    typed = ["deploy", "other.yaml", "film.yaml", "--pool", "render", "--budget", "1.80 USD"]
    run = storyreel(film.parent, *typed, PREFECT_API_URL="http://127.0.0.1:9/api")
    assert run.returncode == 3, run.stderr
    assert run.stderr.endswith("next: storyreel deploy film.yaml --pool render --budget '1.80 USD' --select 1A,1B\n")


def test_the_storyboards_own_budget_stops_a_run_too(film: Path) -> None:
    film.write_text(FILM.replace("title: Rooms", "title: Rooms\nbudget: {per_shot: 0.50 USD}"))
    run = storyreel(film.parent, "render", "film.yaml", "--yes")
    assert (run.returncode, "for a shot (1B)" in run.stderr) == (3, True)


def test_a_budget_that_is_no_amount_is_a_wrong_command_line(film: Path) -> None:
    run = storyreel(film.parent, "render", "film.yaml", "--budget", "plenty")
    assert run.returncode == 2
    assert "this is not an amount of money" in run.stderr


def test_a_service_that_does_not_exist_is_a_wrong_command_line(film: Path) -> None:
    run = storyreel(film.parent, "render", "film.yaml", "--provider", "apiyee")
    assert run.returncode == 2
    words = " ".join(run.stderr.replace("│", " ").split())
    assert "--provider: there is no service `apiyee`; did you mean `apiyi`?" in words


def test_a_missing_key_says_how_to_set_it(film: Path) -> None:
    run = storyreel(film.parent, "render", "film.yaml", "--yes", APIYI_API_KEY="")
    assert run.returncode == 1
    assert run.stderr == "storyreel: apiyi needs a key, and APIYI_API_KEY is not set\nnext: export APIYI_API_KEY=…\n"


def test_a_selection_that_means_nothing_is_a_wrong_command_line(film: Path) -> None:
    run = storyreel(film.parent, "plan", "film.yaml", "--select", "1AA")
    assert run.returncode == 2
    assert "did you mean `1A`?" in " ".join(run.stderr.replace("│", " ").split())


def test_a_kept_plan_stops_when_the_film_has_moved_and_says_what(film: Path) -> None:
    kept = storyreel(film.parent, "plan", "film.yaml", "--select", "1A", "-o", "film.plan.json")
    assert (kept.returncode, kept.stderr) == (0, "")
    assert "storyreel render --plan film.plan.json" in kept.stdout
    unmoved = storyreel(film.parent, "render", "--plan", "film.plan.json")
    assert "this would buy 1 take from apiyi for 0.42 USD" in unmoved.stderr
    film.write_text(FILM.replace("One.", "Uno."))
    moved = storyreel(film.parent, "render", "--plan", "film.plan.json", "--yes")
    assert moved.returncode == 2
    assert "1A take 1: changed: action" in moved.stderr
    assert "next: storyreel plan film.yaml --select 1A -o film.plan.json" in moved.stderr


def test_a_render_takes_a_storyboard_or_a_plan_and_not_both(film: Path) -> None:
    assert storyreel(film.parent, "render").returncode == 2
    assert storyreel(film.parent, "render", "film.yaml", "--plan", "film.plan.json").returncode == 2


def test_a_broken_price_file_stops_a_plan_with_its_place(film: Path) -> None:
    (film.parent / "prices.yaml").write_text("prices: 1\nrates:\n  - {service: apiyee, per_second: 1, currency: USD}\n")
    run = storyreel(film.parent, "plan", "film.yaml", STORYREEL_PRICES="prices.yaml")
    assert run.returncode == 2
    assert "prices.yaml:3:" in run.stderr
    assert "did you mean `apiyi`?" in run.stderr
    assert "storyreel validate prices.yaml" not in run.stderr


def test_plan_json_has_prices_reasons_and_totals(film: Path) -> None:
    told = json.loads(storyreel(film.parent, "plan", "film.yaml", "--json").stdout)
    assert told["total"] == {"amount": "2.10", "currency": "USD"}
    assert {shot["price"]["amount"] for shot in told["shots"]} == {"0.42"}
    assert told["unpriced"] == 0
    assert told["surplus_seconds"] == 0
    mixed = FILM.replace("action: Three.", "action: Three., provider: dashscope")
    film.write_text(mixed)
    told = json.loads(storyreel(film.parent, "plan", "film.yaml", "--json").stdout)
    assert told["total"] is None, "currencies are never added up"
    assert [money["currency"] for money in told["totals"]] == ["CNY", "USD"]
