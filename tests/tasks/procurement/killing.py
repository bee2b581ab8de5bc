"""Takes made in a process of their own, which may be killed at any moment, or at one exact step."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from storyreel.specs.storyboard import Mode
from storyreel.tasks.ledger.ledger import Ledger, Order
from storyreel.tasks.prices.price_list import PriceList
from storyreel.tasks.procurement.collect import Take
from storyreel.tasks.procurement.order import obtain
from storyreel.tasks.procurement.patience import Patience
from storyreel.tasks.providers.errors import Ambiguous, ProviderError, TaskForgotten, Transient
from storyreel.tasks.storage.bucket import Bucket
from storyreel.tasks.storage.clips import ClipStore
from storyreel.tasks.studio import Studio
from tests.flows.dying import die_at
from tests.tasks.procurement.test_order import LOG
from tests.tasks.providers.hosted_services import SERVICES
from tests.tasks.providers.hosted_services import request as request_for

BETWEEN = (
    "storyreel.tasks.storage.clips:ClipStore._place before",
    "storyreel.tasks.storage.clips:ClipStore._place after",
    "storyreel.tasks.storage.clips:ClipStore.deliver after",
    "storyreel.tasks.storage.clips:ClipStore.keep after",
    "storyreel.tasks.ledger.ledger:Ledger.mark_finished before",
    "storyreel.tasks.storage.clips:ClipStore.discard before",
)
"""The steps between keeping a clip and noting it; a number after each says at which clip."""
FINISHED, UNKNOWN, UNFINISHED = 0, 3, 4
"""Exit code of a process that was not killed."""
TAKES = 3

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.tasks.procurement.killing", "psycopg"])


@dataclass(frozen=True)
class Place:
    """The service, ledger and store of the takes."""

    folder: Path
    service: str
    base_url: str
    ledger_url: str
    bucket_url: str = ""
    takes: int = TAKES
    mode: Mode = Mode.TEXT

    def clips(self) -> ClipStore:
        return ClipStore(self.folder / "clips", Bucket(self.bucket_url) if self.bucket_url else None)

    def ledger(self) -> Ledger:
        return Ledger(self.ledger_url)

    def begin(self, step: str = "", timeout: float = 30) -> BaseProcess:
        """Begin to make the takes; the process dies at `step`, if one is given."""
        process: BaseProcess = _CONTEXT.Process(target=_run, args=(self, step, timeout))
        process.start()
        return process


def takes_of(service: str, number_of_takes: int, timeout: float, mode: Mode = Mode.TEXT) -> Sequence[Take]:
    takes = []
    for number in range(1, number_of_takes + 1):
        seed = {"seed": number} if mode is not Mode.SPEECH else {}
        request = request_for(SERVICES[service], mode, take=number, **seed)
        order = Order(
            key=request.key, provider=service, model=request.model, request=request.canonical(),
            film="F", slate="1A", take=number,
        )  # fmt: skip
        takes.append(Take(order=order, request=request, timeout=timeout))
    return takes


def _run(place: Place, step: str, timeout: float) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if step:
        die_at(step)
    raise SystemExit(asyncio.run(_make(place, timeout)))


async def _make(place: Place, timeout: float) -> int:
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(SERVICES[place.service].provider(place.base_url, timeout=5))
        ledger = place.ledger()
        house = place.folder / "house"
        studio = Studio(ledger, place.clips(), house, {place.service: provider}, PriceList.read({}), 0.02)
        stack.push_async_callback(studio.close)
        made = [_made(take, studio) for take in takes_of(place.service, place.takes, timeout, place.mode)]
        results = await asyncio.gather(*made, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    if any(isinstance(error, (Ambiguous, TaskForgotten)) for error in errors):
        return UNKNOWN
    if fault := next((error for error in errors if not isinstance(error, ProviderError)), None):
        raise fault
    return UNFINISHED if errors else FINISHED


async def _made(take: Take, studio: Studio) -> object:
    patience = Patience(take.timeout, take.order.slate, take.order.take)
    while True:
        try:
            return await obtain(take, studio, LOG, patience)
        except Transient:
            if not patience.left:
                raise
            await asyncio.sleep(0.1)
