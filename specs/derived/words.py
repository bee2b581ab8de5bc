"""The words over a film's picture, each with its frames of the film and its fades."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from storyreel.specs.cut import Cut
from storyreel.specs.derived.lines import estimated_seconds
from storyreel.specs.language.titles import Words
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.timing import FrameRate

_SHORTEST = Fraction(2)
"""Seconds that words are seen at least between their fades."""
_FADE = Fraction(1, 2)
"""Seconds in which words come, and in which they go."""


class PlacedWords(NamedTuple):
    """Words over the frames `[start, end)` of the film. The end may be after that of the film."""

    words: Words
    start: int
    end: int
    fade: int
    """Frames in which they come, and in which they go."""


def placed_words(film: Storyboard, cut: Cut) -> tuple[PlacedWords, ...]:
    """The words over the picture, the lower first: those of the film, then those of the shots in their order."""
    return tuple(_placed(film, cut))


def words_seen(film: Storyboard, first: int, end: int) -> Iterator[Words]:
    """The words of the film itself that are over some of its frames `[first, end)`."""
    for words in film.titles:
        try:
            placed = _placed_words(words, 0, None, film.format.fps)
        except ValueError:  # A timecode that only another rate has: the words are taken for seen.
            yield words
        else:
            if placed.start < end and placed.end > first:
                yield words


def lettering_facts(film: Storyboard) -> str:
    """The words that are laid over the picture, as JSON; empty if there are none."""
    titles = {"": film.titles} | {shot.shot: shot.titles for shot in film.all_shots}
    written = {of: [words.model_dump(mode="json") for words in each] for of, each in titles.items() if each}
    burnt_in = film.subtitles.model_dump(mode="json") if film.subtitles and film.subtitles.burn_in else None
    if not written and not burnt_in:
        return ""
    return json.dumps([film.lettering.model_dump(mode="json"), written, burnt_in, film.burnt_in_language])


def _placed(film: Storyboard, cut: Cut) -> Iterator[PlacedWords]:
    for words in film.titles:
        yield _placed_words(words, 0, None, cut.rate)
    for shot, event in zip(film.all_shots, cut.events, strict=True):
        for words in shot.titles:
            yield _placed_words(words, event.start, event.end, cut.rate)


def _placed_words(words: Words, origin: int, shot_end: int | None, rate: FrameRate) -> PlacedWords:
    start = origin + words.from_.frames(rate)
    fade = rate.nearest_frames(_FADE) if words.fade is None else words.fade.frames(rate)
    if words.to:
        end = origin + words.to.frames(rate)
    else:
        read = estimated_seconds(" ".join(filter(None, (words.text, words.line))))
        end = start + 2 * fade + rate.nearest_frames(max(_SHORTEST, 2 * read))
        end = end if shot_end is None else max(start + 1, min(end, shot_end))
    most = (end - start) // (4 if words.fade is None else 2)
    return PlacedWords(words, start, end, min(fade, most))
