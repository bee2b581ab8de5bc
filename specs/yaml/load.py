"""Reads a YAML file from disk into a tree."""

from __future__ import annotations

import stat
from pathlib import Path

from storyreel.specs.problems.phrases import reason
from storyreel.specs.problems.problem import Position, Problem
from storyreel.specs.yaml.tree import Node, parse


def load(path: Path, largest: int, hint: str, beginning: str) -> tuple[Node | None, list[Problem]]:
    """The tree of a file of at most `largest` bytes, and what is wrong with it; see `parse`.

    `hint` says what to do about a file that cannot be read at all, which is a problem in its line 1, column 1.
    """
    start = Position(str(path), 1, 1)
    try:
        # Checked before the file is opened: opening a pipe would block.
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "is a folder" if stat.S_ISDIR(status.st_mode) else "is not a regular file"
            return None, [Problem(start, f"this {what}", hint)]
        if status.st_size > largest:
            message = f"the file has {status.st_size:,} bytes, at most {largest:,} are read"
            return None, [Problem(start, message, hint)]
        with path.open("rb") as file:
            text = file.read(largest).decode("utf-8-sig")
    except FileNotFoundError:
        return None, [Problem(start, "there is no such file", hint)]
    except UnicodeDecodeError as error:
        return None, [_undecodable(path, error)]
    except (OSError, ValueError) as error:
        return None, [Problem(start, f"the file cannot be read: {reason(error)}", hint)]
    return parse(text, str(path), beginning)


def _undecodable(path: Path, error: UnicodeDecodeError) -> Problem:
    before = bytes(error.object[: error.start])
    line, column = before.count(b"\n") + 1, len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    return Problem(Position(str(path), line, column), "from here on the file is not UTF-8 text", "save it as UTF-8")
