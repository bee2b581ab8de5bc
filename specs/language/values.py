"""Types of single values, each with a JSON Schema that accepts the same values: an editor and the reader agree."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from storyreel.specs.money import Money, parse_money

IMAGE_ENDINGS = ("png", "jpg", "jpeg", "webp", "bmp")
VIDEO_ENDINGS = ("mp4", "mov")

LONGEST_TEXT = 5000
"""Characters of the longest prompt that any service reads (DashScope cuts longer ones, and bills them)."""

_NOT_BLANK = r"\S"
# The letters of all scripts but for signs, spaces, invisible letters and emoji. Written as ranges, as Python's, Rust's
# and JavaScript's expressions, which all read them, have no other way in common.
_LETTERS = (
    "\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u061b\u061d-\u115e\u1161-\u167f"
    "\u1681-\u17b3\u17b6-\u180d\u180f-\u1fff\u2c00-\u2dff\u3005-\u3007\u3021-\u302f\u3031-\u3163\u3165-\ud7ff"
    "\uf900-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff66-\uff9f\uffa1-\uffdc"
    "\U00010000-\U0001cfff\U0001e000-\U0001efff\U00020000-\U000323af"
)
_MARKS = "\u0300-\u034e\u0350-\u036f\u200c\u200d\ufe20-\ufe2f"
"""Accents, and the joiners that Persian and the scripts of India are written with."""
_SLATE = rf"^[A-Za-z0-9{_LETTERS}][A-Za-z0-9._{_LETTERS}{_MARKS}-]{{0,31}}$"
_KEY = rf"^[A-Za-z{_LETTERS}][A-Za-z0-9_{_LETTERS}{_MARKS}-]{{0,39}}$"
_NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,39}$"
_MODEL = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}$"
LANGUAGE_TAG = r"^[A-Za-z]{2,3}([-_][A-Za-z]{4})?([-_]([A-Za-z]{2}|[0-9]{3}))?$"
_LEVEL = r"^[-+]?[0-9]{1,2}(\.[0-9]{1,2})? ?dB$"
_LOUDNESS = r"^-([5-9]|[1-3][0-9])(\.[0-9]{1,2})? ?LUFS$|^-40(\.0{1,2})? ?LUFS$"
_PEAK = r"^-[0-8](\.[0-9]{1,2})? ?dBTP$|^(-9|0)(\.0{1,2})? ?dBTP$"
_AMOUNT = r"[0-9]{1,12}(\.[0-9]{1,6})?"
HEX_COLOUR = r"^#?([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$"
_EVEN = "(25[68]|2[6-9][02468]|[3-9][0-9][02468]|[1-3][0-9]{2}[02468]|40[0-8][02468]|409[0246])"
_PIXELS = rf"^{_EVEN}[x×]{_EVEN}$"
_BIT_RATE = r"^([1-9][0-9]{0,2}(\.[0-9]{1,2})? ?Mbit/s|[1-9][0-9]{2,5} ?kbit/s)$"
_DELIVERABLE = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$"
_MONEY = rf"^(([A-Z]{{3}}|[$€£]) ?)?{_AMOUNT}$|^{_AMOUNT} ?([A-Z]{{3}}|[$€£])$"

MEANING = {
    _NOT_BLANK: "a text that is not empty",
    _SLATE: "letters, digits, `.`, `_` and `-`, at most 32, beginning with a letter or a digit",
    _KEY: "letters, digits, `_` and `-`, at most 40, beginning with a letter",
    _NAME: "the letters A to Z, digits, `_` and `-`, at most 40, beginning with a letter",
    _MODEL: "a model's name as `storyreel providers` lists it, such as `wan3.0-video`",
    _LEVEL: "a level in decibels such as `-18 dB`",
    _LOUDNESS: "a loudness such as `-14 LUFS`, from -40 to -5",
    _PEAK: "a true peak such as `-1 dBTP`, from -9 to 0",
    _PIXELS: "a width and a height in pixels such as `1080x1920`, both even, from 256 to 4096",
    _BIT_RATE: "a rate such as `8 Mbit/s` or `800 kbit/s`",
    _DELIVERABLE: "the letters A to Z, digits, `_` and `-`, at most 40, beginning with a letter or a digit",
    LANGUAGE_TAG: "a language's tag such as `en`, `pt-BR` or `zh-Hant`",
    HEX_COLOUR: 'a colour such as "#f4efe6", in quotes',
}
"""A description of a text, for messages, by the pattern that it has to match."""

OTHER_WORDS = {
    other: word
    for word, others in {
        "dissolve": ("crossfade", "cross fade", "cross dissolve", "xfade", "mix", "blend"),
        "fade": ("dip to black", "fade to black", "fade from black", "fade through black"),
        "cut": ("hard cut", "straight cut"),
        "push in": ("zoom in", "dolly in", "track in"),
        "pull out": ("zoom out", "dolly out", "track out", "pull back"),
        "static": ("fixed", "locked", "locked off", "still", "tripod"),
        "extreme wide": ("ews", "els", "extreme long shot", "extreme wide shot", "establishing", "establishing shot"),
        "wide": ("ws", "ls", "long", "long shot", "wide shot"),
        "full": ("fs", "full shot"),
        "medium wide": ("mws", "mls", "medium long shot", "american shot", "cowboy shot"),
        "medium": ("ms", "mid", "mid shot", "medium shot"),
        "medium close up": ("mcu",),
        "close up": ("cu", "close", "close shot"),
        "extreme close up": ("ecu", "xcu", "macro"),
        "insert": ("detail", "cutaway"),
    }.items()
    for other in others
}
"""The words of the language, by what else film people call them. A word is only suggested where it may be written."""


def as_text(value: object) -> object:
    """Validator: a number in the place of a text is that text. A decimal from a file has its source as `text`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(getattr(value, "text", value))
    return value


