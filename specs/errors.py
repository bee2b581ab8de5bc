"""The base of all errors of Storyreel."""

from __future__ import annotations

from typing import Any

from storyreel.specs.foreign_text import printable
from storyreel.specs.secrets import hidden


class StoryreelError(Exception):
    """An error with what is wrong (`message`), what to change (`hint`) and the command to run next (`next`).

    `hint` and `next` are empty where there is nothing to say. Printed: `message; hint`, then `next: …` on a line of
    its own. All three can be printed and stored, and hold no secret. Attributes that a subclass adds survive pickling,
    whatever arguments its constructor takes.
    """

    def __init__(self, message: str, *, hint: str = "", next: str = "") -> None:
        self.message, self.hint = (printable(hidden(text)) for text in (message, hint))
        self.name_next(next)
        super().__init__(self.message)

    def name_next(self, command: str) -> None:
        """Name the command to run next, in place of another one."""
        self.next = printable(hidden(command))

    def __str__(self) -> str:
        text = "; ".join(filter(None, (self.message, self.hint)))
        return f"{text}\nnext: {self.next}" if self.next else text

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[StoryreelError], args: tuple[Any, ...], attributes: dict[str, Any]) -> StoryreelError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error
