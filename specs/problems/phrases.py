"""Phrases that messages share: a value, a list of words, a suggestion, a duration, a reason."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from itertools import islice

from storyreel.specs.foreign_text import printable

_MOST_KNOWN = 200


def suggestion(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """`did you mean …?` with the most similar of the known words, or `otherwise` if none is similar."""
    # The cost of comparing is the product of the lengths; a text of more than 60 letters is no mistyped word.
    near = get_close_matches(word, list(islice(known, _MOST_KNOWN)), 1) if len(word) <= 60 else []
    return f"did you mean `{near[0]}`?" if near else otherwise


def shown(value: object, longest: int = 60) -> str:
    """A value for a message: short, on one line, with control characters escaped."""
    text = value if isinstance(value, str) else str(value)
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    return printable(short).replace("\n", r"\n").replace("\r", r"\r").replace("\t", r"\t")


def listed(words: Collection[str], last: str = "or", most: int = 12) -> str:
    """`a`, `b` or `c`; of more than `most` words, the first and `…`."""
    first = [f"`{word}`" for word in islice(words, most)]
    if len(words) > most:
        return f"{', '.join(first)}, …"
    return f"{', '.join(first[:-1])} {last} {first[-1]}" if len(first) > 1 else "".join(first)


def abridged(words: Collection[str], most: int = 24) -> str:
    """`1A, 1B, 1C`; of more than `most` words, the first `and 4 more`."""
    more = len(words) - most
    return ", ".join(islice(words, most)) + (f" and {more} more" if more > 0 else "")


def counted(number: int, noun: str) -> str:
    """`1 take`, `2 takes`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def there_are(number: int) -> str:
    """`there is 1`, `there are 2`."""
    return f"there {'is' if number == 1 else 'are'} {number}"


def lasting(seconds: float) -> str:
    """`0.5 s`, `30 s`, `20 min`, `36 h`, `11574 days`."""
    for unit, size, most in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172800)):
        if seconds < most:
            return f"{seconds / size:.2g} {unit}" if seconds < 10 else f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} days"


def reason(error: Exception) -> str:
    """The reason why a file cannot be read, without its name."""
    return os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else str(error)
