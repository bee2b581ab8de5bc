"""Subtitles as files: SubRip (SRT) and WebVTT (W3C, Candidate Recommendation of 2019-04-04, read 2026-11-29)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from html import escape
from typing import NamedTuple


class TimedText(NamedTuple):
    """Lines of text from one time of the film to another, in seconds."""

    begin: Fraction
    end: Fraction
    lines: tuple[str, ...]


def subrip(texts: Iterable[TimedText]) -> str:
    """Subtitles as SubRip. Of its signs only the arrow between the times would be misread in a text."""
    return _blocks(texts, ",", lambda line: line.replace("-->", "→"))


def webvtt(texts: Iterable[TimedText]) -> str:
    """Subtitles as WebVTT, in whose text `&` and `<` begin markup."""
    return "WEBVTT\n\n" + _blocks(texts, ".", lambda line: escape(line, quote=False))


def _blocks(texts: Iterable[TimedText], point: str, written: Callable[[str], str]) -> str:
    return "\n".join(
        "\n".join((str(number), f"{_clock(begin, point)} --> {_clock(end, point)}", *map(written, lines), ""))
        for number, (begin, end, lines) in enumerate(texts, 1)
    )


def _clock(seconds: Fraction, point: str) -> str:
    """A time to the millisecond before it: 00:01:02,345."""
    milliseconds = int(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"
