"""Completes slates and selections for shells, by the storyboard that is typed already. Silent about its mistakes."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from storyreel.specs.storyboard import Storyboard


def complete_slate(context: typer.Context, incomplete: str) -> list[str]:
    """The slates of the film's shots, stills, sheets and lines that begin so."""
    from storyreel.specs.derived.pictures import pictures_of_film
    from storyreel.specs.derived.speech import lines_to_speak

    film = _film(context)
    return _beginning(
        incomplete,
        [shot.shot for shot in (*film.all_shots, *pictures_of_film(film), *lines_to_speak(film))] if film else (),
    )


def complete_selection(context: typer.Context, incomplete: str) -> list[str]:
    """The terms that select takes of the film, after those that are written before the last comma."""
    from storyreel.flows.planning.selection import selectable

    before, comma, last = incomplete.rpartition(",")
    film = _film(context)
    return [f"{before}{comma}{term}" for term in _beginning(last, selectable(film) if film else ())]


def complete_deliverable(context: typer.Context, incomplete: str) -> list[str]:
    """The names of the film's deliverables that begin so, and `none`."""
    film = _film(context)
    return _beginning(incomplete, [*(each.name for each in film.deliverables), "none"] if film else ())


def _beginning(incomplete: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]


def _film(context: typer.Context) -> Storyboard | None:
    """The storyboard of a command line; None if it is not on this machine, or has mistakes."""
    from storyreel.flows.commands.options import parse_vars
    from storyreel.specs.problems.problem import StoryboardError
    from storyreel.specs.reading import read

    # Arguments are not parsed while the value of an option before them is missing.
    words = [str(context.params.get("storyboard") or ""), *_typed_words()]
    file = next((Path(word) for word in words if word and Path(word).is_file()), None)
    try:
        return read(file, parse_vars(context.params.get("sets"))) if file else None
    except (StoryboardError, typer.BadParameter):
        return None


def _typed_words() -> list[str]:
    """The arguments as they are typed, of which bash passes on one variable and other shells another one."""
    try:
        return shlex.split(os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS", ""))[1:]
    except ValueError:  # a quote is still open
        return []
