"""The file of translations beside a storyboard: `film.translations.yaml` beside `film.yaml`.

    translations: 1
    lines:
      - line: Who's there?
        said: 1B, Mira
        fr: Qui est là ?

A line is found by its words, wherever it is said. An empty translation is none.
"""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from storyreel.specs.language.finishing.subtitles import LARGEST_TRANSLATIONS, translations_name
from storyreel.specs.language.tongues import canonical_tag, is_tag
from storyreel.specs.language.values import LONGEST_TEXT, as_text
from storyreel.specs.problems.phrases import shown, suggestion
from storyreel.specs.problems.problem import MOST_PROBLEMS, Position, Problem, StoryboardError
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.yaml.load import load
from storyreel.specs.yaml.tree import Node, parse

KEYS = ("line", "said", "was")
"""The keys of an entry that are no languages."""
_BEGINNING = "it begins with `translations: 1`; move it away, and `storyreel translate FILM --extract` writes one"


class TranslationsError(StoryboardError):
    """The file of translations cannot be used."""

    def __init__(self, problems: list[Problem], film: str) -> None:
        super().__init__(problems)
        self.next = f"storyreel translate {shlex.quote(film)}"


class Entry(NamedTuple):
    """A line with its translations."""

    line: str
    position: Position
    """Of its mapping."""
    texts: Mapping[str, str] = MappingProxyType({})
    """By language; none of them is empty."""
    said: str = ""
    """The place of the line in the film, as `--extract` wrote it last."""
    was: str = ""
    """The words that the line had before, if it was changed."""
    languages: frozenset[str] = frozenset()
    """The languages that have a key, with or without a text."""


class Translations(NamedTuple):
    """The translations of a film."""

    file: Path
    entries: Mapping[str, Entry] = MappingProxyType({})
    """By the words of the line, as `words` gives them."""

    def text(self, line: str, language: str) -> str:
        """A line in a language; empty if it is not translated."""
        entry = self.entries.get(words(line))
        return entry.texts.get(language, "") if entry else ""


def words(line: str) -> str:
    """A line as it is looked up: spaces and accents that are written in another way make no other line."""
    return " ".join(unicodedata.normalize("NFC", line).split())


def translations_file(film: Storyboard) -> Path:
    """The path of a film's file of translations, whether it exists or not."""
    return film.folder.absolute() / translations_name(film.where().file)


def read_translations(film: Storyboard) -> Translations:
    """The translations of a film; none of one without languages, or whose file is empty or does not exist.

    Raises TranslationsError.
    """
    file = translations_file(film)
    if not film.languages or not file.exists() or (file.is_file() and file.stat().st_size == 0):
        return Translations(file)
    root, problems = load(file, LARGEST_TRANSLATIONS, "it holds the translations of the film", _BEGINNING)
    return _checked(root, problems, file, film)


def parse_translations(text: str, film: Storyboard) -> Translations:
    """The translations in the text of a film's file. Raises TranslationsError."""
    file = translations_file(film)
    return _checked(*parse(text, str(file), _BEGINNING), file, film)


def _checked(root: Node | None, problems: list[Problem], file: Path, film: Storyboard) -> Translations:
    entries: dict[str, Entry] = {}
    problems = [*problems, *(_problems(root, str(file), entries) if root else ())]
    if problems:
        raise TranslationsError(problems[:MOST_PROBLEMS], film.where().file)
    return Translations(file, entries)


def _problems(root: Node, file: str, entries: dict[str, Entry]) -> Iterator[Problem]:
    """The problems of a tree. Entries without a problem are put into `entries`."""
    if "translations" not in root.entries:
        yield Problem(root.position(file), "this is not a file of translations", _BEGINNING)
        return
    for key, entry in root.entries.items():
        where = Position(file, entry.line, entry.column)
        if key not in ("translations", "lines"):
            hint = suggestion(key, ("translations", "lines"), "known here are `translations` and `lines`")
            yield Problem(where, f"unknown key `{shown(key)}`", hint)
        elif key == "translations" and entry.node.value != 1:
            yield Problem(where, f"version `{shown(entry.node.value)}` of such files is not read", "write 1")
    lines = root.child("lines")
    if lines and lines.value is not None and not isinstance(lines.value, list):
        yield Problem(lines.position(file), "`lines` must be a list", "write `- line: …`, one for each line")
    for node in lines.items if lines else ():
        found = _Reader(node, file)
        yield from found.problems
        if found.entry is None:
            continue
        if first := entries.get(words(found.entry.line)):
            message = f"this line is there already, in line {first.position.line}"
            yield Problem(node.position(file), message, "keep one of the two")
        entries.setdefault(words(found.entry.line), found.entry)


class _Reader:
    """The entry of a node, None if it has no line; and what is wrong with it."""

    def __init__(self, node: Node, file: str) -> None:
        self.problems: list[Problem] = []
        self.entry: Entry | None = None
        self._file = file
        texts: dict[str, str] = {}
        for key, entry in node.entries.items():
            where = Position(file, entry.line, entry.column)
            tag = canonical_tag(key)
            if key not in KEYS and not is_tag(key):
                hint = suggestion(key, KEYS, "languages are named by tags such as `fr` or `pt-BR`")
                self.problems.append(Problem(where, f"unknown key `{shown(key)}`", hint))
            elif tag in texts:
                self.problems.append(Problem(where, f"`{tag}` is written twice", "keep one of the two"))
            else:
                texts[tag] = self._text(key, entry.node)
        if not texts.get("line"):
            hint = "write `line: …`, the words as they are said"
            self.problems.append(Problem(node.position(file), "`line` is missing", hint))
            return
        line, said, was = (texts.pop(key, "") for key in KEYS)
        given = {tag: text for tag, text in texts.items() if text}
        self.entry = Entry(line, node.position(file), given, said, was, frozenset(texts))

    def _text(self, key: str, node: Node) -> str:
        value = as_text(node.value)
        if value is None:
            return ""
        if not isinstance(value, str):
            hint = "put it in quotes if it begins with `{`, `[` or is `true`"
            self.problems.append(Problem(node.position(self._file), f"`{shown(key)}` must be a text", hint))
            return ""
        if len(value) > LONGEST_TEXT:
            message = f"`{shown(key)}` has {len(value)} characters, at most {LONGEST_TEXT}"
            self.problems.append(Problem(node.position(self._file), message))
        return value.strip()
