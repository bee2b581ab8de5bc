"""The lines that a service speaks, each written as a shot of its own: it is planned, made and reviewed as shots are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from storyreel.specs.derived.lines import SpokenLine, lines_of_shot
from storyreel.specs.language.speech import CastSpeech, Speech
from storyreel.specs.problems.problem import KeyPath
from storyreel.specs.storyboard import Review, Shot, Storyboard
from storyreel.specs.validation.check import FREE


class LineShot(Shot):
    """A line that a service speaks, as a shot that is one sound."""

    line: SpokenLine
    voice: str | None
    """The service's name of the voice; None for its first."""
    language: str
    """The tag of the language that is spoken; empty if it is not known."""


def lines_to_speak(film: Storyboard, shots: Iterable[Shot] | None = None) -> Iterator[LineShot]:
    """The lines of a film, or of these shots of it, that have no recording; dialogue only where it is asked for."""
    has_dialogue = film.speech is not None and film.speech.dialogue
    for shot in film.all_shots if shots is None else shots:
        for line in lines_of_shot(film, shot):
            is_recorded = line.sound or (line.kind == "dialogue" and shot.sound)
            if not is_recorded and (line.kind == "narration" or has_dialogue):
                yield _as_shot(film, shot, line)


def path_of_line(film: Storyboard, line: SpokenLine) -> KeyPath:
    """The path in the file of a line; it is not there if the line is in the defaults."""
    path = next(path for path, shot in film.placed_shots if shot.shot == line.shot)
    return (*path, *line.path)


def path_of_voice(film: Storyboard, line: SpokenLine, key: str) -> KeyPath:
    """The path in the file of what says who speaks a line: `key` of the speaker's `speech`, else of the film's."""
    own = ("cast", line.speaker, "speech")
    member = film.cast.get(line.speaker)
    if member and member.speech and getattr(member.speech, key):
        return (*own, key)
    return ("speech", key) if film.speech else (*own, key)


def _as_shot(film: Storyboard, shot: Shot, line: SpokenLine) -> LineShot:
    member = film.cast.get(line.speaker)
    of_film, mine = film.speech or Speech.model_construct(), (member and member.speech) or CastSpeech.model_construct()
    provider = mine.provider or of_film.provider or FREE
    is_of_film = provider == (of_film.provider or FREE)
    own = {
        "shot": line.slate,
        "action": line.text,
        "takes": 1,
        "circled": None,
        "seed": None,
        "provider": provider,
        "providers": (),
        "model": mine.model or (of_film.model if is_of_film else None),
        "review": Review.model_construct(clip=shot.review.speech),
        "still": None, "last_still": None, "first_frame": None, "last_frame": None, "continues": None, "edit": None,
        "dialogue": (), "narration": (), "sound": None, "mode": None, "cast": (), "references": (),
        "line": line,
        "voice": mine.voice or (of_film.voice if is_of_film else "") or None,
        "language": of_film.language or (film.own_language if provider == FREE else ""),
    }  # fmt: skip
    return LineShot.model_construct(**{**shot.__dict__, **own})
