"""The Prefect task `assemble`: the finished sequence from house clips and dissolves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.utilities.annotations import quote

from storyreel.specs.cut import Cut
from storyreel.tasks.credentials.sign import Signing
from storyreel.tasks.join.assemble import FilmFile, assemble_film
from storyreel.tasks.join.conform import HouseClip
from storyreel.tasks.join.dissolve import DissolveClip
from storyreel.tasks.join.mux import Chapter
from storyreel.tasks.join.overlay import OverlaidClip
from storyreel.tasks.join.sound.layers import FilmSound
from storyreel.tasks.join.text_tracks import TextTrack
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.progress import Progress
from storyreel.tasks.studio import Studio


@task(name="assemble", task_run_name="{name}", cache_policy=NO_CACHE)
async def assemble_task(
    name: str, cut: Any, clips: Any, dissolves: Any, house: Any, out: Path, **options: Any
) -> FilmFile:
    """Prefect task around `assemble_film`. It runs each time: the film is written to a folder of the user."""
    return await assemble_film(cut, clips, dissolves, house, out, **options)


async def assemble(
    cut: Cut,
    clips: Sequence[HouseClip],
    dissolves: Mapping[str, DissolveClip],
    house: HouseFormat,
    out: Path,
    *,
    overlaid: Mapping[int, OverlaidClip],
    title: str,
    sound: FilmSound,
    chapters: Sequence[Chapter],
    texts: Sequence[TextTrack],
    tags: Mapping[str, str] = MappingProxyType({}),
    signing: Signing | None = None,
    fetch: Callable[[int], object] | None = None,
    studio: Studio,
    progress: Progress,
    name: str = "assemble",
) -> FilmFile:
    """Run `assemble_task` under a name, with the results of other tasks unquoted. Raises MediaError."""
    return await assemble_task(
        name,
        quote(cut),
        clips,
        dissolves,
        quote(house),
        out,
        overlaid=overlaid,
        title=title,
        sound=quote(sound),
        chapters=quote(chapters),
        texts=quote(texts),
        tags=quote(dict(tags)),
        signing=quote(signing),
        fetch=quote(fetch),
        cache=studio.house_folder,
        shared=studio.shared_pieces,
        progress=progress,
    )
