"""The rival of `scale`: a bare asyncio loop that orders, looks and downloads, and makes nothing of what it has."""

from __future__ import annotations

import asyncio
import time

import httpx

_CREATE = "/api/v1/services/aigc/video-generation/video-synthesis"
_LOOK = 3.0
"""Seconds between two looks at a task; Storyreel begins with as many."""


def seconds_of(films: int, shots: int, at_once: int, base_url: str) -> float:
    """Seconds for so many films of so many shots, each film with `at_once` at the service."""
    begun = time.perf_counter()
    asyncio.run(_all(films, shots, at_once, base_url))
    return time.perf_counter() - begun


async def _all(films: int, shots: int, at_once: int, base_url: str) -> None:
    headers = {"Authorization": "Bearer sk-emulator", "X-DashScope-Async": "enable"}
    async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=60) as client, httpx.AsyncClient() as host:

        async def take(film: int, shot: int, slots: asyncio.Semaphore) -> None:
            body = {
                "model": "wan2.7-t2v",
                "input": {"prompt": f"Film {film} and shot {shot}."},
                "parameters": {"resolution": "720P", "duration": 2, "ratio": "16:9"},
            }
            async with slots:
                task = (await client.post(_CREATE, json=body)).json()["output"]["task_id"]
                while True:
                    await asyncio.sleep(_LOOK)
                    output = (await client.get(f"/api/v1/tasks/{task}")).json()["output"]
                    if output["task_status"] == "SUCCEEDED":
                        break
                (await host.get(output["video_url"])).raise_for_status()

        async with asyncio.TaskGroup() as group:
            for film in range(films):
                slots = asyncio.Semaphore(at_once)
                for shot in range(shots):
                    group.create_task(take(film, shot, slots))
