"""A problem of a file and its position, and the error that carries all problems of a file."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from storyreel.specs.errors import StoryreelError

MOST_PROBLEMS = 100
"""Most problems that one stage of reading looks for; a film with more repeats a few mistakes."""

KeyPath = tuple[str | int, ...]
"""The path of a value in a file: `("scenes", 0, "shots", 2, "duration")`."""


class Position(NamedTuple):
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Problem(NamedTuple):
    """One mistake in a file: position, message and hint (may be empty). Printed: `film.yaml:8:12: message (hint)`."""

    position: Position
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.position}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class StoryboardError(StoryreelError):
    """A file cannot be used. `problems` holds every mistake that was found, in the order of the file; at least one."""

    command: ClassVar[str] = "storyreel validate {file}"
    """The command to run once the file is corrected; becomes `next`."""

    def __init__(self, problems: Iterable[Problem], *, next: str | None = None) -> None:
        self.problems = tuple(sorted(set(problems)))
        command = self.command.format(file=shlex.quote(self.problems[0].position.file)) if next is None else next
        super().__init__("\n".join(map(str, self.problems)), next=command)

    def was_found_by(self, command: str) -> None:
        """Name this command as `next`, unless the kind of file has one of its own."""
        if type(self) is StoryboardError and command:
            self.name_next(command)

    @classmethod
    def in_file(cls, file: Path | str, message: str, hint: str = "") -> Self:
        """The error for one mistake that concerns a file as a whole."""
        return cls([Problem(Position(str(file), 1, 1), message, hint)])


class KeyErrors(ValueError):
    """Raised by a model's validator for keys that do not go together: `(key, text)` pairs, each a problem at its key.

    An error of a key that is missing is placed at the mapping.
    """

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        self.errors = errors
        super().__init__("\n".join(text for _, text in errors))


@contextmanager
def problems_at(label: str, copy: Path) -> Iterator[None]:
    """Let problems of a copy name the place that it is from: the copy is not what its author can mend."""
    try:
        yield
    except StoryboardError as error:
        raise StoryboardError(
            problem._replace(position=problem.position._replace(file=label))
            if problem.position.file == str(copy)
            else problem
            for problem in error.problems
        ) from error
