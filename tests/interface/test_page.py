"""docs/python.md: the tree of errors, the names and the programs on it are those of the package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import storyreel

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text("utf-8")
ERRORS = [found for name in storyreel.__all__ if isinstance(found := getattr(storyreel, name), type)]


def _tree(error: type[Exception], indent: str = "") -> Iterator[str]:
    """The public errors below one, as lines of a drawing."""
    below = sorted((one for one in ERRORS if _parent(one) is error), key=lambda one: one.__name__)
    for one in below:
        is_last = one is below[-1]
        yield f"{indent}{'└── ' if is_last else '├── '}{one.__name__}"
        yield from _tree(one, indent + ("    " if is_last else "│   "))


def _parent(error: type) -> type | None:
    """The nearest base class that is public."""
    return next((base for base in error.__mro__[1:] if base in ERRORS), None)


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    drawn = "\n".join(["StoryreelError", *_tree(storyreel.StoryreelError)])
    assert f"```text\n{drawn}\n```" in PAGE, f"docs/python.md should show:\n{drawn}"


def test_every_public_name_is_explained() -> None:
    assert [name for name in storyreel.__all__ if not re.search(rf"`(await )?{name}\b", PAGE)] == []


def test_the_programs_use_public_names_only() -> None:
    programs = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for program in programs:
        compile(program, "docs/python.md", "exec")
    used = {name for program in programs for name in re.findall(r"storyreel\.(\w+)", program)}
    assert used and used <= set(storyreel.__all__)
