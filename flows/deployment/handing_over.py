"""A runner that hands its runs over when it is told to end, where Prefect's own would cancel them."""

from __future__ import annotations

import asyncio

import psutil
from prefect.runner import Runner

_SECONDS = 25.0
"""How long the runs may take to note where they are; then they are cancelled."""
_LOOK_SECONDS = 0.1


class HandingOverRunner(Runner):
    """A runner of served deployments. Its runs are told to end, and are scheduled again by themselves."""

    async def cancel_all(self) -> None:
        """End what is under way: called when the runner is told to end."""
        runs = [process for process in psutil.Process().children() if _runs_a_flow(process)]
        for process in runs:
            process.terminate()
        for _ in range(int(_SECONDS / _LOOK_SECONDS)):
            # Only looked at: their exits are for the runner, which started them.
            if not any(map(_runs_a_flow, runs)):
                break
            await asyncio.sleep(_LOOK_SECONDS)
        await super().cancel_all()


def _runs_a_flow(process: psutil.Process) -> bool:
    try:
        return "prefect.engine" in process.cmdline()
    except psutil.Error:  # it has ended
        return False
