"""The Prefect tasks `generate`, which makes the clip of a take, and `inspect`, which examines a paid clip."""

from __future__ import annotations

import random
from collections.abc import Collection
from pathlib import Path
from typing import Any

from prefect import State, Task, get_run_logger, task
from prefect.client.schemas.objects import TaskRun
from prefect.runtime import task_run
from prefect.utilities.annotations import quote

from storyreel.tasks.collect import Take
from storyreel.tasks.inspection.inspect import Inspection, Needed, inspect_clip, inspection_key
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.order import obtain
from storyreel.tasks.patience import Patience
from storyreel.tasks.providers.errors import Transient
from storyreel.tasks.providers.request import Request
from storyreel.tasks.result_cache import run_cached
from storyreel.tasks.storage.bucket import BucketError
from storyreel.tasks.storage.clips import Clip
from storyreel.tasks.studio import Studio

_DELAYS: list[float] = [1, 2, 4, 8, 16, 32, 60]
"""Least seconds before each retry, within a half; a service may ask for more."""


async def _is_transient(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether to retry: only after a Transient error, for which `generate_task` has made its pause."""
    return isinstance(await state.aresult(raise_on_failure=False), Transient)


@task(name="generate", persist_result=True, retries=len(_DELAYS), retry_condition_fn=_is_transient)
async def generate_task(take: Take, studio: Studio, patience: Patience, upstream: Clip | None = None) -> Clip:
    """Prefect task around `obtain`. `upstream`, the clip that the take continues, only adds an edge to the graph.

    The pause before a retry is made here and not by Prefect: all tries of a take share its time.
    """
    log = get_run_logger()
    try:
        return await obtain(take, studio, log, patience)
    except Transient as error:
        retry = task_run.run_count - 1
        if retry < len(_DELAYS):
            await patience.pause(log, error, max(_DELAYS[retry] * random.uniform(0.5, 1.5), error.retry_after or 0))
        raise


async def generate(
    take: Take, studio: Studio, upstream: Clip | None, *, name: str, anew: bool, tags: Collection[str]
) -> Clip:
    """Run `generate_task` under a name, or take its result from Prefect's cache if the clip is still in the store.

    With `anew` the task runs in any case. Raises what `obtain` raises.
    """

    def is_stored(clip: Clip) -> bool:
        try:
            return studio.clips.find(clip.digest) is not None
        except BucketError:
            return False  # The task itself waits for the bucket.

    patience = Patience(take.timeout, take.order.slate, take.order.take)
    clip: Clip = await run_cached(
        generate_task, name, take.order.key, is_stored, quote(take), studio, patience, upstream, anew=anew, tags=tags
    )
    # A cached result may hold the path of another host.
    return studio.clips.on_this_host(clip)


@task(name="inspect", persist_result=True)
async def inspect_task(clip: Clip, request: Request, **options: Any) -> Inspection:
    """Prefect task around `inspect_clip`. `clip` is the result of `generate_task`: Prefect draws the edge from it."""
    return await inspect_clip(clip.path, request, **options)


async def inspect(
    clip: Clip,
    request: Request,
    *,
    first_frame: Path | None,
    wants_sound: bool,
    needed: Needed,
    name: str,
    tags: Collection[str],
) -> Inspection:
    """Run `inspect_task` under a name, or take its result from Prefect's cache. Raises MediaError."""
    digest = request.first_frame.digest if request.first_frame and first_frame else ""
    key = inspection_key(clip.digest, request, digest, wants_sound, find_ffmpeg().version, needed)
    return await run_cached(
        inspect_task,
        name,
        key,
        lambda _: True,
        clip,
        quote(request),
        first_frame=first_frame,
        wants_sound=wants_sound,
        needed=needed,
        tags=tags,
    )
