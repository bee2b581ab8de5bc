"""The process of the server of `storyreel ui`, which is this module, run as a program with a port.

It serves the application that `prefect server start` serves, without the command line around it. The types of Prefect's
blocks, for its pages and automations, are registered while it serves: Prefect does that before it serves, for two
seconds of processor time in an empty home, and a fifth of one each time to find them known (3.9.1).
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

from storyreel.flows.servers.ephemeral import serving_application

_PAGE_SECONDS = 2.0
"""Time for the first page to be loaded before the types are registered, which keeps requests waiting."""
_LOOK_SECONDS = 0.05


def main() -> None:
    """Serve at the port that is given until SIGTERM."""
    from prefect.settings import (
        PREFECT_API_BLOCKS_REGISTER_ON_START,
        PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION,
        get_current_settings,
        temporary_settings,
    )

    own = get_current_settings().server
    # Without the second, Prefect would remember that it has registered what it has not.
    deferred = {PREFECT_API_BLOCKS_REGISTER_ON_START: False, PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION: False}
    with temporary_settings(deferred):
        application, uvicorn = serving_application()
        config = uvicorn.Config(
            application,
            host="127.0.0.1",
            port=int(sys.argv[1]),
            log_level=own.logging_level.lower(),
            timeout_keep_alive=own.api.keepalive_timeout,
            ws_ping_interval=own.api.websocket_ping_interval,
            ws_ping_timeout=own.api.websocket_ping_timeout,
        )
        serving = uvicorn.Server(config)
        asyncio.run(_serve(serving, own.register_blocks_on_start, own.memoize_block_auto_registration))
    sys.exit(0 if serving.started else 1)


async def _serve(server: Any, registers: bool, memoizes: bool) -> None:
    """Serve, and meanwhile register the types of blocks if Prefect's settings want them."""
    registering = asyncio.create_task(_register(server, memoizes)) if registers else None
    await server.serve()
    if registering:
        registering.cancel()
        await asyncio.wait({registering})


async def _register(server: Any, memoizes: bool) -> None:
    while not server.started:  # noqa: ASYNC110  (uvicorn tells it in no other way)
        await asyncio.sleep(_LOOK_SECONDS)
    await asyncio.sleep(_PAGE_SECONDS)
    from prefect.settings import PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION, temporary_settings

    from storyreel.flows.servers.prefect_internals import register_block_types

    with temporary_settings({PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION: memoizes}):
        try:
            await register_block_types()
        except Exception:  # it serves without them, and the next start tries again
            logging.getLogger("prefect.server").exception("the types of blocks could not be registered")


if __name__ == "__main__":
    main()
