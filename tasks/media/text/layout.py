"""Text in pictures, in the scripts of the world: wrapped, shrunk or elided to fit a box.

Each grapheme cluster is drawn in the first font that has it, see `typefaces`. A letter that no font has is an empty
box, and `missing_letters` tells it beforehand. Raqm, which Pillow has if the system has FriBiDi, shapes Arabic,
Devanagari and the like; without it letters are unjoined, from left to right.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import regex
from PIL import Image, ImageDraw, ImageFilter, ImageFont, features

from storyreel.specs.frozen import Frozen
from storyreel.tasks.media.text.bidi import has_right_to_left, levels, right_to_left, visual_order
from storyreel.tasks.media.text.font_file import Face, faces
from storyreel.tasks.media.text.line_breaks import clusters, pieces
from storyreel.tasks.media.text.plain import is_plain
from storyreel.tasks.media.text.scripts import is_common, is_emoji, language_of, without_ignorable
from storyreel.tasks.media.text.typefaces import STANDARD, Fonts, Weight

ELLIPSIS = "…"

_LEADING = 1.32
"""From one line to the next, in sizes of the font."""
_HIGHEST_LEADING = 1.75
"""Some fonts have a line for the tallest letters of every script."""

_EMBEDDINGS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2060\ufeff")
"""Changes of direction by hand, and joiners of words: the order of a line follows from its letters."""
_SELECTOR = regex.compile(r"(?<!\p{Emoji})[\uFE0E\uFE0F]|[\uFE00-\uFE0D]")
"""Selectors of variants, but of those of emoji."""

Colour = tuple[int, int, int, int]
"""Red, green, blue and opacity, 0 to 255."""

__all__ = [
    "Block", "Box", "Colour", "Fonts", "Weight", "fit", "has_raqm", "missing_letters", "one_line", "only_dejavu",
    "readable", "right_to_left", "rows", "shadowed", "wrap",
]  # fmt: skip


class Box(Frozen):
    """A rectangle, in pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The column after the last one."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The row after the last one."""
        return self.y + self.height


class Run(NamedTuple):
    """Part of a line, in one font and one direction."""

    text: str
    face: Face
    level: int
    """Odd if it runs from right to left."""


@dataclass(frozen=True, slots=True)
class Style:
    """The style of a text: its fonts, size and direction."""

    fonts: Fonts
    weight: Weight
    size: int
    language: str = ""
    rtl: bool = False
    ascent: int = 0
    """Pixels of the tallest letters above the base line."""
    descent: int = 0
    """Pixels below it."""
    leading: int = 0
    """Pixels from one line to the next."""

    @classmethod
    def of(cls, text: str, fonts: Fonts, weight: Weight, size: int) -> Style:
        """The style of a text, with the metrics of all fonts that it needs."""
        style = cls(fonts, weight, size, language_of(text), right_to_left(text))
        used = {run.face for run in _runs(text, fonts, weight, style.language, style.rtl)} - {style.main}
        metrics = [style.main.font(size, weight.number).getmetrics(), *(style.metrics(face) for face in used)]
        ascent, descent = max(up for up, _ in metrics), max(down for _, down in metrics)
        leading = round(size * _LEADING)
        if used:
            leading = max(leading, min(ascent + descent, round(size * _HIGHEST_LEADING)))
        return cls(fonts, weight, size, style.language, style.rtl, ascent, descent, leading)

    @property
    def main(self) -> Face:
        """The face whose metrics every line has: the first chosen that is not of emoji, else DejaVu Sans."""
        chosen = (faces(file)[0] for file in self.fonts.chosen)
        return next((face for face in chosen if not face.is_for_emoji), faces(self.weight.path)[0])

    def metrics(self, face: Face) -> tuple[int, int]:
        """Ascent and descent of another face, without room for letters that hardly any text has."""
        up, down = face.font(self.size, self.weight.number).getmetrics()
        scale = self.scale(face)
        return min(round(up * scale), round(1.2 * self.size)), min(round(down * scale), round(0.5 * self.size))

    def scale(self, face: Face) -> float:
        """The scale of bitmaps that exist in one size."""
        return self.size / face.strike if face.strike else 1.0

    def runs(self, line: str) -> tuple[Run, ...]:
        """The runs of a line, from left to right."""
        return _runs(line, self.fonts, self.weight, self.language, self.rtl)

    def length(self, line: str) -> float:
        """Pixels of a line."""
        return sum(self._length(run) for run in self.runs(line))

    def draw(self, layer: Image.Image, line: str, x: int, y: int, colour: Colour, align: str) -> None:
        """Draw a line; `x` is its left, middle or right, `y` the row of its tallest letters' tops."""
        runs, base = self.runs(line), y + self.ascent
        pen = ImageDraw.Draw(layer)
        if len(runs) == 1 and not runs[0].face.is_colour:
            anchor = {"left": "ls", "centre": "ms", "right": "rs"}[align]
            pen.text((x, base), runs[0].text, font=self._font(runs[0]), fill=colour, anchor=anchor, **_shaping(runs[0]))
            return
        at = x - self.length(line) * {"left": 0.0, "centre": 0.5, "right": 1.0}[align]
        for run in runs:
            if run.face.strike:
                self._paste(layer, run, round(at), base)
            else:
                pen.text(
                    (at, base), run.text, font=self._font(run), fill=colour, anchor="ls",
                    embedded_color=run.face.is_colour, **_shaping(run),
                )  # fmt: skip
            at += self._length(run)

    def _font(self, run: Run) -> ImageFont.FreeTypeFont:
        return run.face.font(self.size, self.weight.number)

    def _length(self, run: Run) -> float:
        return self._font(run).getlength(run.text, **_shaping(run)) * self.scale(run.face)

    def _paste(self, layer: Image.Image, run: Run, x: int, base: int) -> None:
        """Bitmaps of one size, drawn in it and scaled."""
        font, scale = self._font(run), self.scale(run.face)
        up, down = font.getmetrics()
        drawn = Image.new("RGBA", (int(font.getlength(run.text)) + 1, up + down), (0, 0, 0, 0))
        ImageDraw.Draw(drawn).text((0, up), run.text, font=font, anchor="ls", embedded_color=True)
        small = drawn.resize((max(1, round(drawn.width * scale)), max(1, round(drawn.height * scale))))
        layer.alpha_composite(small, (max(0, x), max(0, base - round(up * scale))))


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of text in one style, ready to be drawn."""

    lines: tuple[str, ...]
    style: Style

    @property
    def leading(self) -> int:
        """Pixels from one line to the next."""
        return self.style.leading

    @property
    def width(self) -> int:
        """Pixels of the longest line, rounded up."""
        return max((_length(line, self.style) for line in self.lines), default=0)

    @property
    def height(self) -> int:
        """Pixels from the top of the first line's tallest letter to the foot of the last line."""
        if not self.lines:
            return 0
        return (len(self.lines) - 1) * self.leading + self.style.ascent + self.style.descent

    def draw(
        self, layer: Image.Image, x: int, y: int, colour: Colour, align: Literal["left", "centre", "right"] = "left"
    ) -> None:
        """Draw on an RGBA layer; `x` is the left, middle or right of the lines, `y` the top of the first."""
        for number, line in enumerate(self.lines):
            self.style.draw(layer, line, x, y + number * self.leading, colour, align)


