"""Where a user's ledger and clips are: one place for all films, so that a clip is paid for once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from storyreel.specs.frozen import Frozen
from storyreel.tasks.bucket import Bucket
from storyreel.tasks.clips import ClipStore
from storyreel.tasks.ledger.ledger import Ledger
from storyreel.tasks.settings import CLIPS_URL, Settings


class Home(Frozen):
    """The places of a user's stores."""

    root: Path
    ledger_url: str
    clips_url: str = ""
    """The folder, on any file system that fsspec reaches, that several hosts keep their clips in."""

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Home:
        """The stores that the environment names; by default `~/.storyreel`, SQLite in it, and no bucket.

        Raises SettingsError.
        """
        settings = Settings.read(environment)
        url = settings.ledger_url or f"sqlite:///{settings.home / 'ledger.sqlite'}"
        return cls(root=settings.home, ledger_url=url, clips_url=settings.clips_url)

    @property
    def has_ledger(self) -> bool:
        """Whether anything can have been bought yet; a look must not create a ledger."""
        return not self.ledger_url.startswith("sqlite:///") or Path(self.ledger_url[10:]).exists()

    def ledger(self) -> Ledger:
        """Open the ledger."""
        return Ledger(self.ledger_url)

    def clips(self) -> ClipStore:
        """The clips as they came from the services."""
        return ClipStore(self.root / "clips", Bucket(self.clips_url, CLIPS_URL) if self.clips_url else None)

    @property
    def house(self) -> Path:
        """What is derived from clips and can be made again: conformed clips, dissolves, last frames."""
        return self.root / "house"

    @property
    def packs(self) -> Path:
        """Storyboards that were brought here from elsewhere, with their files; they can be brought again."""
        return self.root / "packs"
