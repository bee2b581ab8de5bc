"""The command `worker`, which renders the runs of a work pool on this machine."""

from __future__ import annotations

from typing import Annotated

import typer


def worker(
    pool: Annotated[str, typer.Option("--pool", metavar="NAME", help="The work pool whose runs it takes.")],
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="At most N runs at once; default: any number.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Its name on Prefect's pages; default: one of its own.")
    ] = None,
) -> None:
    """Render the runs of a work pool on this machine, as `prefect worker start` does, until Ctrl-C. When it is stopped,
    it hands its runs over: another worker continues them at once.
    """
    import asyncio
    import os

    from storyreel.flows.servers.choose import lasting_server, set_prefect_defaults

    # A worker prints its log, so what is set here for Prefect is not set for it.
    environment = dict(os.environ)
    set_prefect_defaults()
    from storyreel.flows.deployment.registration import find_pool
    from storyreel.flows.lifecycle.worker import run_worker
    from storyreel.flows.servers.prefect_settings import api_in_use, worker_command

    with lasting_server():
        asyncio.run(find_pool(pool))
        environment |= api_in_use()
    raise typer.Exit(run_worker(worker_command(pool, limit, name), environment))
