"""Breaks what is said into the texts of subtitles, and these into lines.

The measures are the usual ones: 42 letters a line and 17 a second, 16 and 9 of scripts with wide letters (Netflix,
Timed Text Style Guides, general requirements, English and Simplified Chinese, read 2026-11-29).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from storyreel.tasks.media.text.line_breaks import clusters, pieces
from storyreel.tasks.media.text.scripts import language_of

if TYPE_CHECKING:
    from budoux import Parser

_SENTENCE = re.compile(r"[.!?…。！？｡؟।॥]+[\"'”’»」』)\]]*\s*$")
_CLAUSE = re.compile(r"[,;:–—，、；：،؛]+[\"'”’»」』)\]]*\s*$")
_TRADITIONAL = ("-Hant", "-TW", "-HK", "-MO")
"""Endings of the tags of Chinese in traditional characters."""
_SHORT = 3
"""Letters of a word that belongs to the one after it: `the`, `of`, `la`."""
_AFTER_SENTENCE, _AFTER_CLAUSE, _AFTER_WORD, _AFTER_SHORT, _IN_WORD = 0, 6, 20, 28, 40
"""Cost of a subtitle's end after a part."""
_ONE_MORE = 24
"""Cost of one more subtitle."""
_MIXED = 30
"""Cost of the end of a sentence and the beginning of the next one in one subtitle."""


@dataclass(frozen=True, slots=True)
class Measure:
    """The amount of text that is read at once. A wide letter is one of Chinese, Japanese or Korean, or an emoji."""

    letters: int = 42
    """Most in a line."""
    wide_letters: int = 16
    a_second: int = 17
    """Most that are read in a second."""
    wide_a_second: int = 9

    @property
    def line(self) -> int:
        """The width of a line, in units of `width`."""
        return self.letters * self.wide_letters

    def width(self, text: str) -> int:
        """The width of a text: letters of both kinds in one unit."""
        return self._sum(text, self.wide_letters, self.letters)

    def reading(self, text: str) -> int:
        """The time that a text is read in, in parts of `second`."""
        return self._sum(text, self.wide_a_second, self.a_second)

    @property
    def second(self) -> int:
        """The amount that is read in a second, in units of `reading`."""
        return self.a_second * self.wide_a_second

    @staticmethod
    def _sum(text: str, narrow: int, wide: int) -> int:
        return len(text) * narrow if text.isascii() else sum(wide if is_wide(c) else narrow for c in clusters(text))


USUAL = Measure()
"""The measure of films that are wider than they are high."""
NARROW = Measure(letters=26, wide_letters=11)
"""The measure of films that are higher than wide: more would have to be too small to be read in their picture."""


def is_wide(cluster: str) -> bool:
    """Whether a grapheme cluster takes the room of two letters."""
    return unicodedata.east_asian_width(cluster[0]) in ("W", "F")


