"""From a file to a storyboard: parse, fill in, validate, check. One reading finds all mistakes with their positions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from storyreel.specs.language.finishing.subtitles import LARGEST_TRANSLATIONS, translations_name
from storyreel.specs.problems.phrases import shown
from storyreel.specs.problems.problem import MOST_PROBLEMS, Position, Problem, StoryboardError
from storyreel.specs.sources import NOT_BESIDE, leads_away
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.validation.cascade import cascade
from storyreel.specs.validation.check import check, placed_sources
from storyreel.specs.validation.recovery import STORYBOARD, recover
from storyreel.specs.yaml import variables
from storyreel.specs.yaml.load import load
from storyreel.specs.yaml.tree import Node, Positions

LARGEST = 8_000_000
"""Bytes of a storyboard file; a film of a thousand shots has about 300,000."""

_HINT = "give the file of a storyboard; `storyreel init` writes one"
NO_VARS: Mapping[str, str] = MappingProxyType({})


class NamedFile(NamedTuple):
    """A local file that a storyboard names."""

    position: Position
    """Of its first mention."""
    most_bytes: int
    """More than any of its uses allows."""
    is_optional: bool = False
    """Whether the storyboard is read without it, too."""


def read(path: Path, set_vars: Mapping[str, str] = NO_VARS, *, confined: bool = False) -> Storyboard:
    """The storyboard in a file, with `set_vars` over its variables. Raises StoryboardError with all problems.

    With `confined` it may name no file outside of its folder: who wrote it may not choose among the files of this host.
    """
    root, problems = _load(path)
    storyboard, found = from_tree(root, path.absolute().parent, str(path), set_vars, confined=confined)
    if storyboard is None or problems or found:
        raise StoryboardError([*problems, *found])
    return storyboard


def require_files_of(film: Storyboard, path: Path, own_vars: Mapping[str, str]) -> None:
    """Return if a film names no file outside of its folder but those that its file names with `own_vars`.

    Who sets other variables may not choose among the files of this host. Raises StoryboardError.
    """
    known: set[str] = set()
    with suppress(StoryboardError):
        own = read(path, {name: value for name, value in own_vars.items() if name in film.vars})
        known = {source for _, source, _ in placed_sources(own)}
    away = [
        Problem(position, f"`{shown(source)}` is not beside the storyboard", NOT_BESIDE)
        for position, source, _ in placed_sources(film)
        if source not in known and leads_away(source)
    ]
    if away:
        raise StoryboardError(away[:MOST_PROBLEMS])


def read_title(path: Path, set_vars: Mapping[str, str] = NO_VARS) -> str:
    """The title in a storyboard's file, whatever mistakes are in the rest; empty if it has none or cannot be read."""
    root, _ = load(path, LARGEST, _HINT, STORYBOARD.beginning)
    title = variables.fill(root, set_vars, str(path))[0].child("title") if root else None
    return variables.as_text(title.value) if title else ""


def named_files(path: Path, set_vars: Mapping[str, str], address: str) -> dict[str, NamedFile]:
    """The local files that a storyboard from an address names, as written, existing or not, and its translations.

    `address` is what problems name. Raises StoryboardError if it is unreadable, or for files outside of its folder.
    """
    root, problems = _load(path)
    root, _ = variables.fill(root, set_vars, address)
    storyboard, root, refused, _ = recover(cascade(root, address), address)
    if storyboard is None:
        raise StoryboardError([*problems, *refused])
    storyboard._positions = Positions(address, root)
    files: dict[str, NamedFile] = {}
    away = []
    for position, source, kind in placed_sources(storyboard):
        if leads_away(source):
            away.append(Problem(position, f"`{shown(source)}` is not beside the storyboard", NOT_BESIDE))
        known = files.setdefault(source, NamedFile(position, 0))
        files[source] = known._replace(most_bytes=max(known.most_bytes, kind.value.most_bytes))
    if away:
        raise StoryboardError(away[:MOST_PROBLEMS])
    if storyboard.languages:
        beside = NamedFile(storyboard.where("languages"), LARGEST_TRANSLATIONS, is_optional=True)
        files.setdefault(translations_name(path.name), beside)
    return files


def from_tree(
    root: Node, folder: Path, file: str, set_vars: Mapping[str, str], *, confined: bool = False
) -> tuple[Storyboard | None, list[Problem]]:
    """The storyboard of a tree, and what is wrong with it: None if too little is left without its mistakes.

    `folder` is the one that its paths are relative to. Raises StoryboardError if its defaults make it too large.
    """
    root, unfilled = variables.fill(root, set_vars, file)
    storyboard, root, refused, altered = recover(cascade(root, file), file)
    if storyboard is None:
        return None, [*unfilled, *refused]
    storyboard._folder, storyboard._is_confined = folder, confined
    storyboard._positions = Positions(file, root)
    return storyboard, [*unfilled, *refused, *check(storyboard, altered)]


def _load(path: Path) -> tuple[Node, list[Problem]]:
    root, problems = load(path, LARGEST, _HINT, STORYBOARD.beginning)
    if root is None:
        if os.path.lexists(path):
            raise StoryboardError(problems)
        near = get_close_matches(path.stem, beside := _beside(path), 1)
        hint = f"did you mean `{beside[near[0]]}`?" if near else _HINT
        # There is nothing to validate; the hint says what to do.
        raise StoryboardError([problem._replace(hint=hint) for problem in problems], next="")
    return root, problems


def _beside(path: Path) -> dict[str, str]:
    """The YAML files in the folder of a path: their names, by their names without endings."""
    with suppress(OSError):
        return {file.stem: file.name for file in path.parent.iterdir() if file.suffix in (".yaml", ".yml")}
    return {}
