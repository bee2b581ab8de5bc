"""Opens every file that a film names, so that a damaged one is found before anything is bought, and not at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path

from storyreel.specs.problems.phrases import reason, shown
from storyreel.specs.problems.problem import MOST_PROBLEMS, Position, Problem, StoryboardError
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.validation.check import placed_sources

_THREADS = min(4, os.cpu_count() or 1)
"""Files that are opened at the same time; the decoders use no Python."""
_MOST_KNOWN = 20_000


def check_media(film: Storyboard) -> None:
    """Return if every local picture, video, voice and sound of a film can be read to its end. Raises StoryboardError.

    A file is opened once, until it changes.
    """
    places: dict[tuple[Path, str], tuple[Position, str]] = {}
    for where, source, kind in placed_sources(film):
        if isinstance(file := film.resolve(source), Path):
            places.setdefault((file, kind.name), (where, source))
    files = list(places)
    if not files:
        return
    # Imported late, as the decoders below: a film without files needs neither.
    from concurrent.futures import ThreadPoolExecutor

    def problems() -> Iterator[Problem]:
        with ThreadPoolExecutor(_THREADS, "open") as pool:
            for (file, kind), wrong in zip(files, pool.map(lambda one: _wrong_with(*one), files), strict=True):
                if wrong:
                    where, source = places[file, kind]
                    message, hint = wrong
                    yield Problem(where, message.replace(str(file), f"`{shown(source)}`"), hint)

    if found := list(islice(problems(), MOST_PROBLEMS)) or list(_late_cues(film)):
        raise StoryboardError(found)


def _late_cues(film: Storyboard) -> Iterator[Problem]:
    """Music that is to begin after the end of its file."""
    if not any(music.from_ for music in film.music):
        return
    from storyreel.tasks.request.local_files import LocalFileChecks

    rate, checks = film.format.fps, LocalFileChecks()
    for number, music in enumerate(film.music):
        file, first = film.resolve(music.file), music.from_.frames(rate) if music.from_ else 0
        seconds = checks.seconds(file, "sound") if first and isinstance(file, Path) else None
        if seconds is not None and rate.seconds(first) >= seconds:
            message = f"`{shown(music.file)}` has {float(seconds):.4g} s, and is to begin at {music.from_}"
            yield Problem(film.where("music", number, "from"), message, "write an earlier `from`, or leave it out")


def _wrong_with(file: Path, kind: str) -> tuple[str, str] | None:
    try:
        status = file.stat()
        return _opened(file, kind, status.st_size, status.st_mtime_ns)
    except OSError as error:
        return f"{file} cannot be read: {reason(error)}", ""


@lru_cache(_MOST_KNOWN)
def _opened(file: Path, kind: str, size: int, changed: int) -> tuple[str, str] | None:
    """Message and hint for a file that cannot be read to its end. `size` and `changed` tell its versions apart."""
    from storyreel.tasks.media.errors import MediaError
    from storyreel.tasks.media.wholeness import CHECKS

    try:
        if check := CHECKS.get(kind):
            check(file)
    except MediaError as error:
        return error.message, error.hint
    return None
