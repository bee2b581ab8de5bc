"""A run's artifacts: what Prefect's pages show of a film while it is made, and when it is there.

Their keys are the film's, so that the artifact page keeps the versions of all its runs. Nothing here may slow a run or
fail it: what the server does not take is logged once and left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any
from uuid import UUID

from prefect import get_client, get_run_logger
from prefect.artifacts import (
    acreate_link_artifact,
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)

PATIENCE = 15.0
"""Seconds that one artifact may take."""


class Pages:
    """The artifacts of one run of a film; `name` begins their keys: `storyreel-the-keeper`."""

    def __init__(self, name: str, title: str) -> None:
        self._name, self._title = name, title
        self._ids: dict[str, UUID] = {}
        self._is_troubled = False

    async def progress(self, percent: float, words: str) -> None:
        """How far the film is."""
        if known := self._ids.get("progress"):
            await self._safely(aupdate_progress_artifact(known, percent, f"{self._title}: {words}"))
            return
        made = acreate_progress_artifact(percent, self._key("progress"), f"{self._title}: {words}")
        await self._safely(made, "progress")

    async def markdown(self, kind: str, text: str, about: str) -> None:
        """A page of Markdown; what is in it already is replaced."""
        if kind not in self._ids:
            await self._safely(acreate_markdown_artifact(about, self._key(kind), f"{self._title}: {about}"), kind)
        if known := self._ids.get(kind):
            await self._safely(_replace(known, text))

    async def table(self, kind: str, rows: list[dict[str, Any]], about: str) -> None:
        """A table."""
        await self._safely(acreate_table_artifact(rows, self._key(kind), f"{self._title}: {about}"), kind)

    async def link(self, kind: str, address: str, about: str) -> None:
        """Something that a browser can open."""
        made = acreate_link_artifact(address, self._title, self._key(kind), f"{self._title}: {about}")
        await self._safely(made, kind)

    def _key(self, kind: str) -> str:
        return f"{self._name}-{kind}"

    async def _safely(self, work: Awaitable[UUID | None], kind: str = "") -> None:
        """Do it; what it gives is the id of a new artifact."""
        try:
            async with asyncio.timeout(PATIENCE):
                made = await work
        except Exception as trouble:  # whatever a client or a server may come up with, the film goes on
            if not self._is_troubled:
                said = "Prefect's pages of this run are not up to date: %s: %s"
                get_run_logger().warning(said, type(trouble).__name__, trouble)
            self._is_troubled = True
        else:
            if made and kind:
                self._ids[kind] = made


async def _replace(artifact: UUID, text: str) -> None:
    """What the client's `update_artifact` does, without its event: that would carry all pictures once more, and stay
    in the server's database after each update."""
    async with get_client() as client:
        answer = await client.request("PATCH", "/artifacts/{id}", path_params={"id": artifact}, json={"data": text})
        answer.raise_for_status()
