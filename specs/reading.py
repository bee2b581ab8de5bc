"""From a file to a storyboard: parse, fill in variables and defaults, validate, check.

All that is wrong with a file is found in one reading, each problem with its place.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from storyreel.specs.problems.phrases import reason
from storyreel.specs.problems.problem import Position, Problem, StoryboardError
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.validation.cascade import cascade
from storyreel.specs.validation.check import check, local_sources
from storyreel.specs.validation.recovery import validated
from storyreel.specs.yaml import variables
from storyreel.specs.yaml.tree import Node, Positions, parse

LARGEST = 8_000_000
"""Bytes of a file; a film of a thousand shots has about 300,000."""

_NOTHING_SET: Mapping[str, str] = MappingProxyType({})


def read(path: Path, set_vars: Mapping[str, str] = _NOTHING_SET) -> Storyboard:
    """The storyboard in a file, with `set_vars` in the place of the variables that it declares.

    Raises StoryboardError with every problem found; a file that cannot be read at all is a problem in its
    line 1, column 1.
    """
    file = str(path)
    root, problems = parse(_text(path), file)
    if root is None:
        raise StoryboardError(problems)
    root, unfilled = variables.fill(root, set_vars, file)
    storyboard, found = understood(cascade(root, file), path.absolute().parent, file)
    if storyboard is None or problems or unfilled or found:
        raise StoryboardError([*problems, *unfilled, *found])
    return storyboard


def local_files(path: Path, set_vars: Mapping[str, str] = _NOTHING_SET) -> list[str]:
    """The local files that a storyboard names, whether they are there or not, as they are written.

    Raises StoryboardError when it cannot be read; what else is wrong with it is `read`'s to say.
    """
    file = str(path)
    root, problems = parse(_text(path), file)
    if root is None:
        raise StoryboardError(problems)
    root, _ = variables.fill(root, set_vars, file)
    storyboard, found, _ = validated(cascade(root, file), file)
    if storyboard is None:
        raise StoryboardError([*problems, *found])
    return local_sources(storyboard)


def understood(root: Node, folder: Path, file: str) -> tuple[Storyboard | None, list[Problem]]:
    """What a tree says, and what is wrong with that."""
    storyboard, problems, touched = validated(root, file)
    if storyboard is None:
        return None, problems
    storyboard._folder = folder
    storyboard._positions = Positions(file, root)
    return storyboard, [*problems, *check(storyboard, touched)]


def _text(path: Path) -> str:
    """The text of a file. Looked at before it is opened: opening a pipe would wait for ever."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "is a folder" if stat.S_ISDIR(status.st_mode) else "is no regular file"
            raise _unreadable(path, f"this {what}", "give the storyboard's file")
        if status.st_size > LARGEST:
            size = f"{status.st_size / 1e6:.0f} MB"
            raise _unreadable(path, f"the file has {size}, at most {LARGEST // 10**6} MB are read", "split the film")
        with path.open("rb") as file:
            return file.read(LARGEST).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise _unreadable(path, "there is no such file", "`storyreel init` writes one to begin with") from error
    except UnicodeDecodeError as error:
        raise _undecodable(path, error) from error
    except (OSError, ValueError) as error:
        raise _unreadable(path, f"the file cannot be read: {reason(error)}") from error


def _undecodable(path: Path, error: UnicodeDecodeError) -> StoryboardError:
    before = bytes(error.object[: error.start])
    line, column = before.count(b"\n") + 1, len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    where = Position(str(path), line, column)
    return StoryboardError([Problem(where, "from here on the file is no UTF-8 text", "save it as UTF-8")])


def _unreadable(path: Path, what: str, fix: str = "") -> StoryboardError:
    return StoryboardError([Problem(Position(str(path), 1, 1), what, fix)])
