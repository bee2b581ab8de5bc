"""A film served from a process of its own: `python -m tests.serving NAME`."""

from __future__ import annotations

import asyncio
import sys

from flows.handing_over import HandingOverRunner
from flows.render import render_storyboard


async def main() -> None:
    """Serve until SIGTERM."""
    runner = HandingOverRunner(name=sys.argv[1], query_seconds=1)
    await runner.aadd_flow(render_storyboard, sys.argv[1])
    print("serving", flush=True)
    await runner.start()


if __name__ == "__main__":
    asyncio.run(main())
