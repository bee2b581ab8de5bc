"""From a file to a storyboard: parse, fill in, validate, check. One reading finds all mistakes with their positions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from storyreel.specs.problems.problem import Problem, StoryboardError
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.validation.cascade import cascade
from storyreel.specs.validation.check import check, local_sources
from storyreel.specs.validation.recovery import STORYBOARD, recover
from storyreel.specs.yaml import variables
from storyreel.specs.yaml.load import load
from storyreel.specs.yaml.tree import Node, Positions

LARGEST = 8_000_000
"""Bytes of a storyboard file; a film of a thousand shots has about 300,000."""

_HINT = "give the file of a storyboard; `storyreel init` writes one"
NO_VARS: Mapping[str, str] = MappingProxyType({})


def read(path: Path, set_vars: Mapping[str, str] = NO_VARS) -> Storyboard:
    """The storyboard in a file, with `set_vars` over its variables. Raises StoryboardError with all problems."""
    root, problems = _load(path)
    storyboard, found = from_tree(root, path.absolute().parent, str(path), set_vars)
    if storyboard is None or problems or found:
        raise StoryboardError([*problems, *found])
    return storyboard


def local_files(path: Path, set_vars: Mapping[str, str] = NO_VARS) -> list[str]:
    """The local files that a storyboard names, as written, existing or not. Raises StoryboardError if unreadable."""
    file = str(path)
    root, problems = _load(path)
    root, _ = variables.fill(root, set_vars, file)
    recovered = recover(cascade(root, file), file)
    if recovered.storyboard is None:
        raise StoryboardError([*problems, *recovered.problems])
    return local_sources(recovered.storyboard)


def from_tree(
    root: Node, folder: Path, file: str, set_vars: Mapping[str, str]
) -> tuple[Storyboard | None, list[Problem]]:
    """The storyboard of a tree, and what is wrong with it: None if too little is left without its mistakes.

    `folder` is the one that its paths are relative to. Raises StoryboardError if its defaults make it too large.
    """
    root, unfilled = variables.fill(root, set_vars, file)
    storyboard, root, refused, altered = recover(cascade(root, file), file)
    if storyboard is None:
        return None, [*unfilled, *refused]
    storyboard._folder = folder
    storyboard._positions = Positions(file, root)
    return storyboard, [*unfilled, *refused, *check(storyboard, altered)]


def _load(path: Path) -> tuple[Node, list[Problem]]:
    root, problems = load(path, LARGEST, _HINT, STORYBOARD.beginning)
    if root is None:
        raise StoryboardError(problems)
    return root, problems
