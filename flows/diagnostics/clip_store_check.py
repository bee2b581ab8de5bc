"""Taking stock of the clips on this host: is what was paid for there, and is it whole?"""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

from storyreel.specs.frozen import Frozen
from storyreel.tasks.clips import ClipStore

_DAY = 24 * 3600
_SECONDS = 3.0
"""That reading clips may take; what is not read by then is only counted."""


class Stock(Frozen):
    """What was found in the store."""

    clips: int
    read: int
    """Clips whose content was held against their names; the others were only counted."""
    damaged: tuple[Path, ...]
    lost: int
    """Finished purchases whose clip is not there."""
    orphans: int
    """Clips that no purchase names."""
    abandoned: tuple[Path, ...]
    """Folders of downloads that a run left behind when it was killed, more than a day ago."""

    def __str__(self) -> str:
        looked_at = "all read" if self.read == self.clips else f"{self.read} read in {_SECONDS:g} s"
        parts = [f"{self.clips} {'clip' if self.clips == 1 else 'clips'}, {looked_at}"]
        parts += [f"{len(self.damaged)} damaged"] if self.damaged else []
        parts += [f"{self.lost} paid for or drawn, and gone"] if self.lost else []
        parts += [f"{self.orphans} that no purchase names"] if self.orphans else []
        parts += [f"{len(self.abandoned)} downloads left half done"] if self.abandoned else []
        return ", ".join(parts)

    @property
    def advice(self) -> str:
        """What to do; empty where nothing is to be done."""
        if self.damaged:
            more = f" and {len(self.damaged) - 1} more" if len(self.damaged) > 1 else ""
            return f"bring {self.damaged[0]}{more} back from a backup; else the next render fetches or makes it again"
        if self.lost:
            return "storyreel plan STORYBOARD shows which; the next render fetches or makes them again"
        return f"delete {self.abandoned[0].parent} while nothing is rendered" if self.abandoned else ""


def take_stock(store: ClipStore, bought: Collection[str] | None, seconds: float = _SECONDS) -> Stock:
    """Count the clips, and read as many as fit into the time. `bought` are the digests that purchases name;
    with None nothing is said about them."""
    files = sorted(store.root.glob("[0-9a-f][0-9a-f]/*.mp4"))
    deadline = time.monotonic() + seconds
    read, damaged = 0, []
    for file in files:
        if time.monotonic() > deadline:
            break
        if store.find_local(file.stem) is None and file.exists():
            damaged.append(file)
        read += 1
    there = {file.stem for file in files}
    named = there if bought is None else set(bought)
    return Stock(
        clips=len(files),
        read=read,
        damaged=tuple(damaged),
        lost=len(named - there),
        orphans=len(there - named),
        abandoned=tuple(_abandoned(store.root / "arriving")),
    )


def _abandoned(arrivals: Path) -> list[Path]:
    """A download that nothing was added to for a day has nobody who goes on with it."""
    if not arrivals.is_dir():
        return []
    yesterday = time.time() - _DAY
    return sorted(folder for folder in arrivals.iterdir() if folder.stat().st_mtime < yesterday)