def composed(value: object) -> object:
    """Validator: a text with each letter and its accent as one character (NFC): names that look alike are one."""
    return unicodedata.normalize("NFC", value) if isinstance(value, str) and not value.isascii() else value


def as_count(value: object) -> object:
    """Validator: refuses all but numbers, and `true` and `false`, which pydantic takes for numbers."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ValueError("not a whole number; write it without quotes")


def _as_switch(value: object) -> object:
    if isinstance(value, bool):
        return value
    raise ValueError("neither `true` nor `false`; write one of them, without quotes")


def _as_money(value: object) -> Money:
    """Validator: an amount, or a number, which is in USD."""
    if isinstance(value, Money):
        return value
    if isinstance(value, float) and not hasattr(value, "text"):
        value = f"{value:.6f}"  # from a program, not from a file
    text = as_text(value)
    if not isinstance(text, str):
        raise ValueError("this is not an amount of money; write for example `20 USD`, or leave the key out")
    return parse_money(text)


def number_in(level: str) -> float:
    """The number of a level, a loudness or a peak, without its unit."""
    return float(level.rstrip("BdFLPSTU "))


def _text_schema(longest: int, pattern: str | None = None) -> WithJsonSchema:
    shape = {"type": ["string", "number"], "maxLength": longest}
    return WithJsonSchema(shape | {"pattern": pattern} if pattern else shape)


Text = Annotated[str, StringConstraints(max_length=LONGEST_TEXT), BeforeValidator(as_text), _text_schema(LONGEST_TEXT)]
"""Text of at most 5000 characters; may be empty."""

NonEmptyText = Annotated[
    str,
    StringConstraints(max_length=LONGEST_TEXT, pattern=_NOT_BLANK),
    BeforeValidator(as_text),
    _text_schema(LONGEST_TEXT, _NOT_BLANK),
]
"""Text of at most 5000 characters that is not blank."""

Wording = Annotated[
    str, StringConstraints(max_length=200, pattern=_NOT_BLANK), BeforeValidator(as_text), _text_schema(200, _NOT_BLANK)
]
"""Words to be shown, at most 200 characters that are not blank."""

LongWording = Annotated[
    str, StringConstraints(max_length=500, pattern=_NOT_BLANK), BeforeValidator(as_text), _text_schema(500, _NOT_BLANK)
]
"""The same, at most 500 characters."""

Title = Wording
"""The name of a film."""

Phrase = Annotated[str, StringConstraints(max_length=200), BeforeValidator(as_text), _text_schema(200)]
"""Words to be shown, at most 200 characters; may be empty."""

Avoided = Annotated[str, StringConstraints(max_length=500), BeforeValidator(as_text), _text_schema(500)]
"""A negative prompt; no service reads more than 500 characters of it."""

Slate = Annotated[
    str,
    StringConstraints(pattern=_SLATE),
    BeforeValidator(composed),
    BeforeValidator(as_text),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": _SLATE}, {"type": "number", "minimum": 0, "maximum": 10**15}]}
    ),
]
"""A shot's or scene's name on the slate: letters of any script, digits, `.`, `_`, `-`, at most 32."""

Key = Annotated[str, StringConstraints(pattern=_KEY), BeforeValidator(composed)]
"""The key of a cast member or location, with letters of any script."""

Name = Annotated[str, StringConstraints(pattern=_NAME)]
"""The name of a variable or service."""

DeliverableName = Annotated[str, StringConstraints(pattern=_DELIVERABLE)]
"""The name of a deliverable, and of its file."""

PictureSize = Annotated[str, StringConstraints(pattern=_PIXELS)]
"""Width and height in pixels: `1080x1920`."""

BitRate = Annotated[
    str,
    StringConstraints(pattern=_BIT_RATE),
    BeforeValidator(as_text),
    WithJsonSchema({"type": "string", "pattern": _BIT_RATE}),
]
"""Bits a second: `8 Mbit/s`."""

ModelName = Annotated[str, StringConstraints(pattern=_MODEL)]
"""A service's name of a model."""

