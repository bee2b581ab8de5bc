"""Checks of the deliverables of a film: their names, and keys that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from storyreel.specs.cut import Cut
from storyreel.specs.language.finishing.codecs import INTERMEDIATE
from storyreel.specs.language.finishing.deliverables import Deliverable
from storyreel.specs.language.slates import is_taken
from storyreel.specs.problems.phrases import listed, suggestion
from storyreel.specs.problems.problem import KeyPath, Problem
from storyreel.specs.storyboard import Storyboard

_NONE = "none"
"""The word in place of names for no deliverable."""


def deliverable_problems(storyboard: Storyboard) -> Iterator[Problem]:
    """Problems of deliverables: two of one name, a key that contradicts another or names what the film lacks."""
    first: dict[str, int] = {}
    for number, deliverable in enumerate(storyboard.deliverables):
        path: KeyPath = ("deliverables", number)
        where, name = storyboard.where(*path, "name"), deliverable.name
        if name.lower() == _NONE or is_taken(name.lower()):
            yield Problem(where, f"a deliverable cannot be called `{name}`", "the word has another meaning")
        # Files whose names differ only in their case are one file on many disks.
        if name.lower() in first:
            line = storyboard.where("deliverables", first[name.lower()], "name").line
            yield Problem(where, f"the name `{name}` is taken, first in line {line}", "give it a name of its own")
        first.setdefault(name.lower(), number)
        yield from _picture(storyboard, path, deliverable)
        yield from _words(storyboard, path, deliverable)
        slates = {shot.shot for shot in storyboard.all_shots} if deliverable.shoot else set()
        for place, slate in enumerate(deliverable.shoot or ()):
            if slate not in slates:
                at = storyboard.where(*path, "shoot", place)
                yield Problem(at, f"there is no shot `{slate}`", suggestion(slate, slates))


def rate_problems(storyboard: Storyboard, cut: Cut) -> Iterator[Problem]:
    """Deliverables at a rate at which a shot of the film's cut is shorter than a frame."""
    for number, deliverable in enumerate(storyboard.deliverables):
        try:
            cut.at_rate(deliverable.rate(storyboard.format))
        except ValueError as error:
            where = storyboard.where("deliverables", number, "format", "fps")
            yield Problem(where, str(error), "choose a higher rate, or make the shot longer")


def _picture(storyboard: Storyboard, path: KeyPath, deliverable: Deliverable) -> Iterator[Problem]:
    picture, written = deliverable.format, deliverable.model_fields_set
    for key in ("aspect_ratio", "resolution") if picture.size else ():
        if getattr(picture, key):
            at = storyboard.where(*path, "format", key)
            yield Problem(at, f"`size` says what `{key}` says", f"keep `size` or `{key}`")
    has_rate = [key for key in ("quality", "bit_rate") if key in written and getattr(deliverable, key)]
    if len(has_rate) == 2:
        at = storyboard.where(*path, "bit_rate")
        yield Problem(at, "`quality` and `bit_rate` contradict each other", "keep one of the two")
    elif has_rate and deliverable.codec in INTERMEDIATE:
        (key,) = has_rate
        at = storyboard.where(*path, key)
        yield Problem(at, f"{deliverable.codec} has one quality", f"remove `{key}`, or choose another `codec`")
    if deliverable.reframe.way != "centre" and deliverable.reframe.model_fields_set & {"x", "y"}:
        at = storyboard.where(*path, "reframe")
        message = f"nothing is cut off with `{deliverable.reframe.way}`, so there is no point to cut around"
        yield Problem(at, message, "remove `x` and `y`, or the `way`")


def _words(storyboard: Storyboard, path: KeyPath, deliverable: Deliverable) -> Iterator[Problem]:
    known, subtitles = storyboard.languages, deliverable.subtitles
    otherwise = f"the film has {listed(known, 'and')}" if known else "write them as `languages: [en, fr]` at the film"
    for number, language in enumerate(deliverable.languages):
        at = storyboard.where(*path, "languages", number)
        if language not in known:
            message = f"`{language}` is not among the film's `languages`"
            yield Problem(at, message, suggestion(language, known, otherwise))
        elif language in deliverable.languages[:number]:
            yield Problem(at, f"`{language}` is named twice", "once is enough")
    if subtitles is None:
        return
    if subtitles.language and subtitles.language not in known:
        message = f"`{subtitles.language}` is not among the film's `languages`"
        at = storyboard.where(*path, "subtitles", "language")
        yield Problem(at, message, suggestion(subtitles.language, known, otherwise))
    for key in ("style", "language"):
        if getattr(subtitles, key) and not subtitles.burn_in:
            at = storyboard.where(*path, "subtitles", key)
            message = f"`{key}` is that of subtitles in the picture, and none are"
            yield Problem(at, message, "add `burn_in: true`, or remove it")
    if subtitles.burn_in and not deliverable.titles:
        at = storyboard.where(*path, "subtitles")
        yield Problem(at, "`titles: false` has no words in the picture", "remove it, or write `subtitles: soft`")
