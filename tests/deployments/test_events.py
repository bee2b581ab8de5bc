"""Prefect's events between its server and its services, with the settings of the stack and a real Redis."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from deployments.processes import Part, Processes, plain_environment, wait_for
from deployments.stack import Stack
from storyreel.flows.servers.local import free_port
from tests.needs import give_up

PUBLISHERS, EACH = 20, 300
PUBLISHING = f"""
import asyncio, uuid
from prefect_redis.messaging import Cache, Publisher, RedisMessagingPublisherSettings

async def publish():
    # As the server publishes what comes from one run; only the time after which a batch is due goes faster.
    often = RedisMessagingPublisherSettings().publish_every / 500
    async with Publisher("events", Cache("events"), deduplicate_by="id", publish_every=often) as publisher:
        for _ in range({EACH}):
            await publisher.publish_data(b"{{}}", {{"id": str(uuid.uuid4())}})
            await asyncio.sleep(0.002)

async def main():
    await asyncio.gather(*(publish() for _ in range({PUBLISHERS})))

asyncio.run(main())
"""


@pytest.fixture
def redis_port(tmp_path: Path) -> Iterator[int]:
    if shutil.which("redis-server") is None:
        give_up("REDIS", "redis-server")
    processes, port = Processes(tmp_path), free_port()
    command = ("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path))
    processes.start(Part(name="redis", command=command, environment=plain_environment(), folder=tmp_path))

    def answers() -> bool:
        try:
            return bool(redis.Redis(port=port).ping())
        except redis.ConnectionError:
            return False

    try:
        wait_for("Redis", answers, processes, "redis", 30)
        yield port
    finally:
        processes.stop("redis", 10)


def test_of_what_many_runs_tell_at_once_no_event_is_lost(redis_port: int, tmp_path: Path) -> None:
    told = Stack(tmp_path / "stack").server_settings()
    told |= {"PREFECT_REDIS_MESSAGING_PORT": str(redis_port), "PREFECT_REDIS_MESSAGING_PASSWORD": ""}
    environment = {**plain_environment(), **told}
    subprocess.run([sys.executable, "-c", PUBLISHING], env=environment, check=True, timeout=120)
    assert redis.Redis(port=redis_port).xlen("events") == PUBLISHERS * EACH
