"""The storyboard of a film as a deliverable shows it: its size, level, titles and subtitles."""

from __future__ import annotations

from collections.abc import Iterable

from storyreel.specs.language.finishing.deliverables import Deliverable, SizedFormat
from storyreel.specs.language.finishing.subtitles import Subtitles
from storyreel.specs.storyboard import Shot, Storyboard


def film_as(film: Storyboard, deliverable: Deliverable) -> Storyboard:
    """The storyboard of a deliverable. Its times stay those of the film, at the film's rate."""
    size = SizedFormat(**film.format.__dict__, pixels=deliverable.size(film.format))
    shown = film.model_copy(
        update={
            "format": size,
            "sound": deliverable.sound or film.sound,
            "subtitles": _subtitles(film, deliverable),
            "deliverables": (),
        }
    )
    return shown if deliverable.titles else _clean(shown)


def soft_languages(film: Storyboard, deliverable: Deliverable) -> tuple[str, ...]:
    """The languages of the subtitles that are tracks of a deliverable; that of a film that names none is empty."""
    is_soft = deliverable.subtitles.soft if deliverable.subtitles else film.has_subtitle_tracks
    return subtitle_languages(film, deliverable) if is_soft else ()


def shown_languages(film: Storyboard, deliverable: Deliverable) -> tuple[str, ...]:
    """The languages of the subtitles that are tracks of a deliverable or in its picture."""
    burnt_in = film_as(film, deliverable).burnt_in_language
    return tuple(dict.fromkeys((*soft_languages(film, deliverable), *(() if burnt_in is None else (burnt_in,)))))


def offered_languages(film: Storyboard, deliverable: Deliverable) -> tuple[str, ...]:
    """The languages of the subtitles that a player shows with a deliverable; none if it is to have no subtitles."""
    asked = deliverable.subtitles
    has_none = asked is not None and not (asked.soft or asked.burn_in)
    return () if has_none else subtitle_languages(film, deliverable)


def subtitle_languages(film: Storyboard, deliverable: Deliverable) -> tuple[str, ...]:
    """The languages of a deliverable's subtitles."""
    return deliverable.languages or film.languages or ("",)


def _subtitles(film: Storyboard, deliverable: Deliverable) -> Subtitles | None:
    own, asked = film.subtitles, deliverable.subtitles
    if asked is None:
        burnt_in = film.burnt_in_language
        # A language that the deliverable has none of is not in its picture either.
        is_kept = not deliverable.languages or burnt_in in deliverable.languages
        return own if own is None or is_kept else own.model_copy(update={"burn_in": False})
    return Subtitles(
        burn_in=asked.burn_in,
        language=asked.language or subtitle_languages(film, deliverable)[0] or None,
        style=asked.style or (own.style if own else None),
        speakers=own.speakers if own else False,
    )


def _clean(film: Storyboard) -> Storyboard:
    """A film without words over its picture; its cards and credits are shots."""

    def clean(shots: Iterable[Shot]) -> tuple[Shot, ...]:
        return tuple(shot.model_copy(update={"titles": ()}) if shot.titles else shot for shot in shots)

    scenes = tuple(scene.model_copy(update={"shots": clean(scene.shots)}) for scene in film.scenes)
    subtitles = film.subtitles.model_copy(update={"burn_in": False}) if film.subtitles else None
    return film.model_copy(update={"titles": (), "shots": clean(film.shots), "scenes": scenes, "subtitles": subtitles})
