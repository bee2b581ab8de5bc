"""A film served from a process of its own: `python -m tests.serving NAME`."""

from __future__ import annotations

import asyncio
import sys

from prefect.deployments.runner import EntrypointType

from flows.handing_over import HandingOverRunner
from flows.render import render_storyboard


async def main() -> None:
    """Serve until SIGTERM."""
    runner = HandingOverRunner(name=sys.argv[1], query_seconds=1)
    wanted = await render_storyboard.ato_deployment(sys.argv[1], entrypoint_type=EntrypointType.MODULE_PATH)
    await runner.aadd_deployment(wanted)
    print("serving", flush=True)
    await runner.start()


if __name__ == "__main__":
    asyncio.run(main())
