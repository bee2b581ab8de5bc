"""Copies the media of a timeline into a folder, named by shot and take."""

from __future__ import annotations

import os
import re
import shutil
from filecmp import cmp
from pathlib import Path

from storyreel.flows.handover.timeline import Media, Timeline
from storyreel.tasks.storage.files import replacing


def collected(timeline: Timeline, folder: Path) -> Timeline:
    """The timeline with copies of its media in a folder. A copy that is there and is the same stays. Raises OSError."""
    names: dict[tuple[Path, str], Path] = {}

    def copied(media: Media, name: str) -> Media:
        # A file that is of several takes is there for each: by their names they are known when they come back.
        if (media.file, name) not in names:
            names[media.file, name] = into = _free(folder / f"{_safe(name)}{media.file.suffix}", set(names.values()))
            # Of copies with the time of their file the content is not compared.
            if not (into.exists() and cmp(media.file, into)):
                folder.mkdir(parents=True, exist_ok=True)
                with replacing(into) as fresh:
                    shutil.copyfile(media.file, fresh)
                    times = media.file.stat()
                    os.utime(fresh, ns=(times.st_atime_ns, times.st_mtime_ns))
        return media.model_copy(update={"file": names[media.file, name]})

    shots = tuple(
        shot.model_copy(
            update={
                "takes": tuple(
                    take.model_copy(update={"media": take.media and copied(take.media, f"{shot.slate} {take.name}")})
                    for take in shot.takes
                )
            }
        )
        for shot in timeline.shots
    )
    sounds = tuple(
        laid.model_copy(update={"media": copied(laid.media, laid.media.name or laid.media.file.stem)})
        for laid in timeline.sounds
    )
    return timeline.model_copy(update={"shots": shots, "sounds": sounds})


def _safe(name: str) -> str:
    return re.sub(r"[^\w.@-]+", "-", name).strip("-.") or "take"


def _free(file: Path, taken: set[Path]) -> Path:
    numbered = (file.with_stem(f"{file.stem}-{number}") for number in range(2, len(taken) + 3))
    # On the file systems of macOS and Windows names that differ in case alone are one.
    names = {each.name.casefold() for each in taken}
    return next(each for each in (file, *numbered) if each.name.casefold() not in names)
