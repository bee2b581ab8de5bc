"""Checks of the words over a storyboard's picture, of its cards and of its credits."""

from __future__ import annotations

from collections.abc import Iterator

from storyreel.specs.language.titles import Words
from storyreel.specs.problems.problem import KeyPath, Problem
from storyreel.specs.storyboard import Shot, Storyboard
from storyreel.specs.timing import Duration, FrameRate


def words_problems(storyboard: Storyboard, running: int | None) -> Iterator[Problem]:
    """Words that are never seen, or whose times do not go together; `running` are the frames of the film, None if they
    are not known."""
    for number, words in enumerate(storyboard.titles):
        yield from _of_words(storyboard, ("titles", number), words, "film", running)
    rate = storyboard.format.fps
    for path, shot in storyboard.placed_shots if any(shot.titles for shot in storyboard.all_shots) else ():
        for number, words in enumerate(shot.titles):
            yield from _of_words(storyboard, (*path, "titles", number), words, "shot", _length(shot, rate))


def card_problems(storyboard: Storyboard) -> Iterator[Problem]:
    """Shots that are made of a card, which has nothing to show but words."""
    cards = {shot.shot for shot in storyboard.all_shots if shot.is_card}
    for path, shot in storyboard.placed_shots if cards else ():
        if shot.upstream in cards:
            key = "edit" if shot.edits_another else "continues"
            what = f"{shot.upstream} is a card: there is nothing to {'edit' if shot.edits_another else 'go on from'}"
            yield Problem(storyboard.where(*path, key), what, f"name another shot, or remove `{key}`")


def _length(shot: Shot, rate: FrameRate) -> int | None:
    """The frames of a shot; None if they are not known yet, or its length is wrong, which is a problem of the cut."""
    if not isinstance(shot.duration, Duration):
        return None
    try:
        return shot.duration.frames(rate)
    except ValueError:
        return None


def _of_words(storyboard: Storyboard, path: KeyPath, words: Words, of: str, running: int | None) -> Iterator[Problem]:
    frames: dict[str, int] = {}
    for key, length in (("from", words.from_), ("to", words.to), ("fade", words.fade)):
        try:
            frames[key] = length.frames(storyboard.format.fps) if length else 0
        except ValueError as error:
            yield Problem(storyboard.where(*path, key), str(error))
            return
    if words.to and frames["from"] >= frames["to"]:
        hint = f"times are those of the {of}; write a later `to`"
        yield Problem(storyboard.where(*path, "to"), "the words end before they begin", hint)
    elif running is not None and frames["from"] >= running:
        hint = f"its end is at {float(storyboard.format.fps.seconds(running)):.4g}s"
        yield Problem(storyboard.where(*path, "from"), f"the words begin after the end of the {of}", hint)
    elif words.fade and words.to and 2 * frames["fade"] > frames["to"] - frames["from"]:
        hint = "make the `fade` shorter, or the words longer"
        yield Problem(storyboard.where(*path, "fade"), "the fades are longer than the words are seen", hint)
