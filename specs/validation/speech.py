"""Checks of narration, and of shots that last as long as what is said in them."""

from __future__ import annotations

from collections.abc import Iterator

from storyreel.specs.problems.phrases import suggestion
from storyreel.specs.problems.problem import KeyPath, Problem
from storyreel.specs.storyboard import Shot, Storyboard
from storyreel.specs.timing import Duration


def speech_problems(storyboard: Storyboard) -> Iterator[Problem]:
    """Narration that goes on through no later shot, times that are none, and shots that last as what is not said."""
    shots = storyboard.placed_shots
    places = {shot.shot: number for number, (_, shot) in reversed(list(enumerate(shots)))}
    spoken_over = set[str]()
    for number, (path, shot) in enumerate(shots):
        for place, line in enumerate(shot.narration):
            at = (*path, "narration", place)
            yield from _time(storyboard, (*at, "from"), line.from_)
            if line.through is None:
                continue
            last = places.get(line.through)
            if last is None:
                message = f"there is no shot `{line.through}` to speak through"
                yield Problem(storyboard.where(*at, "through"), message, suggestion(line.through, places))
            elif last < number:
                message = f"the narration begins in {shot.shot}, which is after {line.through}"
                yield Problem(storyboard.where(*at, "through"), message, "name a later shot")
            else:
                spoken_over.update(one.shot for _, one in shots[number : last + 1])
        if shot.pad:
            yield from _time(storyboard, (*path, "pad"), shot.pad)
    for path, shot in shots:
        if shot.lasts_as_speech and not _says_something(shot) and shot.shot not in spoken_over:
            message = f"shot {shot.shot} lasts as long as what is said in it, and nothing is"
            yield Problem(
                storyboard.where(*path, "duration"), message, "add `dialogue` or `narration`, or write a time"
            )


def pad_problems(storyboard: Storyboard, path: KeyPath, shot: Shot) -> Iterator[Problem]:
    """A `pad` that is written at a shot which has a length of its own. Defaults may have one for other shots."""
    if shot.lasts_as_speech:
        return
    where = storyboard.where(*path, "pad")
    if where not in (storyboard.where("defaults", "pad"), storyboard.where(*path[:2], "defaults", "pad")):
        message = f"`pad` has no effect: shot {shot.shot} lasts {shot.duration}, not as long as what is said in it"
        yield Problem(where, message, "write `duration: speech`, or remove `pad`")


def _says_something(shot: Shot) -> bool:
    return bool(shot.dialogue or shot.narration or shot.sound)


def _time(storyboard: Storyboard, path: KeyPath, length: Duration | None) -> Iterator[Problem]:
    try:
        if length:
            length.frames(storyboard.format.fps)
    except ValueError as error:
        yield Problem(storyboard.where(*path), str(error))
