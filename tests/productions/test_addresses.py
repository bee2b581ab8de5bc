"""The commands with addresses in the place of paths, each in a process of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storyreel.flows.packs import pack
from tests.buckets import environment
from tests.flows.scattered import scattered


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A film whose pictures lie outside of its folder."""
    return scattered(tmp_path)


@pytest.fixture
def told(s3: str, standing_server: str) -> dict[str, str]:
    """Variables of the commands: a bucket and a Prefect server."""
    return {**environment(s3), "PREFECT_API_URL": standing_server}


def test_the_commands_take_an_address(
    storyreel: Callable[..., Any], film: Path, bucket: str, told: dict[str, str], tmp_path: Path
) -> None:
    address = pack(film, bucket).address
    shutil.rmtree(tmp_path / "project")
    assert json.loads(storyreel("validate", address, "--json", **told).stdout)["frames"] == 40
    assert len(json.loads(storyreel("plan", address, "--json", "-o", "kept.json", **told).stdout)["shots"]) == 2
    assert json.loads(storyreel("explain", address, "1A", "--json", **told).stdout)
    assert json.loads((tmp_path / "kept.json").read_text())["storyboard"] == address
    made = storyreel("render", "--plan", "kept.json", "--out", f"{bucket}out", "--json", **told)
    assert json.loads(made.stdout)["sequence"] == f"{bucket}out/sequence.mp4", made.stderr
    gone = storyreel("render", address.replace("packs/", "packs/0")[:-6] + ".json", **told)
    assert gone.returncode == 2 and "there is no such" in gone.stderr and "Traceback" not in gone.stderr
    told["STORYREEL_HOME"] = str(tmp_path / "other")
    away = storyreel("plan", address.replace(bucket, "s3://nobodys/"), **told)
    assert away.returncode == 2 and "Traceback" not in away.stderr
    unknown = storyreel("plan", "nosuch://films/film.yaml", **told)
    assert unknown.returncode == 1 and "next: storyreel doctor" in unknown.stderr


def test_a_plan_says_what_the_bucket_has_and_one_that_is_away_ends_it_in_a_line(
    storyreel: Callable[..., Any], film: Path, bucket: str, told: dict[str, str], unanswered: str, tmp_path: Path
) -> None:
    shared = {
        "STORYREEL_CLIPS_URL": f"{bucket}clips",
        "STORYREEL_LEDGER_URL": f"sqlite:///{tmp_path / 'ledger.sqlite'}",
    }
    told |= shared
    made = storyreel("render", str(film), STORYREEL_HOME=str(tmp_path / "one"), **told)
    assert made.returncode == 0, made.stderr
    planned = storyreel("plan", str(film), "--json", STORYREEL_HOME=str(tmp_path / "other"), **told)
    assert {shot["state"] for shot in json.loads(planned.stdout)["shots"]} == {"cached"}
    told |= {"AWS_ENDPOINT_URL_S3": unanswered, "AWS_MAX_ATTEMPTS": "1"}
    silent = storyreel("plan", str(film), STORYREEL_HOME=str(tmp_path / "other"), **told)
    assert silent.returncode == 1 and "STORYREEL_CLIPS_URL" in silent.stderr and "Traceback" not in silent.stderr
