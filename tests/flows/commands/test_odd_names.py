"""Files and folders of any name: every command reads and shows them, and what Prefect cannot record is said at once."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from pathlib import Path

import pytest

from tests.flows.conftest import Command

FILM = "storyboard: 1\ntitle: Odd\nshots: [{shot: 1A, action: She waits., duration: 1s}]\n"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/f\xff\x1b[31m [/b]"))
    folder.mkdir(parents=True)
    (folder / "film.yaml").write_text(FILM)
    return folder / "film.yaml"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("validate", 0), ("validate --json", 0), ("plan", 0), ("plan --json", 0), ("explain 1A", 0),
        ("explain 1A --json", 0), ("retake 1A --json", 0), ("review --json", 0), ("render --yes", 2), ("plan -o", 0),
    ],
)  # fmt: skip
def test_a_command_shows_a_name_that_is_not_utf_8_as_escapes(
    storyreel: Command, film: Path, command: str, code: int
) -> None:
    name, *rest = command.split()
    more = [film.parent / "plan.json"] if "-o" in rest else []
    done = storyreel(name, film, *rest, *more)
    assert done.returncode == code, done.stderr
    assert "bug in storyreel" not in done.stderr and "Traceback" not in done.stderr
    for sign in done.stdout + done.stderr:
        assert sign == "\n" or unicodedata.category(sign) not in ("Cc", "Cs")
    if "--json" in rest:
        json.loads(done.stdout)


def test_what_is_wrong_in_such_a_file_is_shown_with_its_place(storyreel: Command, film: Path) -> None:
    film.write_text(FILM.replace("action", "acton"))
    done = storyreel("validate", film)
    assert done.returncode == 2
    assert r"f\udcff\x1b[31m [/b]/film.yaml:3:" in done.stderr
