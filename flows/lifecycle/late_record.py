"""The ends of runs that Prefect's server could not record in time: kept in STORYREEL_HOME, and recorded later.

Without that a run whose server was away at its end would be shown as running for ever.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect import State, get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

from storyreel.flows.lifecycle.lost_tasks import end_lost_tasks
from storyreel.specs.frozen import Frozen
from storyreel.tasks.home import Home
from storyreel.tasks.storage.files import make_private_folder, write_whole

_FOLDER = "unrecorded-runs"
_SECONDS = 20.0
"""Time for all requests of one command; what is left is recorded by the next one."""


class _End(Frozen):
    api: str
    """Of the server that has the run."""
    run: UUID
    type: StateType
    message: str


def keep_end(home: Home, run: UUID, ended: object) -> None:
    """Keep how a run ended, by the result or the error of its flow. Does nothing if the disk takes no file."""
    api = PREFECT_API_URL.value()
    if not api:
        return
    if isinstance(ended, State):
        kept = _End(api=api, run=run, type=ended.type, message=ended.message or "")
    elif isinstance(ended, BaseException):
        type_ = StateType.FAILED if isinstance(ended, Exception) else StateType.CANCELLED
        kept = _End(api=api, run=run, type=type_, message=str(ended))
    else:
        kept = _End(api=api, run=run, type=StateType.COMPLETED, message="")
    with suppress(OSError):
        make_private_folder(_folder(home))
        write_whole(_folder(home) / f"{run}.json", kept.model_dump_json(), private=True)


async def record_late_ends(home: Home) -> int:
    """Record the kept ends of runs of the server in use, if it has none of them; returns how many it had not.

    Does nothing if the server does not answer.
    """
    kept = await asyncio.to_thread(_kept, home)
    recorded = 0
    if kept:
        with suppress(httpx.HTTPError, TimeoutError):
            async with asyncio.timeout(_SECONDS), get_client() as client:
                for file, end in kept.items():
                    recorded += await _record(client, end)
                    await asyncio.to_thread(file.unlink, missing_ok=True)
    return recorded


def _kept(home: Home) -> dict[Path, _End]:
    """The kept ends of runs of the server in use, by their files."""
    found = {}
    for file in sorted(_folder(home).glob("*.json")):
        with suppress(OSError, ValueError):
            found[file] = _End.model_validate_json(file.read_bytes())
    return {file: end for file, end in found.items() if end.api == PREFECT_API_URL.value()}


async def _record(client: PrefectClient, end: _End) -> bool:
    try:
        run = await client.read_flow_run(end.run)
    except ObjectNotFound:
        return False
    if run.state and run.state.is_final():
        return False
    await end_lost_tasks(end.run, "the server was away when it ended; the state of its flow run says what came of it")
    state: State[Any] = State(type=end.type, message=end.message)
    await client.set_flow_run_state(end.run, state, force=True)
    return True


def _folder(home: Home) -> Path:
    return home.root / _FOLDER
