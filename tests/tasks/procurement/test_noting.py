"""A clip in the store is never bought again, whatever kept the ledger from having it noted, and whatever came after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from storyreel.tasks.ledger import database
from storyreel.tasks.ledger.ledger import Ledger, LedgerError, Purchase, State
from storyreel.tasks.procurement import submission
from storyreel.tasks.providers.errors import ProviderError
from storyreel.tasks.providers.provider import Submission
from storyreel.tasks.providers.request import Request
from storyreel.testing.faults import Answer, Call
from tests.tasks.procurement.test_order import Bench, bench
from tests.tasks.providers.hosted_services import SERVICES

Event = Callable[[Ledger, Purchase], object]

SINCE: dict[str, Event] = {
    "nothing": lambda ledger, purchase: True,
    "the service has failed it": lambda ledger, purchase: ledger.mark_failed(purchase.order.key, "it has failed"),
    "another host found it forgotten": lambda ledger, purchase: ledger.mark_unknown(purchase.order.key, "forgotten"),
    "a person gave it up": lambda ledger, purchase: (
        ledger.mark_unknown(purchase.order.key, "forgotten") and ledger.give_up(_found(ledger, purchase), "by hand")
    ),
    "another run marked it": lambda ledger, purchase: ledger.mark_finished(purchase.order.key, "0" * 64),
    "a newer order failed": lambda ledger, purchase: (
        ledger.mark_failed(purchase.order.key, "it has failed")
        and ledger.intend_again(_found(ledger, purchase), purchase.order)
        and ledger.mark_submitted(purchase.order.key, "newer", None)
        and ledger.mark_failed(purchase.order.key, "it has failed too")
    ),
    "a newer order is unknown": lambda ledger, purchase: (
        ledger.mark_failed(purchase.order.key, "it has failed")
        and ledger.intend_again(_found(ledger, purchase), purchase.order)
        and ledger.mark_unknown(purchase.order.key, "no answer")
    ),
}


def _found(ledger: Ledger, purchase: Purchase) -> Purchase:
    found = ledger.find(purchase.order.key)
    assert found
    return found


async def _kept_but_not_noted(on: Bench, monkeypatch: pytest.MonkeyPatch, *, is_forgotten: bool = True) -> Purchase:
    """Make the take up to the moment at which the ledger is told of its clip, and fail there."""

    def locked(*_: object, **__: object) -> bool:
        raise LedgerError("another program has locked the ledger", hint="end that program")

    with monkeypatch.context() as failing, pytest.raises(LedgerError) as caught:
        failing.setattr(Ledger, "mark_finished", locked)
        await on.make()
    assert "1A take 1 is in the store" in caught.value.message and "locked" in caught.value.message
    assert "buys nothing again" in caught.value.hint
    if is_forgotten:
        on.emulator.fault(Call.POLL, Answer(404), times=10_000)
    purchase = on.studio.ledger.find(on.take.order.key)
    assert purchase and purchase.state is State.SUBMITTED
    return purchase


@pytest.mark.parametrize("since", SINCE.values(), ids=SINCE)
async def test_a_clip_that_is_not_noted_is_noted_at_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, since: Event
) -> None:
    async with bench(tmp_path, SERVICES["apiyi"]) as on:
        purchase = await _kept_but_not_noted(on, monkeypatch)
        assert since(on.studio.ledger, purchase)
        clip = await on.make()
        assert await on.make() == clip and clip.path.is_file()
        noted = on.studio.ledger.find(on.take.order.key)
        assert noted and (noted.state, noted.clip, noted.task) == (State.FINISHED, clip.digest, purchase.task)
        assert on.studio.clips.receipts() == []
        assert (len(on.emulator.accepted), len(on.emulator.fetches)) == (1, 1)


async def test_a_ledger_that_was_restored_without_the_order_gets_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, SERVICES["apiyi"]) as on:
        purchase = await _kept_but_not_noted(on, monkeypatch)
        on.studio.ledger.close()
        on.studio.ledger = Ledger(f"sqlite:///{tmp_path / 'restored.sqlite'}")
        await on.make()
        noted = on.studio.ledger.find(on.take.order.key)
        assert noted and (noted.state, noted.task) == (State.FINISHED, purchase.task)
        assert len(on.emulator.accepted) == 1


async def test_what_another_run_is_storing_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(tmp_path, SERVICES["apiyi"]) as on:
        purchase = await _kept_but_not_noted(on, monkeypatch)
        (receipt,) = on.studio.clips.receipts()
        other = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
        assert not other.mark_finished(purchase.order.key, receipt.digest, task=receipt.task)
        other.close()
        assert on.state is State.SUBMITTED


async def test_a_receipt_without_its_clip_is_no_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(tmp_path, SERVICES["apiyi"]) as on:
        await _kept_but_not_noted(on, monkeypatch, is_forgotten=False)
        (receipt,) = on.studio.clips.receipts()
        clip = on.studio.clips.find(receipt.digest)
        assert clip
        clip.path.unlink()
        assert (await on.make()).path.is_file()
        assert on.state is State.FINISHED and on.studio.clips.receipts() == []
        assert (len(on.emulator.accepted), len(on.emulator.fetches)) == (1, 2)


async def test_a_locked_ledger_loses_no_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a real lock: another connection writes from the moment at which the clip is kept."""
    async with bench(tmp_path, SERVICES["apiyi"]) as on:
        clips, blocked = on.studio.clips, database.Database(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
        keep = clips.keep
        monkeypatch.setattr(database, "_TIMEOUT", 0.05)
        monkeypatch.setattr(database.Database.write, "__defaults__", (0.05,))
        on.studio.ledger.close()
        on.studio.ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
        held = blocked.engine.connect().execution_options(begin_with="BEGIN IMMEDIATE")

        def keep_and_lock(*arguments: object) -> object:
            clip = keep(*arguments)  # type: ignore[arg-type]
            held.begin()
            return clip

        monkeypatch.setattr(clips, "keep", keep_and_lock)
        with pytest.raises(LedgerError, match="locked"):
            await on.make()
        held.close()
        blocked.close()
        assert (await on.make()).path.is_file()
        assert (len(on.emulator.accepted), len(on.emulator.fetches)) == (1, 1)
        assert on.state is State.FINISHED


@pytest.mark.parametrize("trouble", ["no more threads", "an id that is no text"])
async def test_an_accepted_order_is_in_the_ledger_if_this_host_can_keep_no_note_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    async with bench(tmp_path, SERVICES["aimlapi"]) as on:
        provider = on.studio.provider("aimlapi")
        if trouble == "no more threads":

            async def not_started(*_: object) -> bool:
                raise RuntimeError("can't start new thread")

            monkeypatch.setattr(submission, "in_own_thread", not_started)
            assert (await on.make()).path.is_file()
        else:

            async def oddly_named(_: Request) -> Submission:
                return Submission(task="cut \ud83d")

            monkeypatch.setattr(provider, "submit", oddly_named)
            with pytest.raises(ProviderError):
                await on.make()  # No emulator knows this id.
            purchase = on.studio.ledger.find(on.take.order.key)
            assert purchase and purchase.task == r"cut \ud83d"


async def test_a_stopped_run_does_not_cancel_the_task_of_another_order_whose_id_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, SERVICES["dashscope"]) as on:
        provider, ledger = on.studio.provider("dashscope"), on.studio.ledger
        assert ledger.intend(on.take.order.model_copy(update={"key": "other", "slate": "1B"}))
        assert ledger.mark_submitted("other", "task-7", None)
        sent, answered, called_off = asyncio.Event(), asyncio.Event(), []

        async def submit(_: Request) -> Submission:
            sent.set()
            await answered.wait()
            return Submission(task="task-7")

        async def cancel(task: str) -> bool:
            called_off.append(task)
            return True

        monkeypatch.setattr(provider, "submit", submit)
        monkeypatch.setattr(provider, "cancel", cancel)
        making = asyncio.create_task(on.make())
        await sent.wait()
        making.cancel()
        await asyncio.sleep(0)
        answered.set()
        with pytest.raises(asyncio.CancelledError):
            await making
        assert on.state is State.UNKNOWN and called_off == []
