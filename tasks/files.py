"""Files and folders that a reader finds whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def put_in_place(fresh: Path, into: Path, is_whole: Callable[[], bool]) -> bool:
    """Rename a finished folder to its place; what is there and not `is_whole` goes beside `fresh`.

    False when somebody else was faster, with the same. Raises OSError.
    """
    while True:
        try:
            fresh.rename(into)
            return True
        except OSError:
            if not into.is_dir():
                raise
        if is_whole():
            return False
        into.rename(fresh.with_name(f"damaged-{os.urandom(4).hex()}"))


def write_whole(path: Path, text: str) -> None:
    """Write a file, and its folders, so that it is there whole or as it was before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
