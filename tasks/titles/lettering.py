"""The styles of lettering: their fonts, sizes, colours and places."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from storyreel.specs.language.titles import Lettering, LetteringStyle, Place, WordsKind
from storyreel.tasks.media.text.layout import Box, Colour, Weight
from storyreel.tasks.media.text.typefaces import FONTS, Fonts

SAFE = 0.05
"""Part of width and height at each edge that is kept free of words (title-safe area, 90 %; SMPTE ST 2046-1)."""


class Typeface(NamedTuple):
    """A font file of Storyreel's own, and the weight of the fonts that draw the letters which it lacks."""

    file: str
    weight: Weight


_SANS = Typeface("SourceSansPro-Regular.otf", Weight.REGULAR)
_SANS_SEMIBOLD = Typeface("SourceSansPro-Semibold.otf", Weight.BOLD)
_SANS_BOLD = Typeface("SourceSansPro-Bold.otf", Weight.BOLD)
_SERIF = Typeface("SourceSerifPro-Regular.otf", Weight.REGULAR)
_SERIF_SEMIBOLD = Typeface("SourceSerifPro-Semibold.otf", Weight.BOLD)

Role = Literal["title", "lower_third", "caption", "line", "card", "subtitle"]


class Look(NamedTuple):
    """The look of a style. Sizes are fractions of the picture's shorter side."""

    strong: Typeface
    """Of titles and names."""
    plain: Typeface
    """Of all other words."""
    colour: Colour
    accent: Colour
    background: Colour
    """Behind cards and credits."""
    sizes: Mapping[Role, float]
    places: Mapping[WordsKind, Place]
    bar: bool = False
    """Whether a thin line in the accent's colour stands beside words at a side."""
    panel: float = 0
    """Opacity of the dark panel behind lower thirds, captions and subtitles; 0 for none."""


_WHITE, _INK = (255, 255, 255, 255), (16, 17, 20, 255)

LOOKS: Mapping[LetteringStyle, Look] = {
    "clean": Look(
        strong=_SANS_SEMIBOLD,
        plain=_SANS,
        colour=_WHITE,
        accent=(188, 194, 204, 255),
        background=_INK,
        sizes={
            "title": 0.115, "lower_third": 0.052, "caption": 0.042, "line": 0.042, "card": 0.07, "subtitle": 0.048,
        },
        places={"title": "middle", "lower_third": "bottom left", "caption": "bottom left"},
    ),
    "film": Look(
        strong=_SERIF,
        plain=_SERIF,
        colour=(244, 239, 230, 255),
        accent=(201, 182, 140, 255),
        background=(10, 10, 11, 255),
        sizes={
            "title": 0.125, "lower_third": 0.05, "caption": 0.044, "line": 0.044, "card": 0.062, "subtitle": 0.05,
        },
        places={"title": "middle", "lower_third": "bottom left", "caption": "bottom"},
    ),
    "documentary": Look(
        strong=_SANS_SEMIBOLD,
        plain=_SANS,
        colour=(250, 250, 247, 255),
        accent=(226, 164, 58, 255),
        background=(22, 26, 31, 255),
        sizes={
            "title": 0.095, "lower_third": 0.05, "caption": 0.038, "line": 0.038, "card": 0.06, "subtitle": 0.046,
        },
        places={"title": "left", "lower_third": "bottom left", "caption": "top left"},
        bar=True,
        panel=0.5,
    ),
    "vertical": Look(
        strong=_SANS_BOLD,
        plain=_SANS_SEMIBOLD,
        colour=_WHITE,
        accent=(255, 214, 74, 255),
        background=_INK,
        sizes={
            "title": 0.13, "lower_third": 0.068, "caption": 0.06, "line": 0.052, "card": 0.09, "subtitle": 0.062,
        },
        places={"title": "top", "lower_third": "bottom", "caption": "bottom"},
        panel=0.62,
    ),
}  # fmt: skip

_PHONE_TOP, _PHONE_FOOT, _PHONE_SIDES = 0.11, 0.21, 0.11
"""Parts of an upright picture that phones cover with buttons and captions of their own; both sides alike, so that words
stay in the middle."""


class Styled(NamedTuple):
    """A style with the film's and the words' own wishes."""

    style: LetteringStyle
    look: Look
    colour: Colour
    accent: Colour
    own_font: Path | None
    """The file that the film's `lettering` names."""
    fonts: Fonts

    def set_in(self, face: Typeface) -> tuple[Fonts, Weight]:
        """The fonts and the weight of words in a typeface of the style."""
        return self.fonts.model_copy(update={"display": self.own_font or FONTS / face.file}), face.weight


def styled(
    lettering: Lettering, fonts: Fonts, style: LetteringStyle | None = None, colour: str | None = None
) -> Styled:
    """The film's lettering with another style and colour where words have one. The file that `lettering` names must be
    `fonts.display`."""
    chosen = style or lettering.style
    look = LOOKS[chosen]
    return Styled(
        chosen,
        look,
        rgb(colour or lettering.colour) or look.colour,
        rgb(lettering.accent) or look.accent,
        fonts.display,
        fonts,
    )


def rgb(written: str | None) -> Colour | None:
    """The colour of `#f4efe6`, or of `#fed`, with or without the sign; None for None."""
    if written is None:
        return None
    digits = written.removeprefix("#")
    red, green, blue = (digits[0:2], digits[2:4], digits[4:6]) if len(digits) == 6 else (one * 2 for one in digits)
    return int(red, 16), int(green, 16), int(blue, 16), 255


def safe_area(size: tuple[int, int], style: LetteringStyle) -> Box:
    """The part of a picture that words of a style may fill, in pixels."""
    width, height = size
    left, top, foot = round(width * SAFE), round(height * SAFE), round(height * SAFE)
    if style == "vertical" and height > width:
        left, top, foot = round(width * _PHONE_SIDES), round(height * _PHONE_TOP), round(height * _PHONE_FOOT)
    return Box(x=left, y=top, width=width - 2 * left, height=height - top - foot)
