"""The example film with fewer frames a second: what is drawn and encoded is most of the time that it takes."""

from __future__ import annotations

import shutil
from pathlib import Path

_EXAMPLES = Path(__file__).parents[2] / "specs" / "examples"


def copy_keeper(root: Path) -> Path:
    """Copy the examples to `specs/examples` below a folder; returns the storyboard, at 12 frames a second."""
    folder = root / "specs" / "examples"
    shutil.copytree(_EXAMPLES, folder)
    film = folder / "the-keeper.yaml"
    text = film.read_text()
    assert "fps: 30" in text
    film.write_text(text.replace("fps: 30", "fps: 12"))
    return film
