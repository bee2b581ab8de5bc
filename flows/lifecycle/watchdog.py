"""The attendant of a deployed run: hands it over when its process is killed with its worker.

A process worker that is told to end kills its flow processes within half a second, by SIGKILL (measured with 3.9.1):
they cannot hand over anything, and their runs stay Running. So a deployed run has a child of its own, in a session of
its own, that only waits for its end. When the run goes without a word, and Prefect's record still says that it is at
work, the run is scheduled again and the ledger lets go of what it held. It imports nothing before that.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from storyreel.tasks.ledger.owner import Owner

_DONE = "done"
_SETTLED_SECONDS = 3.0
"""A worker that is still there notes a crash of its flow process at once; then there is nothing to hand over."""


class Attendant:
    """The attendant, as its run knows it."""

    def __init__(self, run: UUID) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "storyreel.flows.lifecycle.watchdog", str(run)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )

    def holds_for(self, owner: Owner) -> None:
        """Whose rows in the ledger are to be let go."""
        self._say(owner.model_dump_json())

    def dismiss(self) -> None:
        """The run has come to an end by itself."""
        self._say(_DONE)
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _say(self, line: str) -> None:
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()


@contextmanager
def attended(run: UUID) -> Iterator[Attendant]:
    """A run with an attendant, for as long as it lives."""
    attendant = Attendant(run)
    try:
        yield attendant
    finally:
        attendant.dismiss()


def main() -> None:
    """Wait for the end of the run; hand it over if it was killed."""
    # Whoever ends all that belongs to a worker does not mean us.
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, signal.SIG_IGN)
    said = [line.strip() for line in sys.stdin]
    if _DONE not in said:
        _hand_over(UUID(sys.argv[1]), said, time.monotonic() + _SETTLED_SECONDS)


def _hand_over(run: UUID, owners: list[str], not_before: float) -> None:
    from prefect import get_client
    from prefect.states import AwaitingRetry

    from storyreel.tasks.home import Home
    from storyreel.tasks.ledger.owner import Owner

    for owner in owners:
        ledger = Home.of().ledger()
        ledger.release(Owner.model_validate(json.loads(owner)))
        ledger.close()
    time.sleep(max(0, not_before - time.monotonic()))
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run).state
        if state and state.is_running():
            message = "its process was killed with its worker; another one goes on from there"
            client.set_flow_run_state(run, AwaitingRetry(message=message))


if __name__ == "__main__":
    main()
