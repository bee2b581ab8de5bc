"""Where a user's ledger and clips are: one place for all films, so that a clip is paid for once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from storyreel.specs.frozen import Frozen
from storyreel.tasks.bucket import Bucket
from storyreel.tasks.clips import ClipStore
from storyreel.tasks.ledger.ledger import Ledger

CLIPS = "STORYREEL_CLIPS_URL"
"""The environment variable that names the bucket in which hosts share their clips."""


class Home(Frozen):
    """The places of a user's stores."""

    root: Path
    ledger_url: str
    clips_url: str = ""
    """The folder, on any file system that fsspec reaches, that several hosts keep their clips in."""

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Home:
        """As STORYREEL_HOME, STORYREEL_LEDGER_URL and STORYREEL_CLIPS_URL say; `~/.storyreel`, SQLite in it, and no
        bucket by default."""
        root = Path(environment.get("STORYREEL_HOME") or Path.home() / ".storyreel").expanduser().absolute()
        url = environment.get("STORYREEL_LEDGER_URL") or f"sqlite:///{root / 'ledger.sqlite'}"
        return cls(root=root, ledger_url=url, clips_url=environment.get(CLIPS) or "")

    @property
    def has_ledger(self) -> bool:
        """Whether anything can have been bought yet; a look must not create a ledger."""
        return not self.ledger_url.startswith("sqlite:///") or Path(self.ledger_url[10:]).exists()

    def ledger(self) -> Ledger:
        """Open the ledger."""
        return Ledger(self.ledger_url)

    def clips(self) -> ClipStore:
        """The clips as they came from the services."""
        return ClipStore(self.root / "clips", Bucket(self.clips_url, CLIPS) if self.clips_url else None)

    @property
    def house(self) -> Path:
        """What is derived from clips and can be made again: conformed clips, dissolves, last frames."""
        return self.root / "house"

    @property
    def packs(self) -> Path:
        """Storyboards that were brought here from elsewhere, with their files; they can be brought again."""
        return self.root / "packs"
