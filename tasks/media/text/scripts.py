"""Facts about a text by its letters alone: language, emoji, letters of no script."""

from __future__ import annotations

import regex

_EMOJI = regex.compile(r"\p{Emoji_Presentation}|\p{Emoji}\uFE0F|[\u20E3\U0001F3FB-\U0001F3FF]")
_IGNORED = regex.compile(r"\p{Default_Ignorable_Code_Point}")
_COMMON = regex.compile(r"[\p{Script=Common}\p{Script=Inherited}]+")
_KANA, _HANGUL = regex.compile(r"[\p{Hiragana}\p{Katakana}]"), regex.compile(r"\p{Hangul}")


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
