"""The status of a film's translations: lines without one, and translations of lines that are gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from storyreel.specs.derived.lines import lines_of, name_of
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.translations.file import Entry, Translations, words


@dataclass(frozen=True, slots=True)
class WantedLine:
    """A line that is to be translated."""

    text: str
    said: str
    """The shots in which it is said and who says it: `1B, Mira`."""
    shots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """The translations of a film against what is said in it."""

    wanted: Mapping[str, WantedLine]
    """All lines by their words, in the order of the film."""
    missing: Mapping[str, tuple[WantedLine, ...]]
    """By each language but the film's own, the lines that are not translated."""
    stale: tuple[Entry, ...]
    """The lines of the file that are said nowhere."""
    unlisted: tuple[WantedLine, ...]
    """The lines that the file does not have."""


def status_of(film: Storyboard, translations: Translations) -> Status:
    """The translations of a film against what is said in it."""
    wanted = wanted_lines(film)
    missing = {
        language: tuple(line for line in wanted.values() if not translations.text(line.text, language))
        for language in film.languages[1:]
    }
    stale = tuple(entry for key, entry in translations.entries.items() if key not in wanted)
    return Status(wanted, missing, stale, tuple(one for key, one in wanted.items() if key not in translations.entries))


def wanted_lines(film: Storyboard) -> dict[str, WantedLine]:
    """The lines of a film by their words; one that is said several times once."""
    shots: dict[str, list[str]] = {}
    speakers: dict[str, list[str]] = {}
    for line in lines_of(film):
        shots.setdefault(words(line.text), []).append(line.shot)
        speakers.setdefault(words(line.text), []).append(name_of(film, line) or line.speaker)
    return {
        text: WantedLine(text, ", ".join(dict.fromkeys([*said, *speakers[text]])), tuple(dict.fromkeys(said)))
        for text, said in shots.items()
    }
