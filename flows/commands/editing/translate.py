"""The command `translate`: shows the translations of a film's lines; with --extract it writes the file for them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from storyreel.flows.commands import options
from storyreel.flows.errors import RunFailed
from storyreel.flows.output import print_line
from storyreel.specs.problems.phrases import abridged, counted, reason, shown
from storyreel.specs.problems.problem import Problem, StoryboardError

if TYPE_CHECKING:
    from storyreel.specs.storyboard import Storyboard
    from storyreel.specs.translations.file import Translations
    from storyreel.specs.translations.status import Status


def translate(
    storyboard: options.File,
    extract: Annotated[
        bool,
        typer.Option("--extract", help="Write the lines that are to be translated into the file, or add new ones."),
    ] = False,
    sets: options.Set = None,
    as_json: options.AsJson = False,
) -> None:
    """Show which lines of a film are translated for its subtitles. Makes and buys nothing."""
    from storyreel.specs.reading import read
    from storyreel.specs.translations.file import read_translations
    from storyreel.specs.translations.status import status_of

    film = read(storyboard, options.parse_vars(sets))
    if len(film.languages) < 2:
        where = film.where("languages") if film.languages else film.where()
        message = "the film has no language to translate into"
        hint = "name its own and the others: `languages: [en, fr]`"
        # `validate` would find nothing wrong.
        next = f"storyreel translate {shlex.quote(str(storyboard))} --extract"
        raise StoryboardError([Problem(where, message, hint)], next=next)
    translations = read_translations(film)
    if extract:
        translations = _extract(film, translations)
    status = status_of(film, translations)
    if as_json:
        options.print_json(_as_json(film, translations, status))
        return
    for line in _lines(film, translations, status, storyboard):
        print_line(line)


def _extract(film: Storyboard, translations: Translations) -> Translations:
    """Write the film's file of translations, and return what it says now. Raises TranslationsError and RunFailed."""
    from storyreel.specs.translations.extract import extracted
    from storyreel.specs.translations.file import parse_translations
    from storyreel.tasks.storage.files import write_whole

    file = translations.file
    try:
        before = file.read_bytes().decode("utf-8-sig") if file.exists() else ""
        after = extracted(before, film, translations)
        if after != before:
            write_whole(file, after)
    except OSError as error:
        raise RunFailed(f"{file} cannot be written: {reason(error)}") from error
    return parse_translations(after, film)


def _lines(film: Storyboard, translations: Translations, status: Status, storyboard: Path) -> Iterator[str]:
    from storyreel.specs.language.tongues import language_name

    count = len(status.wanted)
    for language, missing in status.missing.items():
        done = f"{count - len(missing)} of {counted(count, 'line')} translated"
        yield f"{language} ({language_name(language)}): {done}"
        yield from (f"  missing  {line.said}: {shown(line.text, 100)}" for line in missing)
    for entry in status.stale:
        where = f"{translations.file.name}:{entry.position.line}"
        yield f"stale: {shown(entry.line, 100)} ({where}) is said nowhere any more"
    if status.unlisted:
        yield f"next: storyreel translate {shlex.quote(str(storyboard))} --extract"
    elif lacking := [language for language, missing in status.missing.items() if missing]:
        yield f"next: translate into {abridged(lacking)} in {translations.file}"


def _as_json(film: Storyboard, translations: Translations, status: Status) -> dict[str, object]:
    return {
        "file": str(translations.file),
        "lines": len(status.wanted),
        "languages": [
            {
                "language": language,
                "missing": [{"line": line.text, "said": line.said, "shots": list(line.shots)} for line in missing],
            }
            for language, missing in status.missing.items()
        ],
        "stale": [{"line": entry.line, "at": entry.position.line} for entry in status.stale],
    }
