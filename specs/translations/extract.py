"""Writes a film's file of translations, and adds to one that is there: what is in it stays, to the character."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from storyreel.specs.problems.problem import Position, Problem
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.translations.file import Entry, Translations, TranslationsError, parse_translations, words
from storyreel.specs.translations.status import Status, WantedLine, status_of
from storyreel.specs.yaml.edits import MappingText, append, apply_edits

_HEAD = """\
# Translations of what is said in the film, for its subtitles. `storyreel translate` says what is missing;
# with --extract it adds new lines here and changes nothing that is written. A line that was reworded names its old
# words after `was`: their translations are still in the entry of these.
translations: 1

"""
NOWHERE = "nowhere any more"
"""`said` of a line that is no longer in the film."""
_ALIKE = 0.6
"""From which similarity on a new line may be an old one with other words."""


def extracted(text: str, film: Storyboard, translations: Translations) -> str:
    """The text of a film's file with all that is to be translated; `translations` is what `text` says, which is empty
    if there is no file.

    Raises TranslationsError if it is written in a way that cannot be edited without changing more.
    """
    status = status_of(film, translations)
    others = film.languages[1:]
    places = {(entry.position.line, entry.position.column): entry for entry in translations.entries.values()}
    found = MappingText.at_each(text, set(places)) if places else {}
    edits = [
        edit
        for place, mapping in found.items()
        for edit in mapping.edits(dict(_changes(places[place], status, others)), inherited=False)
    ]
    added = [dict(_new(line, status, others)) for line in status.unlisted]
    after = append(apply_edits(text or _HEAD, sorted(edits)), "lines", *added)
    _check(after, film, translations, status)
    return after


def _changes(entry: Entry, status: Status, languages: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The keys that an entry lacks, or that are not true any more."""
    wanted = status.wanted.get(words(entry.line))
    said = wanted.said if wanted else NOWHERE
    if said != entry.said:
        yield "said", said
    if wanted:
        yield from ((language, "") for language in languages if language not in entry.languages)


def _new(line: WantedLine, status: Status, languages: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    yield "line", line.text
    yield "said", line.said
    before = get_close_matches(line.text, [entry.line for entry in status.stale], 1, _ALIKE)
    if before:
        yield "was", before[0]
    yield from ((language, "") for language in languages)


def _check(text: str, film: Storyboard, before: Translations, status: Status) -> None:
    """Return if a text says what it should: all that it said, and what was wanted."""
    try:
        after = parse_translations(text, film)
        stays = {key: entry.texts for key, entry in before.entries.items()}
        is_kept = {key: after.entries[key].texts for key in stays} == stays
        if is_kept and not status_of(film, after).unlisted and set(after.entries) == {*stays, *status.wanted}:
            return
    except (TranslationsError, KeyError):
        pass
    message = "the file is written in a way that cannot be added to without changing more"
    hint = "write its `lines` as a list, one `- line: …` each; or move it away, and it is written anew"
    raise TranslationsError([Problem(Position(str(before.file), 1, 1), message, hint)], film.where().file)
