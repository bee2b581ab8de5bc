"""A film whose pictures lie elsewhere, drawn here: what has to travel with a storyboard."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

ANIMATIC = """\
storyboard: 1
title: Away
format: {fps: 24, resolution: 480p}
shots:
  - {shot: 1A, action: She climbs., first_frame: ../shared/stair.png, duration: 20f}
  - {shot: 1B, action: She waits., first_frame: WHOLE/room.png, duration: 20f}
"""


def scattered(folder: Path) -> Path:
    """The film, in `project/film/`; one picture lies beside that folder, one is named by its whole path."""
    home = folder / "project" / "film"
    home.mkdir(parents=True)
    for place in (home.parent / "shared" / "stair.png", folder / "elsewhere" / "room.png"):
        place.parent.mkdir()
        Image.effect_noise((640, 360), 60).save(place)
    file = home / "film.yaml"
    file.write_text(ANIMATIC.replace("WHOLE", str(folder / "elsewhere")))
    return file
