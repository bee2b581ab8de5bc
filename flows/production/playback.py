"""The links of a run, by which its takes and its film are played from Prefect's pages."""

from __future__ import annotations

import asyncio

from prefect.settings import PREFECT_API_URL

from storyreel.flows.player.links import Links
from storyreel.tasks.home import Home


async def run_links(home: Home) -> Links:
    """Links for the readers of the server that this run reports to."""
    return await asyncio.to_thread(Links.of, home, PREFECT_API_URL.value() or "")
