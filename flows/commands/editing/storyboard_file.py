"""Reads and replaces a storyboard's file for the commands that edit it."""

from __future__ import annotations

from pathlib import Path

from storyreel.specs.problems.phrases import reason
from storyreel.specs.problems.problem import StoryboardError
from storyreel.tasks.storage.files import replace_content


def read_bytes(path: Path) -> bytes:
    """The content of a storyboard. Raises StoryboardError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoryboardError.in_file(path, f"the file cannot be read: {reason(error)}") from error


def overwrite(path: Path, before: bytes, after: bytes) -> None:
    """Replace a file's content. Raises StoryboardError if it cannot be written, or no longer holds `before`."""
    try:
        is_replaced = replace_content(path, before, after)
    except OSError as error:
        raise StoryboardError.in_file(path, f"the file cannot be written: {reason(error)}") from error
    if not is_replaced:
        what = "another program has just changed the file; it is left as it is"
        raise StoryboardError.in_file(path, what, "run it again")
