"""Facts about a text by its letters alone: direction, language, emoji, and whether DejaVu Sans has them all."""

from __future__ import annotations

import unicodedata

import regex

_PLAIN = regex.compile(
    r"[ -~\u00A1-\u024F\u0384-\u038A\u038C\u038E-\u03A1\u03A3-\u03CE\u0400-\u0481\u048A-\u04FF\u1E00-\u1EF9"
    r"–—‘’“”…•·№€™→×½]*"
)
_EMOJI = regex.compile(r"\p{Emoji_Presentation}|\p{Emoji}\uFE0F|[\u20E3\U0001F3FB-\U0001F3FF]")
_IGNORED = regex.compile(r"\p{Default_Ignorable_Code_Point}")
_COMMON = regex.compile(r"[\p{Script=Common}\p{Script=Inherited}]+")
_KANA, _HANGUL = regex.compile(r"[\p{Hiragana}\p{Katakana}]"), regex.compile(r"\p{Hangul}")
_SHAPED = regex.compile(
    r"[\u0590-\u08FF\u0900-\u0DFF\u0E31-\u0E3A\u0E47-\u0E4E\u0E80-\u109F\u1780-\u17FF\uFB1D-\uFDFF\uFE70-\uFEFE]"
)


def is_plain(text: str) -> bool:
    """Whether a text is certainly in DejaVu Sans, from left to right and without emoji. Fast, and looks for no font."""
    return _PLAIN.fullmatch(unicodedata.normalize("NFC", text)) is not None


def is_emoji(cluster: str) -> bool:
    """Whether a grapheme cluster is shown as a coloured picture if there is one."""
    return _EMOJI.search(cluster) is not None and "\ufe0e" not in cluster


def is_common(cluster: str) -> bool:
    """Whether a cluster belongs to no script: a space, a digit, a mark."""
    return _COMMON.fullmatch(cluster) is not None


def without_ignorable(cluster: str) -> str:
    """A cluster without joiners, selectors and marks of direction, for which a font needs no glyph."""
    return cluster if cluster.isascii() else _IGNORED.sub("", cluster)


def language_of(text: str) -> str:
    """The language that a text's Chinese characters are drawn for: `ja` beside kana, `ko` beside Hangul, else `zh`."""
    if text.isascii():
        return ""
    return "ja" if _KANA.search(text) else "ko" if _HANGUL.search(text) else "zh"


def needs_shaping(text: str) -> bool:
    """Whether letters of a text join, or change their order or place: it is drawn wrong without Raqm."""
    return _SHAPED.search(text) is not None
