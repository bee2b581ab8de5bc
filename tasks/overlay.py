"""The Prefect task `overlay`: frames of a clip or a dissolve with words over them."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.utilities.annotations import quote

from storyreel.tasks.join.overlay import OverlaidClip, Stretch, lay_over, overlay_key
from storyreel.tasks.join.pieces import PicturePiece
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.result_cache import run_cached
from storyreel.tasks.studio import Studio


@task(name="overlay", persist_result=True)
async def overlay_task(source: PicturePiece, stretch: Stretch, house: HouseFormat, **options: Any) -> OverlaidClip:
    """Prefect task around `lay_over`. `source` is the result of another task: Prefect draws the edge from it."""
    return await lay_over(stretch._replace(source=source), house, **options)


async def overlay(
    stretch: Stretch, house: HouseFormat, studio: Studio, *, is_draft: bool = False, name: str
) -> OverlaidClip:
    """Run `overlay_task`, or take its result from Prefect's cache if its file is intact. Raises MediaError."""
    key = overlay_key(stretch, house, find_ffmpeg().version, is_draft=is_draft)
    return await run_cached(
        overlay_task,
        name,
        key,
        OverlaidClip.is_intact,
        stretch.source,
        quote(stretch),
        quote(house),
        into=studio.house_cache.folder_of(key),
        is_draft=is_draft,
        shared=studio.house_cache.shared,
    )
