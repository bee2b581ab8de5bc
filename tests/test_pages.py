"""What README and docs promise can be done: their commands run, their storyboard renders, their links lead to files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from storyreel.flows.commands.app import command_of
from storyreel.specs.reading import read
from tests.flows.conftest import Command, fresh_environment, storyreel
from tests.flows.keeper import copy_keeper

__all__ = ["fresh_environment", "storyreel"]

ROOT = Path(__file__).parents[1]
README, BUYING = ROOT / "README.md", ROOT / "docs" / "buying.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("[!.]*/README.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_every_command_of_the_readme_and_of_buying_runs_as_it_is_written(
    storyreel: Command, standing_server: str, tmp_path: Path
) -> None:
    """In one home, in the order of the pages, with a server that is running. The example has fewer frames a second."""
    copy_keeper(tmp_path)
    lines = [line for page in (README, BUYING) for block in blocks(page, "sh") for line in block.strip().splitlines()]
    commands = [shlex.split(line) for line in lines]
    ours = [command[3:] for command in commands if command[:3] == ["uv", "run", "storyreel"]]
    others = [command for command in commands if command[:3] != ["uv", "run", "storyreel"]]
    assert others == [["pip", "install", "uv"], ["uv", "run", "pytest"]], "a command that no test runs"
    assert len(ours) >= 8
    for arguments in ours:
        done = storyreel(*arguments, PREFECT_API_URL=standing_server)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
    assert (tmp_path / "renders" / "the-keeper" / "sequence.mp4").stat().st_size > 100_000


def test_every_command_of_the_handover_runs_as_it_is_written(storyreel: Command, tmp_path: Path) -> None:
    shots = "[{shot: 1A, action: She climbs.}, {card: The end}]"
    film = f"storyboard: 1\ntitle: Small\nformat: {{resolution: 480p}}\ndefaults: {{duration: 1s}}\nshots: {shots}\n"
    film += "deliverables: [{name: phone, format: {size: 256x256}}]\n"
    (tmp_path / "film.yaml").write_text(film)
    lines = [line for block in blocks(ROOT / "docs" / "handover.md", "sh") for line in block.strip().splitlines()]
    assert len(lines) == 6
    for line in lines:
        program, *arguments = shlex.split(line)
        done = storyreel(*arguments)
        assert (program, done.returncode) == ("storyreel", 0), f"{line}: {done.stderr}"
    assert (tmp_path / "film.yaml").read_text() == film


def test_the_storyboard_of_the_readme_can_be_read(tmp_path: Path) -> None:
    (block,) = blocks(README, "yaml")
    file = tmp_path / "film.yaml"
    file.write_text(block)
    assert len(read(file).all_shots) == 3


def test_the_readme_is_read_in_two_minutes() -> None:
    assert 700 <= len(README.read_text().split()) <= 900


def test_modules_are_as_short_as_contributing_asks() -> None:
    modules = [module for room in ("flows", "specs", "tasks") for module in (ROOT / room).rglob("*.py")]
    assert "a module has fewer than 400 lines" in (ROOT / "CONTRIBUTING.md").read_text() and modules
    assert [name_of(module) for module in modules if len(module.read_text().splitlines()) >= 400] == []


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "uv run pytest" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert "://" in link or (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_to_a_heading_leads_to_one(page: Path) -> None:
    for link, heading in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
        target = page.parent / link if link else page
        headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert heading in slugs, f"{link}#{heading}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_option_that_a_page_names_is_one_of_its_command(page: Path) -> None:
    """Also of commands that no test of this file can run: they run forever, or need workers."""
    for line in re.findall(r"^(?:uv run )?storyreel (.*)$", page.read_text(), re.MULTILINE):
        name, *words = shlex.split(line, comments=True)
        known = {option for parameter in command_of(name).params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= known, line


@pytest.mark.parametrize("room", ["flows", "tasks"])
def test_every_room_has_its_line(room: str) -> None:
    page = (ROOT / room / "README.md").read_text()
    folders = [folder.parent.relative_to(ROOT / room) for folder in (ROOT / room).rglob("*/__init__.py")]
    modules = [module.stem for module in (ROOT / room).glob("*.py") if module.stem != "__init__"]
    assert [str(folder) for folder in folders if f"`{folder}/`" not in page and f"`{folder.name}/`" not in page] == []
    assert [module for module in modules if f"`{module}`" not in page] == []
