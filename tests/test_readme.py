"""What the README promises can be done: its commands run, its storyboard renders, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import typer

from storyreel.flows.commands.main import app
from storyreel.specs.reading import read
from tests.flows.conftest import Command, fresh_environment, storyreel

__all__ = ["fresh_environment", "storyreel"]

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *(ROOT / floor / "README.md" for floor in ("specs", "tasks", "flows", "deployments"))]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def test_every_command_of_the_readme_runs_as_it_is_written(
    storyreel: Command, standing_server: str, tmp_path: Path
) -> None:
    """In one home, as its reader runs them, beside a server that stands; the example has fewer frames a second here."""
    shutil.copytree(ROOT / "specs" / "examples", tmp_path / "specs" / "examples")
    example = tmp_path / "specs" / "examples" / "the-keeper.yaml"
    assert "fps: 30" in example.read_text()
    example.write_text(example.read_text().replace("fps: 30", "fps: 12"))
    commands = [shlex.split(line) for block in blocks("sh") for line in block.strip().splitlines()]
    ours = [command[3:] for command in commands if command[:3] == ["uv", "run", "storyreel"]]
    others = [command for command in commands if command[:3] != ["uv", "run", "storyreel"]]
    assert others == [["pip", "install", "uv"], ["uv", "run", "pytest"]], "a command that nothing tries"
    assert len(ours) >= 6
    for arguments in ours:
        done = storyreel(*arguments, PREFECT_API_URL=standing_server)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
    assert (tmp_path / "renders" / "the-keeper" / "sequence.mp4").stat().st_size > 100_000
    assert (tmp_path / "my-film" / "out" / "sequence.mp4").is_file()


def test_every_command_there_is_stands_in_the_readme() -> None:
    page = (ROOT / "README.md").read_text()
    names = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert {name for name in names if f"`{name}`" not in page and f"storyreel {name}" not in page} == set()


def test_the_readmes_storyboard_is_a_good_one(tmp_path: Path) -> None:
    (block,) = blocks("yaml")
    file = tmp_path / "film.yaml"
    file.write_text(block)
    assert len(read(file).all_shots) == 3


def test_ci_runs_the_readmes_own_test_command() -> None:
    assert "uv run pytest" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert "://" in link or (page.parent / link).exists(), f"{page}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_every_option_that_a_page_names_is_one_of_its_command(page: Path) -> None:
    """Also of commands that no test of this file can run: they go on for ever, or need workers."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for line in re.findall(r"^(?:uv run )?storyreel (.*)$", page.read_text(), re.MULTILINE):
        name, *words = shlex.split(line, comments=True)
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= known, f"{page}: {line}"
