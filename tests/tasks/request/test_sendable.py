"""Pictures as they are sent: in the shape of the clip that is made of them."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from storyreel.tasks.providers.request import Crop
from storyreel.tasks.request.sendable import write_cut


def test_a_cut_has_the_size_of_its_clip_and_what_is_around_the_point(tmp_path: Path) -> None:
    # Cut to 9:16 it would be 202 pixels wide, which services refuse.
    picture = Image.new("RGB", (640, 360), "red")
    picture.paste("blue", (0, 0, 320, 360))
    picture.save(tmp_path / "picture.png")
    for x, colour in ((0, (0, 0, 255)), (1, (255, 0, 0))):
        write_cut(tmp_path / "picture.png", Crop(width=720, height=1280, x=x), tmp_path / "cut.png")
        with Image.open(tmp_path / "cut.png") as cut:
            assert cut.size == (720, 1280)
            assert cut.getcolors() == [(720 * 1280, colour)]