def fit(
    text: str, width: int, height: int, sizes: Sequence[int], weight: Weight = Weight.REGULAR, fonts: Fonts = STANDARD
) -> Block:
    """Set a text in the first of `sizes` (descending) in which it fits; if in none, elided in the last."""
    words = readable(text)
    for size in sizes:
        style = Style.of(words, fonts, weight, size)
        most = max(1, (height - style.ascent - style.descent) // style.leading + 1)
        if _length(words, style) > 2 * width * most:
            continue  # Far too long: wrapping it would take time for nothing.
        lines = wrap(words, style, width)
        if len(lines) <= most:
            return Block(tuple(lines), style)
    return Block(tuple(_shortened(words, style, width, most)), style)


def one_line(text: str, width: int, size: int, weight: Weight = Weight.REGULAR, fonts: Fonts = STANDARD) -> Block:
    """Set a text in one line, elided if it is longer than `width` pixels."""
    return fit(text, width, 1, (size,), weight, fonts)


def rows(text: str, width: int, size: int, fonts: Fonts = STANDARD) -> Block:
    """Set a whole text at one size, in any number of lines."""
    words = readable(text)
    style = Style.of(words, fonts, Weight.REGULAR, size)
    return Block(tuple(wrap(words, style, width)), style)


def wrap(text: str, style: Style, width: int) -> list[str]:
    """Break a text into lines of at most `width` pixels. A longer word is broken too, between grapheme clusters."""
    lines: list[str] = []
    line = ""
    for piece in _short_pieces(text, style, width):
        longer = line + piece
        if not line or _length(longer.rstrip(), style) <= width:
            line = longer
        else:
            lines.append(line.rstrip())
            line = piece
    return [*lines, line.rstrip()] if line else lines


def readable(text: str) -> str:
    """The drawable part of a text: white space as one space, no control characters, composed letters."""
    # Raqm needs joiners and direction marks for Arabic and Persian; without it they would be drawn as boxes.
    dropped = {"Cc", "Cs"} if has_raqm() else {"Cc", "Cs", "Cf"}
    composed = unicodedata.normalize("NFC", text)
    if composed.isascii():
        return " ".join("".join(c for c in composed if c >= " " or c.isspace()).split())
    letters = (c for c in _SELECTOR.sub("", composed) if c not in _EMBEDDINGS)
    return " ".join("".join(c for c in letters if c.isspace() or unicodedata.category(c) not in dropped).split())


def missing_letters(text: str, fonts: Fonts = STANDARD) -> list[str]:
    """The grapheme clusters of a text that no font has, each once; they are drawn as empty boxes."""
    if is_plain(text):
        return []
    return [cluster for cluster, face in _faces(text, fonts) if face is None]


def only_dejavu(text: str) -> bool:
    """Whether a text is drawn in DejaVu Sans alone, where the user has no font of their own."""
    return is_plain(text) or all(face is faces(Weight.REGULAR.path)[0] for _, face in _faces(text, STANDARD))


def _faces(text: str, fonts: Fonts) -> Iterator[tuple[str, Face | None]]:
    words = readable(text)
    language = language_of(words)
    return ((cluster, fonts.face(cluster, language=language)) for cluster in dict.fromkeys(clusters(words)))


@lru_cache(maxsize=1)
def has_raqm() -> bool:
    """Whether Pillow can shape text on this machine."""
    return bool(features.check("raqm"))


def shadowed(layer: Image.Image, blur: float, strength: float = 1.6) -> Image.Image:
    """The layer over a soft black shadow of itself. `blur` is in pixels; `strength` deepens the shadow."""
    shade = layer.getchannel("A").filter(ImageFilter.GaussianBlur(blur)).point(lambda a: min(230, int(a * strength)))
    shadow = Image.new("RGBA", layer.size, (0, 0, 0, 0))
    shadow.putalpha(shade)
    return Image.alpha_composite(shadow, layer)


@lru_cache(maxsize=8192)
def _runs(line: str, fonts: Fonts, weight: Weight, language: str, rtl: bool) -> tuple[Run, ...]:
    """The runs of a line, from left to right."""
    bundled = faces(weight.path)[0]
    base = 1 if rtl else 0
    if not fonts.chosen and is_plain(line):
        return (Run(line, bundled, base),) if line else ()
    spans = list(_spans(line, fonts, weight, language))
    if len(spans) == 1:
        return (Run(_spelled(*spans[0]), spans[0][1], base),)
    if not rtl and not has_right_to_left(line):
        return tuple(Run(_spelled(text, face), face, 0) for text, face in spans)
    found: list[Run] = []
    depths, at = levels(line, rtl), 0
    for text, face in spans:
        for level, part in _by_level(text, depths[at : at + len(text)]):
            found.append(Run(_spelled(part, face), face, level))
        at += len(text)
    return tuple(visual_order(found, [run.level for run in found]))


def _spans(line: str, fonts: Fonts, weight: Weight, language: str) -> Iterator[tuple[str, Face]]:
    """The parts of a line with their faces, in the order of reading."""
    bundled = faces(weight.path)[0]
    text, face = "", None
    for cluster in clusters(line):
        found = _beside(face, cluster) or fonts.face(cluster, weight, language) or bundled
        if found is not face and face is not None:
            yield text, face
            text = ""
        text, face = text + cluster, found
    if face is not None:
        yield text, face


def _beside(face: Face | None, cluster: str) -> Face | None:
    """The face of the cluster before, for a space, a digit or a mark that it has too."""
    if face is None or face.is_for_emoji or is_emoji(cluster) or not is_common(cluster):
        return None
    return face if all(letter in face.characters for letter in without_ignorable(cluster)) else None


def _spelled(text: str, face: Face) -> str:
    """A text as a font is given it: only fonts of emoji know their selectors."""
    return (
        text if face.is_colour or "emoji" in face.family.lower() else text.replace("\ufe0f", "").replace("\ufe0e", "")
    )


def _by_level(text: str, depths: Sequence[int]) -> Iterator[tuple[int, str]]:
    begin = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or depths[at] != depths[begin]:
            yield depths[begin], text[begin:at]
            begin = at


def _shaping(run: Run) -> dict[str, Any]:
    """Pillow's options for a run; none for plain text, which needs no Raqm."""
    if not has_raqm() or (not run.level and is_plain(run.text)):
        return {}
    return {"direction": "rtl" if run.level % 2 else "ltr"}


def _shortened(text: str, style: Style, width: int, most: int) -> list[str]:
    """The first `most` lines of a longer text; the last ends with an ellipsis."""
    # Hardly any letter is narrower than an i: text beyond this cannot fit.
    lines = wrap(text[: most * (2 + width // _length("i", style))], style, width)
    last = clusters(lines[:most][-1])
    while last and _length("".join(last) + ELLIPSIS, style) > width:
        last.pop()
    return [*lines[:most][:-1], "".join(last).rstrip(" ,;:–—-、，。") + ELLIPSIS]


def _short_pieces(text: str, style: Style, width: int) -> Iterator[str]:
    """The pieces of a text; one longer than a line in parts."""
    for piece in pieces(text):
        if _length(piece.rstrip(), style) <= width:
            yield piece
            continue
        part = ""
        for cluster in clusters(piece):
            if part and _length((part + cluster).rstrip(), style) > width:
                yield part
                part = ""
            part += cluster
        yield part


def _length(text: str, style: Style) -> int:
    return int(style.length(text)) + 1 if text else 0
