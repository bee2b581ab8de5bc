"""The label that is drawn into the picture of shots, such as `AI generated`."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storyreel.specs.frozen import Frozen
from storyreel.specs.language.finishing.imprint import Corner, LabelledShots

if TYPE_CHECKING:
    from ffmpeg.nodes import FilterableStream
    from PIL import Image

    from storyreel.tasks.media.house_format import HouseFormat

_VERSION = 1
"""Part of the keys of labelled pictures; increased when the label looks different."""

SIZE = 0.05
"""Height of its letters in shorter sides of the picture, the least that China asks for (GB 45438-2025, in force since
2025-09-01; agiyes.com/ainews/ai-content-labeling-regulation, read 2026-11-30)."""
_MARGIN, _PADDING = 0.03, 0.012
"""From the edges of the picture to the box, and from the box to the words, in shorter sides."""
_WIDEST = 0.6
"""Greatest width of the box, as a part of the picture's."""
_BOX, _WORDS = (0, 0, 0, 140), (255, 255, 255, 235)


class LabelMark(Frozen):
    """A label as it was planned."""

    text: str
    corner: Corner
    on: LabelledShots = "generated"
    """The shots that have it; known of each take once it is made."""
    font: Path | None = None
    """The user's own font."""
    font_digest: str = ""
    """SHA-256, in hex, of its file."""

    @property
    def facts(self) -> tuple[object, ...]:
        """The facts that a labelled picture depends on, for cache keys."""
        return "label", _VERSION, self.text, self.corner, self.font_digest

    def as_json(self) -> dict[str, Any]:
        """The form in the record of a film."""
        return {"visible": self.text, "corner": self.corner}

    def over(self, picture: FilterableStream, house: HouseFormat, folder: Path) -> FilterableStream:
        """The picture with the label in every frame; fades do not dim it. A file is written into the folder."""
        import ffmpeg  # Imported late: a plan does not need it.

        from storyreel.tasks.media.colour import SMOOTH
        from storyreel.tasks.media.frames import write_png

        image, (x, y) = self.drawn((house.width, house.height))
        write_png(image, file := folder / "label.png")
        label = ffmpeg.input(str(file), framerate=str(house.rate.exact))
        label = label.filter("scale", out_color_matrix="bt709", out_range="tv", flags=SMOOTH)
        label = label.filter("format", house.pixels_with_alpha)
        return ffmpeg.filter([picture, label], "overlay", x, y, eof_action="repeat", format=house.pixels_overlaid)

    def drawn(self, size: tuple[int, int]) -> tuple[Image.Image, tuple[int, int]]:
        """The label for a picture of this size, of even width and height, and the even place of its left upper corner.

        Call it in a thread. Raises MediaError for a broken font.
        """
        from PIL import Image, ImageDraw

        from storyreel.tasks.media.text.typefaces import Fonts, Weight
        from storyreel.tasks.titles.typeset import set_text

        width, height = size
        shorter = min(size)
        margin, padding = round(shorter * _MARGIN), round(shorter * _PADDING)
        block = set_text(
            self.text, round(width * _WIDEST), round(height * 0.3), ceil(shorter * SIZE), shorter,
            Fonts(own=self.font), Weight.BOLD,
        )  # fmt: skip
        box = tuple((side + 2 * padding + 1) // 2 * 2 for side in (block.width, block.height))
        image = Image.new("RGBA", (box[0], box[1]), (0, 0, 0, 0))
        ImageDraw.Draw(image).rounded_rectangle((0, 0, box[0] - 1, box[1] - 1), padding, fill=_BOX)
        block.draw(image, padding, padding, _WORDS, "left")
        x = margin if "left" in self.corner else width - margin - box[0]
        y = margin if "top" in self.corner else height - margin - box[1]
        return image, (x // 2 * 2, y // 2 * 2)
