"""A command imports what it needs and nothing else: what it does not import, nobody waits for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from storyreel.flows.commands import main
from tests.flows.conftest import environment_of

FILM = """\
storyboard: 1
title: T
cast: {ana: {description: baker, references: [https://example.org/ana.png]}}
defaults: {cast: [ana], provider: dashscope, duration: 3s}
shots:
  - {shot: 1A, action: Ana bakes.}
  - {shot: 1B, action: Ana rests.}
"""
ORDERED = """
import sys
from pathlib import Path
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Order
ledger = Home.of().ledger()
ledger.intend(Order(key="k", provider="dashscope", model="m", request="{}", film="T", slate="1A", take=1))
ledger.close()
"""
LOADED = """
import json, sys
from storyreel.flows.commands.main import run
sys.argv = ["storyreel", *sys.argv[1:]]
code = run()
assert not code, code
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
COUNTED = """
import gc, importlib.metadata, json, sys
from storyreel.flows.commands.main import run
scans, scan = [], importlib.metadata.entry_points
importlib.metadata.entry_points = lambda **group: scans.append(group) or scan(**group)
collected = []
gc.callbacks.append(lambda phase, about: collected.append(phase))
sys.argv = ["storyreel", *sys.argv[1:]]
code = run()
assert not code, code
print(json.dumps([len(collected), scans]), file=sys.stderr)
"""
HEAVY = {"prefect", "sqlalchemy", "httpx", "av", "PIL", "regex", "psutil", "asyncio", "ffmpeg", "fsspec"}


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a user who has bought a take; the film is in the home, and no command here changes either."""
    environment = environment_of(tmp_path_factory.mktemp("user") / "home")
    (Path(environment["HOME"]) / "film.yaml").write_text(FILM)
    subprocess.run([sys.executable, "-c", ORDERED], env=environment, check=True)
    return environment


@pytest.mark.parametrize(
    ("command", "more"),
    [
        (
            "--help",
            {"yaml", "sqlite3", "storyreel.specs.frozen", "storyreel.tasks", "storyreel.flows.planning"},
        ),
        ("validate film.yaml", {"rich", "sqlite3", "concurrent", "storyreel.tasks.ledger", "markdown_it"}),
        ("plan film.yaml", {"concurrent", "html", "markdown_it", "pygments", "storyreel.flows.servers"}),
        ("ledger", {"yaml", "markdown_it", "storyreel.specs.storyboard", "storyreel.tasks.providers"}),
        ("ledger --by film", {"yaml", "markdown_it", "storyreel.specs.storyboard", "storyreel.tasks.providers"}),
    ],
)
def test_a_command_that_only_looks_imports_what_it_needs(command: str, more: set[str], user: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *command.split()],
        cwd=user["HOME"], env=user, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = json.loads(done.stderr.splitlines()[-1])
    assert [name for name in loaded if any(name == one or name.startswith(f"{one}.") for one in HEAVY | more)] == []


@pytest.mark.parametrize("command", ["validate film.yaml", "plan film.yaml", "plan --json film.yaml", "ledger"])
def test_a_command_that_only_looks_neither_looks_for_garbage_nor_for_other_packages(
    command: str, user: dict[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNTED, *command.split()],
        cwd=user["HOME"], env=user, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stderr.splitlines()[-1]) == [0, []]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("validate missing.yaml 2>&-", 2),
        ("validate missing.yaml 2>/dev/full", 2),
        ("validate film.yaml >&-", 0),
        ("validate film.yaml >&- 2>&-", 0),
        ("validate film.yaml >/dev/full", 1),
        ("validate --json film.yaml >/dev/full", 1),
        ("plan film.yaml >/dev/full", 1),
        ("schema >/dev/full", 1),
    ],
)
def test_a_command_ends_with_its_code_where_nothing_can_be_printed(
    command: str, code: int, user: dict[str, str]
) -> None:
    line = f'{sys.executable} -c "from storyreel.flows.commands.main import main; main()" {command}'
    done = subprocess.run(["/bin/sh", "-c", line], cwd=user["HOME"], env=user, capture_output=True, text=True)
    assert done.returncode == code and "Traceback" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("line", "is_short"),
    [("", True), ("--help", True), ("plan f.yaml", True), ("-- plan f.yaml", True), ("render f.yaml", False),
     ("-- render f.yaml", False)],
)  # fmt: skip
def test_only_a_command_that_makes_nothing_ends_without_the_exit_of_python(
    line: str, is_short: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At which Prefect sends what is left of a run's log."""
    monkeypatch.setattr(sys, "argv", ["storyreel", *line.split()])
    assert main._only_looks() is is_short
