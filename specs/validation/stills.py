"""Checks of the stills and sheets of a storyboard."""

from __future__ import annotations

from collections.abc import Iterator

from storyreel.specs.language.stills import Still
from storyreel.specs.problems.phrases import there_are
from storyreel.specs.problems.problem import KeyPath, Problem
from storyreel.specs.storyboard import Shot, Storyboard


def sheet_problems(storyboard: Storyboard) -> Iterator[Problem]:
    """Sheets of which nothing says what they show, and of which one is circled that is not made."""
    for section, nouns in (("cast", storyboard.cast), ("locations", storyboard.locations)):
        for name, noun in nouns.items():
            if noun.sheet is None:
                continue
            where = storyboard.where(section, name, "sheet")
            if not (noun.description or noun.references or noun.sheet.prompt):
                message = f"nothing says what the sheet of `{name}` shows"
                yield Problem(where, message, "give a `description` or `references`, or write words for the sheet")
            yield from _circled(storyboard, (section, name, "sheet"), noun.sheet, storyboard.defaults.stills.takes)


def still_problems(storyboard: Storyboard, path: KeyPath, shot: Shot) -> Iterator[Problem]:
    """Keys of a shot that contradict its stills."""
    for key, of_file, of_still in (("still", "first_frame", shot.still), ("last_still", "last_frame", shot.last_still)):
        if of_still is None:
            continue
        where = storyboard.where(*path, key)
        if shot.edits_another and shot.edit:
            message = f"shot {shot.shot} is made of a take of {shot.edit.of}, and begins and ends as that does"
            yield Problem(where, message, f"keep `{key}` or `edit`")
        elif getattr(shot, of_file) is not None:
            yield Problem(where, f"the shot has a picture already: `{of_file}`", f"keep `{key}` or `{of_file}`")
        yield from _circled(storyboard, (*path, key), of_still, shot.stills.takes)
    if shot.still and shot.continues:
        message = "a shot that continues another begins with its last frame, not with a still"
        yield Problem(storyboard.where(*path, "still"), message, "keep `continues` or `still`")
    if shot.last_still and not (shot.begins_with_picture or shot.edits_another):
        message = f"shot {shot.shot} has a still to end with and no picture to begin with"
        yield Problem(storyboard.where(*path, "last_still"), message, "add `still`, `first_frame` or `continues`")


def _circled(storyboard: Storyboard, path: KeyPath, still: Still, takes: int) -> Iterator[Problem]:
    count = still.takes or takes
    if still.circled is not None and still.circled > count:
        message = f"take {still.circled} is circled, but {there_are(count)}"
        yield Problem(storyboard.where(*path, "circled"), message, "circle one of them, or make more `takes`")
