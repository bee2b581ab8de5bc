"""Warnings of words in a film that are seen for too short a time to be read."""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Iterable, Iterator
from fractions import Fraction

from storyreel.specs.cut import Cut
from storyreel.specs.derived.lines import estimated_seconds
from storyreel.specs.derived.words import PlacedWords, placed_words
from storyreel.specs.language.titles import Credits, Words
from storyreel.specs.problems.phrases import shown
from storyreel.specs.storyboard import Storyboard

_SILENTLY = Fraction(3, 5)
"""Time to read a text silently, in times of reading it aloud."""
_IN_PASSING = Fraction(5, 2)
"""Seconds in which a line of a roll must be in the picture at least."""
_LINE, _GAP = Fraction(58, 1000), Fraction(5, 100)
"""Height of a line of credits, and of the gap after an entry, in shorter sides of the picture."""


def reading_warnings(film: Storyboard, cut: Cut) -> Iterator[str]:
    """A sentence for each card, each roll and all words over the picture that are seen for too short a time, and for
    words that are drawn over others."""
    rate = cut.rate
    over_picture = placed_words(film, cut)
    yield from _over_each_other(over_picture, cut)
    for placed in over_picture:
        texts = (placed.words.text, placed.words.line)
        yield from _too_short(f"“{shown(placed.words.text, 30)}”", texts, rate.seconds(placed.end - placed.start))
        if placed.words.to and placed.end > cut.frames:
            over = float(rate.seconds(placed.end - cut.frames))
            yield f"“{shown(placed.words.text, 30)}” ends {over:.4g} s after the film"
    for shot, event in zip(film.all_shots, cut.events, strict=True):
        if not shot.is_card:
            continue
        seconds = rate.seconds(event.frames)
        if shot.card:
            yield from _too_short(shot.shot, (shot.card.text, shot.card.line), seconds)
        elif shot.credits and shot.credits.roll:
            passing = seconds / (1 + _height(shot.credits, film) * min(film.format.size) / film.format.size[1])
            if passing < _IN_PASSING:
                yield f"each line of {shot.shot} rolls through the picture in {float(passing):.2g} s: make it longer"
        elif shot.credits:
            names = [text for entry in shot.credits.entries for text in (entry.role, *entry.names)]
            yield from _too_short(shot.shot, names, seconds)


def _over_each_other(all_words: Iterable[PlacedWords], cut: Cut) -> Iterator[str]:
    """A sentence for words that begin in the place of others before those go."""
    last: dict[Hashable, PlacedWords] = {}
    for placed in sorted(all_words, key=lambda one: one.start):
        before = last.get(place := place_of(placed.words))
        if before and placed.start < min(before.end, cut.frames) - min(before.fade, placed.fade):
            seconds = float(cut.rate.seconds(min(before.end, placed.end, cut.frames) - placed.start))
            one, other = (f"“{shown(each.words.text, 30)}”" for each in (placed, before))
            yield f"{one} stands over {other} for {seconds:.2g} s: write a `place`, or an earlier `to` for {other}"
        if before is None or placed.end > before.end:
            last[place] = placed


def place_of(words: Words) -> Hashable:
    """The place of words, or everything from which it follows: equal for words that are drawn in the same place."""
    if words.place:
        return words.place
    is_mirrored = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in words.text)
    return words.kind, words.style, is_mirrored


def _too_short(what: str, texts: Iterable[str], seconds: Fraction) -> Iterator[str]:
    needed = sum(estimated_seconds(text) for text in texts if text) * _SILENTLY
    if seconds < needed:
        yield f"{what} is seen for {float(seconds):.2g} s, and takes {float(needed):.2g} s to read: make it longer"


def _height(credits: Credits, film: Storyboard) -> Fraction:
    """The approximate height of a roll, in shorter sides of the picture."""
    width, height = film.format.size
    lines = sum(len(entry.names) + (bool(entry.role) and height >= width) for entry in credits.entries)
    return lines * _LINE + len(credits.entries) * _GAP