class Broken:
    """A text in the parts between which a line, or a subtitle, may end."""

    def __init__(self, text: str, measure: Measure, language: str = "") -> None:
        self.measure = measure
        words = " ".join(text.split())
        self.parts = [part for piece in pieces(words) for part in _short_enough(piece, measure)]
        self._badness = _badness(self.parts, words, language)
        self._widths = [0, *accumulate(measure.width(part) for part in self.parts)]
        self._sentences = [0, *accumulate(bad == _AFTER_SENTENCE for bad in self._badness)]
        self._spaces = [measure.width(part) - measure.width(part.rstrip()) for part in self.parts]
        self.read = [0, *accumulate(measure.reading(part) for part in self.parts)]
        """The amount in all parts before each, in units of `Measure.reading`."""

    def text(self, first: int, last: int) -> str:
        """The parts `[first, last)`."""
        return "".join(self.parts[first:last]).strip()

    def lines(self, first: int, last: int) -> tuple[str, ...]:
        """The parts `[first, last)` in one line, or in the two that read best."""
        if self._width(first, last) <= self.measure.line:
            return (self.text(first, last),)
        best = min(self._breaks(first, last), key=lambda at: self._unevenness(first, at, last))
        return self.text(first, best), self.text(best, last)

    def reading(self, first: int, last: int) -> int:
        """The amount in the parts `[first, last)`, without a space at their end."""
        space = self.parts[last - 1].endswith(" ") * self.measure.reading(" ")
        return self.read[last] - self.read[first] - space

    def texts(self, first: int, last: int) -> list[tuple[int, int]]:
        """The parts `[first, last)` in as few subtitles of at most two lines as read well."""
        if self._fits(first, last):  # one never costs more than two
            return [(first, last)]
        costs, before = {first: 0.0}, {first: first}
        for end in range(first + 1, last + 1):
            found: list[tuple[float, int]] = []
            for start in range(end - 1, first - 1, -1):
                if self._width(start, end) > 2 * self.measure.line:
                    break
                if self._fits(start, end):
                    found.append((costs[start] + self._cost(start, end, last), start))
            costs[end], before[end] = min(found)
        ends = [last]
        while ends[-1] > first:
            ends.append(before[ends[-1]])
        return [(start, end) for end, start in pairwise(ends)][::-1]

    def _cost(self, start: int, end: int, last: int) -> float:
        """The cost of the parts `[start, end)` as one subtitle."""
        empty = 1 - self._width(start, end) / (2 * self.measure.line)
        bad = self.badness(end, last)
        is_mixed = bad > 0 and self._sentences[end - 1] > self._sentences[start]
        return _ONE_MORE * (1 + empty * empty) + bad + (_MIXED if is_mixed else 0)

    def badness(self, end: int, last: int) -> int:
        """The cost of an end before a part; 0 at the end of all."""
        return self._badness[end - 1] if end < last else 0

    def is_inside_phrase(self, part: int) -> bool:
        """Whether a phrase of Chinese or Japanese begins before a part and ends after it."""
        return self._badness[part - 1] >= _IN_WORD

    def _width(self, first: int, last: int) -> int:
        return self._widths[last] - self._widths[first] - self._spaces[last - 1]

    def _fits(self, first: int, last: int) -> bool:
        if self._width(first, last) <= self.measure.line:
            return True
        # With the longest upper line the lower one is the shortest.
        upper = next((at for at in range(last - 1, first, -1) if self._width(first, at) <= self.measure.line), first)
        return upper > first and self._width(upper, last) <= self.measure.line

    def _breaks(self, first: int, last: int) -> list[int]:
        """The places at which the parts can be broken in two lines."""
        line = self.measure.line
        return [at for at in range(first + 1, last) if self._width(first, at) <= line and self._width(at, last) <= line]

    def _unevenness(self, first: int, at: int, last: int) -> float:
        upper, lower = self._width(first, at), self._width(at, last)
        letters = abs(upper - lower) / self.measure.line * self.measure.letters
        # The upper line is the shorter one: less of the picture is covered.
        return letters + 1.4 * self._badness[at - 1] + (2 if upper > lower else 0)


def _short_enough(piece: str, measure: Measure) -> list[str]:
    """A part; a word that is longer than a line in several."""
    if measure.width(piece.rstrip()) <= measure.line:
        return [piece]
    found = [""]
    for cluster in clusters(piece):
        if found[-1] and measure.width(found[-1] + cluster.rstrip()) > measure.line:
            found.append("")
        found[-1] += cluster
    return found


def _badness(parts: Sequence[str], text: str, language: str) -> list[int]:
    """The cost of an end after each part."""
    ends = _ends_of_phrases(text, language)
    found, at = [], 0
    for part in parts:
        at += len(part)
        found.append(_after(part, is_inside=ends is not None and at not in ends))
    return found


def _after(part: str, *, is_inside: bool) -> int:
    if _SENTENCE.search(part):
        return _AFTER_SENTENCE
    if _CLAUSE.search(part):
        return _AFTER_CLAUSE
    if is_inside and not part.endswith(" "):
        return _IN_WORD
    return _AFTER_SHORT if part.endswith(" ") and len(part.rstrip()) <= _SHORT else _AFTER_WORD


def _ends_of_phrases(text: str, language: str) -> set[int] | None:
    """The ends of phrases in a text of Chinese or Japanese; None in other scripts, whose words have spaces."""
    script = language_of(text) if any(is_wide(letter) for letter in text) else ""
    if script not in ("ja", "zh"):
        return None
    is_traditional = script == "zh" and language.endswith(_TRADITIONAL)
    return set(accumulate(len(phrase) for phrase in _parser("zh-Hant" if is_traditional else script).parse(text)))


@cache
def _parser(script: str) -> Parser:
    import budoux  # reads its model, which hardly any film needs

    loads = {"ja": budoux.load_default_japanese_parser, "zh": budoux.load_default_simplified_chinese_parser}
    return loads.get(script, budoux.load_default_traditional_chinese_parser)()
