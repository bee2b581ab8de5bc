"""The places of a user's ledger and clips, the same for all films, so that no clip is bought twice."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from storyreel.specs.frozen import Trusted
from storyreel.tasks.settings import CLIPS_URL, Settings
from storyreel.tasks.storage.bucket import Bucket
from storyreel.tasks.storage.clips import ClipStore
from storyreel.tasks.storage.files import keep_private, make_private_folder

if TYPE_CHECKING:
    from storyreel.tasks.ledger.ledger import Ledger
    from storyreel.tasks.ledger.reading.queries import Queries


class Home(Trusted):
    """The places of a user's stores."""

    root: Path
    ledger_url: str
    clips_url: str = ""
    """The bucket in which hosts share their clips, empty if there is none."""

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Home:
        """The stores of an environment; by default `~/.storyreel`, SQLite in it, no bucket. Raises SettingsError."""
        settings = Settings.read(environment)
        url = settings.ledger_url or f"sqlite:///{settings.home / 'ledger.sqlite'}"
        return cls(root=settings.home, ledger_url=url, clips_url=settings.clips_url)

    @property
    def has_ledger(self) -> bool:
        """Whether a ledger exists. Opening it would create it, which a command that only reads must not do."""
        return self.ledger_file is None or self.ledger_file.exists()

    @property
    def ledger_file(self) -> Path | None:
        """The file of the ledger; None if it is in a database server."""
        return Path(self.ledger_url[10:]) if self.ledger_url.startswith("sqlite:///") else None

    def ledger(self) -> Ledger:
        """Open the ledger; it is created if there is none."""
        from storyreel.tasks.ledger.ledger import Ledger

        self._keep_private()
        return Ledger(self.ledger_url)

    def ledger_to_read(self) -> Queries:
        """Open the ledger for a command that only looks. Ask `has_ledger` before: it is created if there is none."""
        file = self.ledger_file
        if file is None:
            return self.ledger()
        from storyreel.tasks.ledger.reading.sqlite import open_to_read

        self._keep_private()
        return open_to_read(file, self.ledger)

    def _keep_private(self) -> None:
        with suppress(OSError):  # the ledger says it in its own words, and in another place it does not matter
            make_private_folder(self.root)
            if self.root.name.startswith("."):
                # A folder of the user's own, which may hold other things, keeps the rights that it was given.
                keep_private(self.root)

    def clips(self) -> ClipStore:
        """The store of the clips as the services sent them."""
        return ClipStore(self.root / "clips", Bucket(self.clips_url, CLIPS_URL) if self.clips_url else None)

    @property
    def house(self) -> Path:
        """Folder of what is made from clips and can be made again: conformed clips, dissolves, last frames."""
        return self.root / "house"

    @property
    def accepted(self) -> Path:
        """Folder of orders that a service has accepted and that the ledger may not have yet."""
        return self.root / "accepted"

    @property
    def packs(self) -> Path:
        """Folder of downloaded storyboards with their files, which can be downloaded again."""
        return self.root / "packs"
