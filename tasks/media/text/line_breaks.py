"""The places at which a line may end: between words, and inside texts that are written without spaces.

Chinese and Japanese break between any two characters but before closing marks and after opening ones (the rules of
JLREQ, www.w3.org/TR/jlreq, read 2026-11-29); Korean breaks between words; Thai where a word ends, by BudouX. No line
ever ends inside a grapheme cluster.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import regex

if TYPE_CHECKING:
    from budoux import Parser

_CLUSTER = regex.compile(r"\X")
_BEYOND_SPACES = regex.compile(
    r"[\u0E00-\u0E7F\u200B\u2E80-\uA4CF\uF900-\uFAFF\uFE30-\uFE4F\uFF00-\uFFEF\U0001F000-\U0003FFFF]"
)
"""Letters beside which a line may end without a space."""
_SPACE = regex.compile(r" (?![\p{M}\p{Emoji_Modifier}\u200c\u200d])")
"""A space that carries no mark."""
_THAI = regex.compile(r"[\u0E00-\u0E7F]+")
_HANGUL = regex.compile(r"\p{Hangul}")
_NEVER_FIRST = frozenset(
    "、。，．・：；？！‼⁇⁈⁉…‥ー々〻ゝゞヽヾぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ～〜–—%％‰℃°!?.,:;'\"’”｡､･ｰﾞﾟ"
) | frozenset(map(chr, range(0x31F0, 0x3200)))
_NEVER_LAST = frozenset("¥￥$＄£￡#＃№‘“")
_OPENING, _CLOSING = ("Ps", "Pi"), ("Pe", "Pf")
ZERO_WIDTH_SPACE = "\u200b"


def clusters(text: str) -> list[str]:
    """The grapheme clusters of a text: what a reader takes for one letter, with all its marks."""
    return list(text) if text.isascii() else _CLUSTER.findall(text)


def pieces(text: str) -> Iterator[str]:
    """The parts of a text between which a line may end. A space belongs to the part before it."""
    words = text.split(" ") if text.isascii() else _SPACE.split(text)
    for number, word in enumerate(words):
        space = " " if number < len(words) - 1 else ""
        *parts, last = _parts(word) if _BEYOND_SPACES.search(word) else (word,)
        yield from parts
        yield last + space


@lru_cache(maxsize=4096)
def _parts(word: str) -> tuple[str, ...]:
    """The parts of a text without spaces."""
    ends = _ends_of_thai(word)
    found, part, at = [], "", 0
    around = clusters(word)
    for before, after in pairwise([*around, ""]):
        part, at = part + before, at + len(before)
        if not after or at in ends or _may_part(before, after):
            found.append(part.strip(ZERO_WIDTH_SPACE))
            part = ""
    return tuple(filter(None, found)) or ("",)


def _may_part(before: str, after: str) -> bool:
    if ZERO_WIDTH_SPACE in (before, after):
        return True
    if after[0] in _NEVER_FIRST or before[-1] in _NEVER_LAST:
        return False
    if unicodedata.category(before[0]) in _OPENING or unicodedata.category(after[0]) in _CLOSING:
        return False
    return _is_ideographic(before) or _is_ideographic(after)


def _is_ideographic(cluster: str) -> bool:
    """Whether a cluster is a character of Chinese or Japanese, one of their marks, or an emoji."""
    return unicodedata.east_asian_width(cluster[0]) in ("W", "F", "H") and not _HANGUL.match(cluster)


def _ends_of_thai(word: str) -> set[int]:
    ends = set()
    for run in _THAI.finditer(word):
        at = run.start()
        for part in _thai().parse(run[0]):
            at += len(part)
            ends.add(at)
        ends.discard(run.end())
    return ends


@lru_cache(maxsize=1)
def _thai() -> Parser:
    import budoux  # reads its model, which hardly any film needs

    return budoux.load_default_thai_parser()
