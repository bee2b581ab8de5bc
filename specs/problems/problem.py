"""What is wrong in a storyboard, and where; and how it is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from storyreel.specs.errors import StoryreelError

MOST_PROBLEMS = 1000
"""That any one look at a film tells; a film with more has few mistakes, made often."""

Place = tuple[str | int, ...]
"""The way to a value in the file: `("scenes", 0, "shots", 2, "duration")`."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a storyboard file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong: the place, what it is, and what to do instead (may be empty)."""

    position: Position
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.position}: {self.what}" + (f" ({self.fix})" if self.fix else "")


class StoryboardError(StoryreelError):
    """A storyboard cannot be used. `problems` holds all that was found, in the order of the file."""

    then: ClassVar[str] = "storyreel validate {file}"
    """What to run when it is mended."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))
