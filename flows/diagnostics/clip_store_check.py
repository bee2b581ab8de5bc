"""Checks the clips on this host: whether they are complete, and whether those of all purchases exist."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.phrases import counted
from storyreel.tasks.storage.clip_names import is_picture, is_sound
from storyreel.tasks.storage.clips import ClipStore

_DAY = 24 * 3600
_SECONDS = 3.0
"""Seconds that reading clips may take; the rest is only counted."""


class StoreReport(Frozen):
    """Findings about the clip store of this host."""

    clips: int
    pictures: int
    """Of stills and sheets."""
    lines: int
    """Sounds of spoken lines."""
    read: int
    """Files whose content was compared with the digest in their name; the others were only counted."""
    damaged: tuple[Path, ...]
    lost: int
    """Finished purchases whose clip does not exist."""
    orphans: int
    unnoted: int
    """Clips that the ledger may not have yet: the last run was kept from noting them."""
    abandoned: tuple[Path, ...]
    """Folders of downloads that nothing was written to for a day: their run was killed."""

    def __str__(self) -> str:
        is_all = self.read == self.clips + self.pictures + self.lines
        read = "all read" if is_all else f"{self.read} read in {_SECONDS:g} s"
        others = {"picture": self.pictures, "spoken line": self.lines}
        stored = [counted(self.clips, "clip"), *(counted(many, what) for what, many in others.items() if many)]
        parts = [f"{' and '.join(stored)}, {read}"]
        counts = {"damaged": len(self.damaged), "made, and missing": self.lost, "without a purchase": self.orphans,
                  "not noted in the ledger": self.unnoted,
                  "unfinished downloads": len(self.abandoned)}  # fmt: skip
        return ", ".join(parts + [f"{number} {what}" for what, number in counts.items() if number])

    @property
    def advice(self) -> str:
        """The next step; empty if there is nothing to do."""
        if self.damaged:
            more = f" and {len(self.damaged) - 1} more" if len(self.damaged) > 1 else ""
            return f"restore {self.damaged[0]}{more} from a backup; else the next render downloads or makes it again"
        if self.lost:
            return "storyreel plan STORYBOARD shows which; the next render downloads or makes them again"
        if self.unnoted:
            return "the next render of their films notes them in the ledger, and buys nothing for it"
        return f"delete {self.abandoned[0].parent} while no run is under way" if self.abandoned else ""


def check_store(store: ClipStore, purchased: Collection[str] | None, seconds: float = _SECONDS) -> StoreReport:
    """Count the clips, and read as many as fit into `seconds`.

    `purchased` are the digests of all purchases; without them clips are not compared with purchases.
    """
    files = store.files()
    deadline = time.monotonic() + seconds
    read, damaged = 0, []
    for file in files:
        if time.monotonic() > deadline:
            break
        if store.find_local(file.stem) is None and file.exists():
            damaged.append(file)
        read += 1
    stored, pictures, lines = {file.stem for file in files}, sum(map(is_picture, files)), sum(map(is_sound, files))
    expected = stored if purchased is None else set(purchased)
    unnoted = {receipt.digest for receipt in store.unnoted()}
    return StoreReport(
        clips=len(files) - pictures - lines,
        pictures=pictures,
        lines=lines,
        read=read,
        damaged=tuple(damaged),
        lost=len(expected - stored),
        orphans=len(stored - expected - unnoted),
        unnoted=len(unnoted),
        abandoned=tuple(_abandoned(store.root / "arriving")),
    )


def _abandoned(arrivals: Path) -> list[Path]:
    if not arrivals.is_dir():
        return []
    yesterday = time.time() - _DAY
    return sorted(folder for folder in arrivals.iterdir() if folder.stat().st_mtime < yesterday)
