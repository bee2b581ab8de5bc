"""The Prefect task `generate`: the clip of a take and, of a paid one, its findings."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from typing import Any

from prefect import State, Task, get_run_logger, task
from prefect.client.schemas.objects import TaskRun
from prefect.runtime import task_run
from prefect.utilities.annotations import quote

from storyreel.tasks.inspection.inspect import Inspection, Wanted, inspect_clip, inspection_key
from storyreel.tasks.procurement.collect import Take
from storyreel.tasks.procurement.order import obtain
from storyreel.tasks.procurement.patience import Patience
from storyreel.tasks.providers.errors import Transient
from storyreel.tasks.result_cache import run_cached
from storyreel.tasks.storage.bucket import BucketError
from storyreel.tasks.storage.clips import Clip, cache_key
from storyreel.tasks.studio import Studio

_DELAYS: list[float] = [1, 2, 4, 8, 16, 32, 60]
"""Least seconds before each retry, within a half; a service may ask for more."""


async def _is_transient(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether to retry: only after a Transient error, for which `generate_task` has made its pause."""
    return isinstance(await state.aresult(raise_on_failure=False), Transient)


class InspectedClip(Clip):
    """A finished take in the store, and what its inspection has found. A flat model: Prefect draws edges from its
    fields, but not from those of a model within it."""

    inspection: Inspection | None
    """None for a free clip."""


@task(name="generate", persist_result=True, retries=len(_DELAYS), retry_condition_fn=_is_transient)
async def generate_task(
    take: Take, studio: Studio, patience: Patience, wanted: Wanted | None, upstream: Sequence[Clip] | None = None
) -> InspectedClip:
    """Prefect task around `obtain` and `inspect_clip`. `upstream`, the clips and pictures that the take is made of,
    only adds edges to the graph.

    The pause before a retry is made here and not by Prefect: all tries of a take share its time.
    """
    log = get_run_logger()
    try:
        clip = await obtain(take, studio, log, patience)
    except Transient as error:
        retry = task_run.run_count - 1
        if retry < len(_DELAYS):
            await patience.pause(log, error, max(_DELAYS[retry] * random.uniform(0.5, 1.5), error.retry_after or 0))
        raise
    inspection = await inspect_clip(clip.path, take.request, wanted, studio.clips) if wanted else None
    return InspectedClip(**dict(clip), inspection=inspection)


async def generate(
    take: Take,
    studio: Studio,
    upstream: Sequence[Clip],
    *,
    wanted: Wanted | None,
    name: str,
    anew: bool,
    tags: Collection[str],
) -> InspectedClip:
    """Run `generate_task` under a name, or take its result from Prefect's cache if the clip is still in the store.

    The clip is inspected if `wanted` is given. With `anew` the task runs in any case. Raises what `obtain` raises, and
    MediaError.
    """

    def is_stored(clip: Clip) -> bool:
        try:
            return studio.clips.find(clip.digest) is not None
        except BucketError:
            return False  # The task itself waits for the bucket.

    patience = Patience(take.timeout, take.order.slate, take.order.take)
    inspected = inspection_key(take.request, wanted) if wanted else ""
    clip: InspectedClip = await run_cached(
        generate_task,
        name,
        cache_key("generate", take.order.key, inspected),
        is_stored,
        quote(take),
        studio,
        patience,
        quote(wanted),
        list(upstream) or None,
        anew=anew,
        tags=tags,
    )
    # A cached result may hold the path of another host.
    return studio.clips.on_this_host(clip)
