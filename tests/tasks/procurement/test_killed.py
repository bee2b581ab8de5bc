"""kill -9 of a process that makes takes: none is bought twice, and no clip in the store is bought or fetched again."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from storyreel.tasks.ledger.ledger import State
from storyreel.testing.faults import Answer, Call
from tests import postgres
from tests.services.emulator import Emulator
from tests.services.jobs import Script
from tests.tasks.generated_clips import make_clip
from tests.tasks.procurement.killing import BETWEEN, FINISHED, TAKES, UNKNOWN, Place
from tests.tasks.providers.hosted_services import SERVICES

_LONGEST = 60
_HEARD = 6
"""Requests to a service for one take: its order, at most four looks, and a download."""


class Round:
    """One service and one home, begun with nothing, and processes that make the takes until they are made."""

    def __init__(self, place: Place, emulator: Emulator) -> None:
        self.place, self.emulator = place, emulator
        self.unknown = False

    @property
    def heard(self) -> int:
        return len(self.emulator.requests) + len(self.emulator.fetches)

    def waiting_to_be_noted(self) -> set[str]:
        """The keys of the clips that are in the store, or complete on their way, and not noted."""
        return {receipt.key for receipt in self.place.clips().unnoted()} - self.keys(State.FINISHED)

    def keys(self, *states: State) -> set[str]:
        ledger = self.place.ledger()
        try:
            return {purchase.order.key for purchase in ledger.list() if purchase.state in states}
        finally:
            ledger.close()

    def how_far(self) -> str:
        """The moment at which a process was killed, by what it has left."""
        if self.waiting_to_be_noted():
            return "with a clip that is not noted"
        if self.keys(State.INTENDED):
            return "while ordering"
        finished = len(self.keys(State.FINISHED))
        if finished:
            return "with all clips" if finished == TAKES else "with a clip or two"
        return "while waiting or fetching" if self.keys(State.SUBMITTED) else "before an order"

    def assert_nothing_was_bought_twice(self) -> None:
        seeds = [str(sale.body) for sale in self.emulator.accepted]
        assert len(seeds) == len(set(seeds)), "one take was ordered twice"

    def finish(self) -> None:
        """The last process makes what is missing, from what was bought already, or tells what is unknown."""
        kept = self.waiting_to_be_noted()
        process = self.place.begin()
        process.join(_LONGEST)
        assert process.exitcode in (FINISHED, UNKNOWN)
        self.unknown = process.exitcode == UNKNOWN
        self.assert_nothing_was_bought_twice()
        assert kept <= self.keys(State.FINISHED)
        assert self.place.clips().receipts() == []
        if not self.unknown:
            assert len(self.emulator.accepted) == len(self.keys(State.FINISHED)) == TAKES

    def forget(self) -> None:
        """The service no longer knows any task: what is in the store is noted all the same, and nothing is ordered."""
        kept, fetched, bought = self.waiting_to_be_noted(), len(self.emulator.fetches), len(self.emulator.accepted)
        ordered = self.keys(State.SUBMITTED, State.FINISHED, State.INTENDED)
        self.emulator.fault(Call.POLL, Answer(404), times=10_000)
        process = self.place.begin(timeout=0.5)
        process.join(_LONGEST)
        assert kept and kept <= self.keys(State.FINISHED)
        assert len(self.emulator.accepted) - bought <= TAKES - len(ordered), "only what was not ordered yet"
        assert len(self.emulator.fetches) == fetched, "a clip in the store is not fetched again"
        self.assert_nothing_was_bought_twice()


@contextmanager
def _round(folder: Path, number: int, moments: random.Random, clips: list[Path]) -> Iterator[Round]:
    folder = folder / f"round-{number}"
    folder.mkdir()
    service = SERVICES[moments.choice(sorted(SERVICES))]
    emulator = service.emulated(script=Script(waiting=1, running=1))
    for clip in clips:
        emulator.use_script(Script(waiting=1, running=moments.randint(1, 3), delivers=clip), times=1)
    on_postgres, with_bucket = moments.random() < 0.2, moments.random() < 0.3
    url = postgres.running().fresh() if on_postgres else f"sqlite:///{folder / 'ledger.sqlite'}"
    with emulator.served() as base_url:
        yield Round(
            Place(folder, service.name, base_url, url, f"file://{folder}/bucket" if with_bucket else ""), emulator
        )


def test_takes_killed_at_random_are_never_bought_twice(tmp_path: Path, kills: int) -> None:
    """As many kills as `--kills` says, one in ten of them between keeping and noting a clip."""
    seed = random.randrange(2**32)
    moments = random.Random(seed)
    clips = [make_clip(tmp_path / f"{n}.mp4", frames=12 + n, fps="12", size="160x90") for n in range(TAKES)]
    met, rounds, unknown, forgotten = Counter[str](), 0, 0, 0
    while met.total() < kills:
        with _round(tmp_path, rounds, moments, clips) as on:
            rounds += 1
            for _ in range(moments.randint(1, 4)):
                between = moments.random() < 0.2  # Some end before they come to the step.
                step = f"{moments.choice(BETWEEN)} {moments.randint(1, TAKES)}" if between else ""
                process = on.place.begin(step)
                if not _is_killed(process, on, moments, step):
                    break
                met[f"between: {step.split(':')[1][:-2]}" if step else on.how_far()] += 1
                on.assert_nothing_was_bought_twice()
                if on.waiting_to_be_noted() and moments.random() < 0.3:
                    forgotten += 1
                    on.forget()
                    break
            else:
                on.finish()
                unknown += on.unknown
    between = sum(number for moment, number in met.items() if moment.startswith("between"))
    print(
        f"\n{met.total()} kills in {rounds} rounds (seed {seed}), {between} of them between keeping and noting: none "
        f"bought twice, no clip in the store bought or fetched again; {unknown} rounds with an unknown take, in "
        f"{forgotten} the service forgot all tasks"
    )
    for moment, number in sorted(met.items()):
        print(f"  {number:4} {moment}")
    assert kills < 100 or between >= kills / 10


def _is_killed(process: BaseProcess, on: Round, moments: random.Random, step: str) -> bool:
    """Kill a process at a random moment, or wait until it has died at its step; False if it ends before."""
    if step:
        process.join(_LONGEST)
    elif moments.random() < 0.3:
        process.join(moments.uniform(0, 3))
    else:
        first = moments.random() < 0.3
        heard = on.heard + moments.randint(1, TAKES if first else TAKES * _HEARD)
        while on.heard < heard and process.is_alive():
            process.join(0.001)
        if not first:
            process.join(moments.uniform(0, 0.5))
    process.kill()
    process.join(_LONGEST)
    return process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("step", [f"{step} 1" for step in BETWEEN], ids=[step.split(":")[1] for step in BETWEEN])
def test_a_process_killed_between_keeping_and_noting_buys_and_fetches_nothing_again(tmp_path: Path, step: str) -> None:
    clips = [make_clip(tmp_path / f"{n}.mp4", frames=12 + n, fps="12", size="160x90") for n in range(TAKES)]
    with _round(tmp_path, 0, random.Random(step), clips) as on:
        process = on.place.begin(step)
        process.join(_LONGEST)
        assert process.exitcode == -signal.SIGKILL
        if "discard" in step:
            assert on.keys(State.FINISHED) and on.place.clips().unnoted()
            on.finish()
        else:
            on.forget()
