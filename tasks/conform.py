"""The Prefect task `conform`: the clip of a take in house format."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from prefect import task
from prefect.utilities.annotations import quote

from storyreel.specs.cut import EditPoints
from storyreel.tasks.inspection.examine import facts_of
from storyreel.tasks.join.conform import HouseClip, conform_clip, conform_key
from storyreel.tasks.join.label_mark import LabelMark
from storyreel.tasks.join.recording import LaidSound
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.grading.grade import Grading
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.media.shape.framing import BARS, Framing
from storyreel.tasks.progress import Progress
from storyreel.tasks.result_cache import run_cached
from storyreel.tasks.storage.clips import Clip
from storyreel.tasks.studio import Studio


@task(name="conform", persist_result=True)
async def conform_task(clip: Clip, edit: EditPoints, house: HouseFormat, **options: Any) -> HouseClip:
    """Prefect task around `conform_clip`. `clip` is the result of `generate_task`: Prefect draws the edge from it."""
    return await conform_clip(clip.path, edit, house, facts=facts_of, **options)


async def conform(
    clip: Clip,
    edit: EditPoints,
    house: HouseFormat,
    studio: Studio,
    *,
    keep_sound: bool,
    accept: str | None,
    laid: LaidSound | None = None,
    is_draft: bool = False,
    grading: Grading | None = None,
    framing: Framing = BARS,
    label: LabelMark | None = None,
    is_foreign: bool,
    name: str,
    tags: Collection[str],
    progress: Progress,
) -> HouseClip:
    """Run `conform_task`, or take its result from Prefect's cache if its files are intact. Raises MediaError.

    `is_foreign` is whether the clip may have colours of any kind, as it was not drawn on this machine.
    """
    version = find_ffmpeg().version
    conversion = (await asyncio.to_thread(facts_of, clip.path)).colour.conversion if is_foreign else ()
    key = conform_key(
        clip.digest, edit, house, keep_sound, version, accept, laid,
        is_draft=is_draft, grading=grading, framing=framing, conversion=conversion, label=label,
    )  # fmt: skip
    return await run_cached(
        conform_task,
        name,
        key,
        HouseClip.is_intact,
        clip,
        quote(edit),
        quote(house),
        keep_sound=keep_sound,
        into=studio.piece_folder(key),
        accept=accept,
        laid=quote(laid),
        is_draft=is_draft,
        grading=quote(grading),
        framing=quote(framing),
        label=quote(label),
        progress=progress,
        shared=studio.shared_pieces,
        tags=tags,
    )
