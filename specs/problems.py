"""What is wrong in a storyboard, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


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


class StoryboardError(Exception):
    """A storyboard cannot be used. `problems` holds all that was found, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[type[StoryboardError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)
