"""docs/commands.md is the page that the code makes."""

from __future__ import annotations

from pathlib import Path

from storyreel.flows.commands.reference import PAGE, page


def test_the_page_of_commands_is_what_the_code_declares() -> None:
    stored = (Path(__file__).parents[3] / PAGE).read_text(encoding="utf-8")
    assert stored == page(), "run `python -m storyreel.flows.commands.reference`"
