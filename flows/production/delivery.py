"""Where a film goes: into a folder of this host, or to an address; there, too, a file is complete or absent."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storyreel.specs.storyboard import is_remote
from storyreel.tasks.bucket import Bucket
from storyreel.tasks.home import Home

_FIRST, _LAST = "sequence.mp4", "manifest.json"
_NOT_ALWAYS = ("sequence.srt",)
"""What a run leaves only sometimes; one that an earlier run has left is taken away."""


class Delivery:
    """A folder that a film is made in, and where it goes from there."""

    def __init__(self, folder: Path, vault: Bucket | None = None) -> None:
        self.folder = folder
        self._vault = vault

    def place(self, name: str) -> Path | str:
        """Where a file of the film is, once it is delivered."""
        return self._vault.address(name) if self._vault else self.folder.absolute() / name

    def make_sure(self) -> None:
        """Return when the film can be delivered; asked before anything is bought. Raises BucketError."""
        if self._vault:
            self._vault.write(".storyreel", b"a film is to come\n")
            self._vault.remove(".storyreel")

    def deliver(self) -> None:
        """Bring all that was made to where it goes: the sequence first, and last the manifest, which tells of the
        rest. Raises BucketError."""
        if not self._vault:
            return
        made = {file.name: file for file in self.folder.iterdir() if not file.name.startswith(".")}
        for name in sorted(made, key=lambda name: (name != _FIRST, name == _LAST, name)):
            self._vault.put(made[name], name)
        for name in _NOT_ALWAYS:
            if name not in made:
                self._vault.remove(name)


@contextmanager
def delivery(out: str | Path, home: Home) -> Iterator[Delivery]:
    """The way of a film to `out`, a folder or an address. What is made for an address is on this host meanwhile."""
    if not is_remote(str(out)):
        yield Delivery(Path(out))
        return
    workshop = home.root / "delivering"
    workshop.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=workshop) as folder:
        yield Delivery(Path(folder), Bucket(str(out)))