Providers = Annotated[tuple[Name, ...], Field(min_length=1, max_length=5)]
"""Services in the order in which they are tried."""

Source = Annotated[str, StringConstraints(max_length=2000, pattern=_NOT_BLANK)]
"""A path beside the storyboard, or an http(s) address."""

Level = Annotated[
    str,
    StringConstraints(pattern=_LEVEL),
    BeforeValidator(as_text),
    WithJsonSchema({"type": "string", "pattern": _LEVEL}),
]
"""Gain relative to the file: `-18 dB`."""

Loudness = Annotated[
    str,
    StringConstraints(pattern=_LOUDNESS),
    BeforeValidator(as_text),
    WithJsonSchema({"type": "string", "pattern": _LOUDNESS}),
]
"""Integrated loudness: `-14 LUFS`."""

TruePeak = Annotated[
    str,
    StringConstraints(pattern=_PEAK),
    BeforeValidator(as_text),
    WithJsonSchema({"type": "string", "pattern": _PEAK}),
]
"""The highest true peak: `-1 dBTP`."""

MOST_TAKES = 20
"""Most takes of one shot."""

Takes = Annotated[int, Field(ge=1, le=MOST_TAKES), BeforeValidator(as_count)]
"""A number of takes, or the number of one take, from 1."""

Seed = Annotated[int, Field(ge=0, le=2147483647), BeforeValidator(as_count)]
"""The seed of a service's random numbers."""

Switch = Annotated[bool, BeforeValidator(_as_switch)]
"""`true` or `false`."""

Amount = Annotated[
    Money | None,
    BeforeValidator(_as_money),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": _MONEY}, {"type": "number", "minimum": 0, "maximum": 10**12 - 1}]}
    ),
]
"""Money: `20 USD`, `USD 20`, `$20`, or `20`, which is USD. None only as a default, never as a value that is written."""
