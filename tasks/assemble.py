"""The Prefect task `assemble`: the finished sequence from house clips and dissolves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.utilities.annotations import quote

from storyreel.tasks.credentials.sign import Signing
from storyreel.tasks.join.assemble import Composition, FilmFile, assemble_film
from storyreel.tasks.join.pieces import PicturePiece
from storyreel.tasks.progress import Progress
from storyreel.tasks.studio import Studio


@task(name="assemble", task_run_name="{name}", cache_policy=NO_CACHE)
async def assemble_task(
    name: str, pieces: Sequence[PicturePiece], composition: Any, out: Path, **options: Any
) -> FilmFile:
    """Prefect task around `assemble_film`. `pieces` are the composition's, the results of other tasks: Prefect draws
    the edges from them. It runs each time: the film is written to a folder of the user."""
    return await assemble_film(composition, out, **options)


async def assemble(
    composition: Composition,
    out: Path,
    *,
    signing: Signing | None = None,
    fetch: Callable[[int], object] | None = None,
    studio: Studio,
    progress: Progress,
    name: str = "assemble",
) -> FilmFile:
    """Run `assemble_task` under a name, with the results of other tasks unquoted. Raises MediaError."""
    return await assemble_task(
        name,
        composition.pieces,
        quote(composition),
        out,
        signing=quote(signing),
        fetch=quote(fetch),
        cache=quote(studio.house_cache),
        progress=progress,
    )
