"""The subtitles of a film in each of its languages, placed in its cut, and warnings about them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from storyreel.flows.planning.model import Plan
from storyreel.specs.cut import Cut
from storyreel.specs.derived.deliverable import film_as, shown_languages
from storyreel.specs.derived.lines import Lengths, PlacedLine, name_of, placed_lines
from storyreel.specs.language.finishing.deliverables import Deliverable
from storyreel.specs.language.finishing.subtitles import translations_name
from storyreel.specs.problems.phrases import abridged, counted
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.translations.file import Translations, read_translations
from storyreel.specs.translations.status import status_of
from storyreel.tasks.subtitles.breaking import NARROW, USUAL
from storyreel.tasks.subtitles.cues import Cue, Departure, Rule, SaidLine, make_cues
from storyreel.tasks.subtitles.formats import TimedText


class SubtitleTrack(NamedTuple):
    """The subtitles of a film in one language."""

    language: str
    """Its tag; empty for a film that names no language."""
    cues: tuple[Cue, ...]
    texts: tuple[TimedText, ...]
    """The subtitles with times in seconds."""
    departures: tuple[Departure, ...]


def subtitle_tracks(
    film: Storyboard, cut: Cut, lengths: Lengths, translations: Translations
) -> tuple[SubtitleTrack, ...]:
    """The subtitles of a film in each of its languages, its own first; none of a film in which nothing is said.

    What is not translated is in the film's own language.
    """
    placed = placed_lines(film, cut, lengths)
    languages = film.languages or ("",)
    return tuple(_track(film, cut, placed, language, translations) for language in languages) if placed else ()


def _track(
    film: Storyboard, cut: Cut, placed: Sequence[PlacedLine], language: str, translations: Translations
) -> SubtitleTrack:
    said = [
        SaidLine(each.line.shot, _words(film, each, language, translations), each.first_frame, each.end_frame)
        for each in placed
    ]
    cues, departures = make_cues(
        said,
        [event.start for event in cut.events],
        cut.frames,
        cut.rate,
        NARROW if _is_narrow(film) else USUAL,
        language=language,
        is_adjusted=film.has_subtitle_tracks,
    )
    # The files of a film that asks for nothing else have the times of its recordings, between two frames.
    exact = placed if not film.has_subtitle_tracks else ()
    begins = {each.first_frame: each.begin for each in reversed(exact)}
    ends = {each.end_frame: each.end for each in exact}
    texts = (TimedText(_time(cue.first, begins, cut), _time(cue.end, ends, cut), cue.lines) for cue in cues)
    return SubtitleTrack(language, cues, tuple(texts), departures)


def _time(frame: int, exact: Mapping[int, Fraction], cut: Cut) -> Fraction:
    return exact.get(frame, cut.rate.seconds(frame))


def _words(film: Storyboard, placed: PlacedLine, language: str, translations: Translations) -> str:
    text = translations.text(placed.line.text, language) or placed.line.text
    has_speakers = film.subtitles.speakers if film.subtitles else not film.languages
    speaker = name_of(film, placed.line) if has_speakers else ""
    return f"{speaker}: {text}" if speaker else text


def tracks_of_plan(film: Storyboard, plan: Plan) -> tuple[SubtitleTrack, ...]:
    """The subtitles of a planned film, with the translations that are there now. Raises TranslationsError."""
    return subtitle_tracks(film, plan.cut, plan.lengths, read_translations(film))


def subtitle_warnings(film: Storyboard, cut: Cut, lengths: Lengths) -> Iterator[str]:
    """Sentences on what subtitles lack, and on rules of reading that they cannot keep. Raises TranslationsError."""
    translations = read_translations(film)
    yield from translation_warnings(film, translations)
    for track in subtitle_tracks(film, cut, lengths, translations):
        yield from _rule_warnings(film, track)


def warnings_of_deliverable(film: Storyboard, deliverable: Deliverable, cut: Cut, lengths: Lengths) -> Iterator[str]:
    """Sentences on rules of reading that the subtitles of a deliverable cannot keep, where its lines are not those of
    the film. Raises TranslationsError."""
    shown, wanted = film_as(film, deliverable), shown_languages(film, deliverable)
    if not wanted or (film.has_subtitle_tracks and _is_narrow(film) == _is_narrow(shown)):
        return
    for track in subtitle_tracks(shown, cut, lengths, read_translations(film)):
        if track.language in wanted:
            yield from (f"{deliverable.name}: {warning}" for warning in _rule_warnings(shown, track))


def _is_narrow(film: Storyboard) -> bool:
    """Whether lines are as short as they must be in a picture that is higher than wide."""
    width, height = film.format.size
    return film.has_subtitle_tracks and width < height


def translation_warnings(film: Storyboard, translations: Translations) -> Iterator[str]:
    """A sentence for each language in which lines are missing."""
    status = status_of(film, translations)
    file = film.where().file
    for language, missing in status.missing.items():
        if missing:
            count = f"{len(missing)} of {counted(len(status.wanted), 'line')}"
            shots = abridged(list(dict.fromkeys(shot for line in missing for shot in line.shots)))
            how = f"storyreel translate {shlex.quote(file)}"
            extract = " --extract" if set(missing) & set(status.unlisted) else ""
            yield f"{language}: {count} are not translated ({shots}) and stay in {film.own_language}: {how}{extract}"


_LACKS: Mapping[Rule, str] = {
    "cut": "are over a cut, as they cannot be parted there",
    "gap": "follow each other without a pause",
    "lost": "are not shown, as there is no time for them",
}


def _rule_warnings(film: Storyboard, track: SubtitleTrack) -> Iterator[str]:
    which = f"the {track.language} subtitles" if len(film.languages) > 1 else "the subtitles"
    by_rule: dict[Rule, list[Departure]] = {}
    for departure in track.departures:
        by_rule.setdefault(departure.rule, []).append(departure)
    for rule, departures in by_rule.items():
        shots = abridged(list(dict.fromkeys(each.cue.shot for each in departures)))
        if rule != "fast":
            yield f"{which} of {shots} {_LACKS[rule]}"
            continue
        worst = max(departures, key=lambda each: each.letters_a_second / each.comfortable)
        speed = f"{worst.letters_a_second} letters a second are to be read, {worst.comfortable} are comfortable"
        more = f", or fewer words under `{track.language}` in {translations_name(film.where().file)}"
        yield f"{which} of {shots} are fast: {speed}; give the shots more time{more if track.language else ''}"
