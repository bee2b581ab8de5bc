"""The artifacts of a run on Prefect's pages, made while the film is.

Their keys are the film's, so that the artifact page has a version for each run. An artifact never delays a run for
long or makes it fail: what the server does not take is logged once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any
from uuid import UUID

from prefect import artifacts, get_client, get_run_logger

from storyreel.flows.markdown import escape, link_address
from storyreel.specs.foreign_text import printable
from storyreel.specs.secrets import hidden

SECONDS = 15.0
"""Time for one artifact."""


class FilmArtifacts:
    """The artifacts of one run; `name` begins their keys: `storyreel-the-keeper`."""

    def __init__(self, name: str, title: str) -> None:
        self._name, self._title = name, title
        self._ids: dict[str, UUID] = {}
        self._has_warned = False

    async def progress(self, percent: float, text: str) -> None:
        """Create or update the progress bar."""
        if known := self._ids.get("progress"):
            await self._try(artifacts.aupdate_progress_artifact(known, percent, self._about(text)))
            return
        creating = artifacts.acreate_progress_artifact(percent, self._key("progress"), self._about(text))
        await self._try(creating, "progress")

    async def markdown(self, kind: str, text: str, description: str) -> None:
        """Create a page of Markdown, or replace its text."""
        if kind not in self._ids:
            creating = artifacts.acreate_markdown_artifact(description, self._key(kind), self._about(description))
            await self._try(creating, kind)
        if known := self._ids.get(kind):
            await self._try(_replace(known, text))

    async def table(self, kind: str, rows: list[dict[str, Any]], description: str) -> None:
        """Create a table."""
        cells = [{name: _legible(value) for name, value in row.items()} for row in rows]
        await self._try(artifacts.acreate_table_artifact(cells, self._key(kind), self._about(description)), kind)

    async def link(self, kind: str, url: str, description: str) -> None:
        """Create a link."""
        address, text = link_address(url), escape(self._title)
        creating = artifacts.acreate_link_artifact(address, text, self._key(kind), self._about(description))
        await self._try(creating, kind)

    def _about(self, description: str) -> str:
        """The description of an artifact, which Prefect's pages show as Markdown."""
        return escape(f"{self._title}: {description}")

    def _key(self, kind: str) -> str:
        return f"{self._name}-{kind}"

    async def _try(self, work: Awaitable[UUID | None], kind: str = "") -> None:
        try:
            async with asyncio.timeout(SECONDS):
                created = await work
        except Exception as error:  # whatever the client or the server raise, the film goes on
            if not self._has_warned:
                warning = "Prefect's pages of this run are not up to date: %s: %s"
                get_run_logger().warning(warning, type(error).__name__, error)
            self._has_warned = True
        else:
            if created and kind:
                self._ids[kind] = created


def _legible(value: Any) -> Any:
    return printable(hidden(value)) if isinstance(value, str) else value


async def _replace(artifact: UUID, text: str) -> None:
    """Replace the text of an artifact. The event of the client's `update_artifact` would store all pictures again."""
    async with get_client() as client:
        answer = await client.request("PATCH", "/artifacts/{id}", path_params={"id": artifact}, json={"data": text})
        answer.raise_for_status()
