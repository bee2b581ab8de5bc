"""The Prefect task `dissolve`: the frames in which one shot mixes into the next."""

from __future__ import annotations

from prefect import task
from prefect.utilities.annotations import quote

from storyreel.tasks.join.conform import HouseClip
from storyreel.tasks.join.dissolve import DissolveClip, dissolve_clips, dissolve_key
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.result_cache import run_cached
from storyreel.tasks.studio import Studio

dissolve_task = task(name="dissolve", persist_result=True)(dissolve_clips)


async def dissolve(
    outgoing: HouseClip, incoming: HouseClip, frames: int, house: HouseFormat, studio: Studio, *, name: str
) -> DissolveClip:
    """Run `dissolve_task`, or take its result from Prefect's cache if its file is intact. Raises MediaError."""
    key = dissolve_key(outgoing, incoming, frames, house, find_ffmpeg().version)
    return await run_cached(
        dissolve_task,
        name,
        key,
        DissolveClip.is_intact,
        outgoing,
        incoming,
        frames,
        quote(house),
        into=studio.house_cache.folder_of(key),
        shared=studio.house_cache.shared,
    )
