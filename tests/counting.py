"""Counts what a run does to files: ffmpeg processes and what they read, frames decoded in Python, contents hashed."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from storyreel.tasks.media import ffmpeg, probe


@dataclass
class Counts:
    """The counts of one piece of work."""

    commands: list[list[str]] = field(default_factory=list)
    """Of ffmpeg."""
    frames: Counter[Path] = field(default_factory=Counter)
    """Decoded in Python, by the file."""
    hashed: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    """The names under which a content was hashed, by the inode of the file and the time of its content."""

    def reading(self, folder: Path) -> list[list[str]]:
        """The commands that read a file in a folder."""
        return [one for one in self.commands if any(Path(word).is_relative_to(folder) for word in inputs(one))]

    def frames_of(self, folder: Path) -> int:
        return sum(count for file, count in self.frames.items() if file.is_relative_to(folder))


def inputs(command: list[str]) -> list[str]:
    """The files that a command of ffmpeg reads."""
    return [word for before, word in pairwise(command) if before == "-i"]


@contextmanager
def counting() -> Iterator[Counts]:
    """Count inside the block, in this process."""
    counts = Counts()
    execute, frames, digest = ffmpeg._execute, probe._frames, hashlib.file_digest

    async def executed(command: list[str], *arguments: Any) -> str:
        counts.commands.append(command)
        return await execute(command, *arguments)

    def decoded(packet: Any) -> Iterator[Any]:
        for frame in frames(packet):
            counts.frames[Path(packet.stream.container.name)] += 1
            yield frame

    def hashed(file: Any, name: str) -> Any:
        found = os.fstat(file.fileno())
        counts.hashed.setdefault((found.st_ino, found.st_mtime_ns), []).append(str(file.name))
        return digest(file, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ffmpeg, "_execute", executed)
        patch.setattr(probe, "_frames", decoded)
        patch.setattr(hashlib, "file_digest", hashed)
        yield counts
