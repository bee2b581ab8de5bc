"""The Prefect task `conform`: the clip of a take in house format."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from prefect import task
from prefect.utilities.annotations import quote

from storyreel.tasks.inspection.examine import facts_of
from storyreel.tasks.join.conform import Conforming, HouseClip, conform_clip, conform_key
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.progress import Progress
from storyreel.tasks.result_cache import run_cached
from storyreel.tasks.storage.clips import Clip
from storyreel.tasks.studio import Studio


@task(name="conform", persist_result=True)
async def conform_task(clip: Clip, how: Conforming, **options: Any) -> HouseClip:
    """Prefect task around `conform_clip`. `clip` is the result of `generate_task`: Prefect draws the edge from it."""
    return await conform_clip(clip.path, how, facts=facts_of, **options)


async def conform(
    clip: Clip,
    how: Conforming,
    studio: Studio,
    *,
    is_foreign: bool,
    name: str,
    tags: Collection[str],
    progress: Progress,
) -> HouseClip:
    """Run `conform_task`, or take its result from Prefect's cache if its files are intact. Raises MediaError.

    `is_foreign` is whether the clip may have colours of any kind, as it was not drawn on this machine.
    """
    conversion = (await asyncio.to_thread(facts_of, clip.path)).colour.conversion if is_foreign else ()
    key = conform_key(clip.digest, how, find_ffmpeg().version, conversion)
    return await run_cached(
        conform_task,
        name,
        key,
        HouseClip.is_intact,
        clip,
        quote(how),
        into=studio.house_cache.folder_of(key),
        progress=progress,
        shared=studio.house_cache.shared,
        tags=tags,
    )
