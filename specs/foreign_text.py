"""Text from outside, of services, files, programs and variables, as it may be stored and shown.

Three functions escape, in the notation of Python's strings, `\\x1b`, `\\u202e`: `storable` only what no database and no
UTF-8 file takes, `printable` also what a terminal obeys or does not show, and `kept` the same so that `exact` gives the
text back. The first two leave what is escaped already as it is; `kept` is for the one place where a text enters.
"""

from __future__ import annotations

import json
import re
import unicodedata

_LETTERS_WITH_JOINERS = (
    (0x0600, 0x07FF),  # Arabic, Syriac, Thaana, N'Ko
    (0x0840, 0x0DFF),  # Mandaic, Arabic extended, the scripts of India, Sinhala
    (0x0F00, 0x109F),  # Tibetan, Myanmar
    (0x1780, 0x18AF),  # Khmer, Mongolian
    (0x1A20, 0x1CFF),  # Tai Tham, Balinese, Sundanese, Vedic
    (0xA800, 0xAAFF),  # Syloti Nagri to Meetei Mayek
    (0xABC0, 0xABFF),
    (0xFB50, 0xFDFF),  # Arabic presentation forms
    (0xFE70, 0xFEFC),
    (0x11000, 0x11FFF),  # the other scripts of India
)
"""Scripts in whose words a zero-width joiner or non-joiner is part of the spelling."""
_LETTERS_WITHOUT_SPACES = ((0x0E01, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1950, 0x1AAF))
"""Thai, Lao, Myanmar, Khmer, Tai: a zero-width space ends a word."""
_MONGOLIAN = ((0x1800, 0x18AF),)
_IDEOGRAPHS = ((0x3400, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
"""Han characters, of which a variation selector chooses a form."""

_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")
_HIDDEN = re.compile(
    "\r(?!\n)"
    # Controls of the terminal, C0 and C1, without tab and line breaks.
    "|[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
    # Soft hyphen, joiners, fillers, spaces without width, line breaks that are none.
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2028\u2029\u2060-\u2065\u3164\ufeff\uffa0\ufff0-\ufffb"
    # Direction of writing.
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"
    # Variation selectors, tags, halves of surrogate pairs, formats of shorthand and music.
    "\ufe00-\ufe0f\U000e0000-\U000e0fff\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a]"
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")
_TAGGED_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
"""The flag of a region: England, Scotland, Wales."""
_RIGHT_TO_LEFT = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"


def storable(text: str) -> str:
    """The text with NUL and halves of surrogate pairs escaped: what UTF-8, and PostgreSQL, cannot hold."""
    return _NOT_STORABLE.sub(lambda found: _escape(found[0]), text)


def printable(text: str) -> str:
    """The text with all that a terminal would obey, and all that cannot be seen, escaped; line breaks and tabs stay.

    Joiners and selectors stay where they belong to a word or an emoji: in Persian, in Devanagari, in 👩‍🚀.
    """
    if text.isascii() and text.isprintable():
        return text
    flags = [found.span() for found in _TAGGED_FLAG.finditer(text)]

    def shown(found: re.Match[str]) -> str:
        at = found.start()
        is_in_flag = any(begin < at < end for begin, end in flags)
        return found[0] if is_in_flag or _belongs(text, at) else _escape(found[0])

    return _HIDDEN.sub(shown, text)


def json_text(value: object) -> str:
    """The value as indented JSON of which every character can be printed and stored; others are escapes of JSON."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return text if text.isascii() else _HIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def kept(text: str) -> str:
    """As `printable`, but reversibly: `exact` returns the text as it came in. Not to be applied twice."""
    return printable(_ESCAPE.sub(lambda found: _escape("\\") + found[0][1:] if _is_ours(found) else found[0], text))


def exact(text: str) -> str:
    """The text that `kept` was given."""
    return _ESCAPE.sub(lambda found: chr(_code(found)) if _is_ours(found) else found[0], text)


def _escape(sign: str) -> str:
    code = ord(sign)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _code(found: re.Match[str]) -> int:
    return int(found[1] or found[2] or found[3], 16)


def _is_ours(found: re.Match[str]) -> bool:
    """Whether an escape is one that `kept` writes, and not merely text that looks like one."""
    code = _code(found)
    sign = chr(code) if code <= 0x10FFFF else ""
    return bool(sign) and (sign == "\\" or bool(_HIDDEN.fullmatch(sign))) and _escape(sign) == found[0]


def _belongs(text: str, at: int) -> bool:
    """Whether an invisible character is part of how a word or an emoji is written."""
    sign, before, after = text[at], text[at - 1 : at], text[at + 1 : at + 2]
    if sign in "\u200c\u200d" and _is_in(before, _LETTERS_WITH_JOINERS):
        return True
    if sign == "\u200d":
        return _is_pictorial(before) and _is_pictorial(after)
    if sign == "\u200b":
        return _is_in(before, _LETTERS_WITHOUT_SPACES)
    if sign in "\u061c\u200e\u200f":
        return bool(re.search(_RIGHT_TO_LEFT, text))
    if "\u180b" <= sign <= "\u180f":
        return _is_in(before, _MONGOLIAN)
    if "\ufe00" <= sign <= "\ufe0f":
        return bool(before) and not _HIDDEN.fullmatch(before) and not before.isspace()
    return "\U000e0100" <= sign <= "\U000e01ef" and _is_in(before, _IDEOGRAPHS)


def _is_pictorial(sign: str) -> bool:
    return bool(sign) and (sign == "\ufe0f" or (sign >= "\u2190" and unicodedata.category(sign) in ("So", "Sm", "Sk")))


def _is_in(sign: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return bool(sign) and any(first <= ord(sign) <= last for first, last in ranges)
