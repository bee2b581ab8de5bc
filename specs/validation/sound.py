"""Checks of what is heard: music, ambience and the mix of shots lie inside the film, and their fades inside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from storyreel.specs.cut import Cut
from storyreel.specs.language.sound import Ambience, Mix, Music
from storyreel.specs.problems.problem import KeyPath, Problem
from storyreel.specs.storyboard import Storyboard


def sound_problems(storyboard: Storyboard, cut: Cut | None) -> Iterator[Problem]:
    """Times that contradict each other. Without the `cut` of the film those that need no lengths of shots."""
    for number, music in enumerate(storyboard.music):
        yield from _music(storyboard, ("music", number), music, cut.frames if cut else None)
    events = {event.shot: event for event in cut.events} if cut else {}
    if storyboard.ambience and storyboard.scenes:
        hint = "write it in each scene that has one"
        yield Problem(storyboard.where("ambience"), "in a film with scenes `ambience` is a key of scenes", hint)
    for path, ambience in placed_ambience(storyboard):
        shots = storyboard.scenes[int(path[1])].shots if path[:1] == ("scenes",) else storyboard.shots
        length = sum(events[shot.shot].frames for shot in shots if shot.shot in events) if events else None
        yield from _fades(storyboard, path, ambience, "the ambience's fades are longer than its shots", length)
    for path, shot in storyboard.placed_shots:
        if "mix" in shot.model_fields_set:
            event = events.get(shot.shot)
            yield from _fades(
                storyboard,
                (*path, "mix"),
                shot.mix,
                "the fades of the mix are longer than the shot",
                event.with_handles if event else None,
            )


def placed_ambience(storyboard: Storyboard) -> Iterator[tuple[KeyPath, Ambience]]:
    """The ambience of the film or of its scenes, each with its path in the file."""
    if storyboard.ambience:
        yield ("ambience",), storyboard.ambience
    for number, scene in enumerate(storyboard.scenes):
        if scene.ambience:
            yield ("scenes", number, "ambience"), scene.ambience


def _music(storyboard: Storyboard, path: KeyPath, music: Music, running: int | None) -> Iterator[Problem]:
    frames, wrong = _frames(storyboard, path, music, ("from", "start", "end", "fade_in", "fade_out"))
    if wrong:
        yield wrong
        return
    end = frames["end"] if music.end else running
    if end is not None and frames["start"] >= end:
        message = "the music ends before it starts" if music.end else "the music starts after the film"
        yield Problem(storyboard.where(*path, "end" if music.end else "start"), message)
    elif end is not None:
        yield from _too_long(
            storyboard, path, frames, "the music's fades are longer than it plays", end - frames["start"]
        )


def _fades(
    storyboard: Storyboard, path: KeyPath, faded: Ambience | Mix, message: str, length: int | None
) -> Iterator[Problem]:
    frames, wrong = _frames(storyboard, path, faded, ("fade_in", "fade_out"))
    if wrong:
        yield wrong
    elif length is not None:
        yield from _too_long(storyboard, path, frames, message, length)


def _too_long(
    storyboard: Storyboard, path: KeyPath, frames: Mapping[str, int], message: str, length: int
) -> Iterator[Problem]:
    if frames["fade_in"] + frames["fade_out"] > length:
        where = storyboard.where(*path, "fade_out" if frames["fade_out"] else "fade_in")
        yield Problem(where, message)


def _frames(
    storyboard: Storyboard, path: KeyPath, model: Music | Ambience | Mix, keys: tuple[str, ...]
) -> tuple[dict[str, int], Problem | None]:
    """The times of a model in frames, 0 for those that are not written; the problem of the first that is wrong."""
    frames: dict[str, int] = {}
    for key in keys:
        length = getattr(model, "from_" if key == "from" else key)
        try:
            frames[key] = length.frames(storyboard.format.fps) if length else 0
        except ValueError as error:
            return frames, Problem(storyboard.where(*path, key), str(error))
    return frames, None
