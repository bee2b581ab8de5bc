"""The cost of the flow per shot, against a bare asyncio loop that waits just as long.

    uv run python -m benchmarks.runs.overhead [--quick]

Each shot waits for WAIT seconds, once as a Prefect task of this project's flow style (async tasks, one memoised
future a take, a known cache key, a persisted result), once as a plain coroutine. The figure is the ratio of the two.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import tempfile
import time
from uuid import uuid4

WAIT = 5.0


def main() -> None:
    """Measure and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="10 and 100 shots only")
    sizes = (10, 100) if options.parse_args().quick else (10, 100, 500)
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"PREFECT_HOME": home, "PREFECT_LOGGING_LEVEL": "ERROR"}
        from storyreel.flows.servers.choose import report_to_server, set_prefect_defaults

        set_prefect_defaults()
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
        print("| shots | bare loop s | flow s | ratio | ms a shot |\n|---|---|---|---|---|")
        with report_to_server():
            asyncio.run(_flow(1))  # the first flow of a process pays for imports and connections
            for shots in sizes:
                bare, flow = _timed(_bare(shots)), _timed(_flow(shots))
                each = 1000 * (flow - bare) / shots
                print(f"| {shots} | {bare:.2f} | {flow:.2f} | {flow / bare:.2f} | {each:.1f} |")


def _timed(work: object) -> float:
    begun = time.perf_counter()
    asyncio.run(work)  # type: ignore[arg-type]
    return time.perf_counter() - begun


async def _bare(shots: int) -> None:
    await asyncio.gather(*(asyncio.sleep(WAIT) for _ in range(shots)))


async def _flow(shots: int) -> None:
    from prefect import flow, task

    from storyreel.tasks.result_cache import run_cached

    @task(persist_result=True)
    async def generate(number: int) -> int:
        await asyncio.sleep(WAIT if shots > 1 else 0)
        return number

    @flow
    async def shoot() -> None:
        await asyncio.gather(
            *(run_cached(generate, f"shot {n}", uuid4().hex, lambda _: True, n, anew=True) for n in range(shots))
        )

    await shoot()


if __name__ == "__main__":
    main()
