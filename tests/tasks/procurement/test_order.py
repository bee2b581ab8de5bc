"""A take at a hosted service, without Prefect: ordering, waiting, downloading, failing, being cancelled."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from storyreel.specs.storyboard import Mode
from storyreel.tasks.ledger.ledger import Ledger, Order, State
from storyreel.tasks.prices.price_list import PriceList
from storyreel.tasks.procurement.collect import Take, collect
from storyreel.tasks.procurement.order import obtain
from storyreel.tasks.procurement.patience import Overdue, Patience
from storyreel.tasks.providers.errors import Ambiguous, Denied, TaskFailed, TaskForgotten, Terminal, Transient
from storyreel.tasks.storage.bucket import Bucket
from storyreel.tasks.storage.clips import ClipStore
from storyreel.tasks.studio import Studio
from storyreel.testing.faults import Answer, Call, Claims, Corrupt, Page, Redirect, Reset, Shortened
from tests.services.emulator import Emulator
from tests.services.jobs import Failure, Phase, Script
from tests.tasks.providers.hosted_services import SERVICES, Service, own_error
from tests.tasks.providers.hosted_services import request as request_for

LOG = logging.getLogger("take")
QUICK = Script(waiting=1, running=1)


class Bench:
    """An emulator, a studio on it, and one take to make."""

    def __init__(self, emulator: Emulator, studio: Studio, take: Take) -> None:
        self.emulator, self.studio, self.take = emulator, studio, take

    @property
    def state(self) -> State:
        purchase = self.studio.ledger.find(self.take.order.key)
        assert purchase is not None
        return purchase.state

    async def make(self, patience: Patience | None = None) -> Any:
        patience = patience or Patience(self.take.timeout, "1A", 1)
        return await obtain(self.take, self.studio, LOG, patience)


@asynccontextmanager
async def bench(
    folder: Path, service: Service, *, timeout: float = 20, vault: Bucket | None = None, **settings: Any
) -> AsyncIterator[Bench]:
    emulator = service.emulated(**{"script": QUICK, **settings})
    with emulator.served() as base_url:
        async with service.provider(base_url, timeout=3) as provider:
            ledger = Ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
            clips = ClipStore(folder / "clips", vault)
            studio = Studio(ledger, clips, folder / "house", {service.name: provider}, PriceList.read({}), 0.02)
            request = request_for(service, Mode.TEXT)
            order = Order(
                key=request.key, provider=service.name, model=request.model, request=request.canonical(),
                film="F", slate="1A", take=1,
            )  # fmt: skip
            yield Bench(emulator, studio, Take(order=order, request=request, timeout=timeout))
            await studio.close()


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> Service:
    return SERVICES[request.param]


async def test_a_take_is_ordered_once_and_its_clip_is_kept(tmp_path: Path, service: Service) -> None:
    async with bench(tmp_path, service) as on:
        clip = await on.make()
        assert clip.path.is_file() and on.state is State.FINISHED
        assert await on.make() == clip
        assert len(on.emulator.accepted) == 1


@pytest.mark.parametrize("trouble", [Shortened(), Corrupt(), Answer(503)], ids=["truncated", "corrupt", "503"])
async def test_a_paid_clip_is_not_given_up_because_its_download_failed(
    tmp_path: Path, service: Service, trouble: Any
) -> None:
    async with bench(tmp_path, service) as on:
        on.emulator.fault(Call.FETCH, trouble, times=1)
        with pytest.raises(Transient):
            await on.make()
        assert on.state is State.SUBMITTED
        assert {file.parent.name for file in (tmp_path / "clips").rglob("*.mp4")} <= {"damaged"}
        assert (await on.make()).path.is_file()
        assert len(on.emulator.accepted) == 1


async def test_a_link_that_expired_is_asked_for_again(tmp_path: Path) -> None:
    async with bench(tmp_path, SERVICES["apiyi"], link_gets=0, renews_links=True) as on:
        with pytest.raises(Transient, match="expired"):
            await on.make()
        assert on.state is State.SUBMITTED
        assert sum("/v1/tasks/" in received.path for received in on.emulator.requests) >= 5


async def test_a_clip_that_claims_to_be_huge_is_not_fetched_and_not_lost(tmp_path: Path, service: Service) -> None:
    async with bench(tmp_path, service) as on:
        on.emulator.fault(Call.FETCH, Claims(), times=1)
        with pytest.raises(Terminal):
            await on.make()
        assert on.state is State.SUBMITTED
        assert (await on.make()).path.is_file()


async def test_a_lost_answer_is_unknown_and_never_sent_again(tmp_path: Path, service: Service) -> None:
    async with bench(tmp_path, service) as on:
        on.emulator.fault(Call.CREATE, Reset(), accepted=True, times=1)
        for _ in range(3):
            with pytest.raises(Ambiguous) as caught:
                await on.make()
            assert "reconcile" in caught.value.next
        assert on.state is State.UNKNOWN
        assert len(on.emulator.accepted) == 1


async def test_a_busy_service_leaves_nothing_in_the_ledger(tmp_path: Path, service: Service) -> None:
    async with bench(tmp_path, service) as on:
        on.emulator.fault(Call.CREATE, Answer(429, retry_after="7"), times=1)
        with pytest.raises(Transient) as busy:
            await on.make()
        assert busy.value.retry_after == 7
        assert on.studio.ledger.find(on.take.order.key) is None
        assert (await on.make()).path.is_file()


async def test_a_take_that_may_not_be_ordered_is_only_continued(tmp_path: Path, service: Service) -> None:
    async with bench(tmp_path, service) as on:
        consented, on.take = on.take, on.take.model_copy(update={"may_order": False})
        with pytest.raises(Terminal, match="not agreed to; nothing was bought"):
            await on.make()
        assert on.studio.ledger.find(on.take.order.key) is None and on.emulator.accepted == []
        on.emulator.fault(Call.FETCH, Answer(503), times=1)
        with pytest.raises(Transient):
            await Bench(on.emulator, on.studio, consented).make()
        assert (await on.make()).path.is_file()
        assert len(on.emulator.accepted) == 1


@pytest.mark.parametrize(("terms", "counts"), [("failed: billed", True), ("failed: free", False)])
async def test_a_task_that_failed_counts_if_the_price_list_says_so(tmp_path: Path, terms: str, counts: bool) -> None:
    (own := tmp_path / "prices.yaml").write_text(
        f"prices: 1\nrates: [{{service: apiyi, per_second: 0.5, currency: USD, {terms}}}]\n"
    )
    async with bench(tmp_path, SERVICES["apiyi"]) as on:
        on.studio.prices = PriceList.read({"STORYREEL_PRICES": str(own)})
        price = on.studio.prices.price(on.take.request).money
        on.take = on.take.model_copy(update={"order": on.take.order.model_copy(update={"price": price})})
        on.emulator.use_script(Script(waiting=0, running=0, end=Phase.FAILED))
        with pytest.raises(TaskFailed):
            await on.make()
        assert on.state is State.FAILED
        assert on.studio.ledger.committed("month", film="F") == ((price,) if counts else ())


@pytest.mark.parametrize(("terms", "counts"), [("", False), ("failed: billed", True)])
async def test_a_failure_at_aimlapi_costs_nothing_though_a_cost_came_with_its_acceptance(
    tmp_path: Path, terms: str, counts: bool
) -> None:
    (own := tmp_path / "prices.yaml").write_text(
        f"prices: 1\nrates: [{{service: aimlapi, per_second: 0.5, currency: USD, {terms}}}]\n"
    )
    async with bench(tmp_path, SERVICES["aimlapi"]) as on:
        on.studio.prices = PriceList.read({"STORYREEL_PRICES": str(own)} if terms else {})
        on.emulator.use_script(Script(waiting=0, running=0, end=Phase.FAILED))
        with pytest.raises(TaskFailed):
            await on.make()
        costs = [event.cost.amount for event in on.studio.ledger.history(on.take.order.key) if event.cost]
        assert costs[0] > 0 and bool(costs[-1]) == counts
        assert any(money.amount for money in on.studio.ledger.committed("month", film="F")) == counts


async def test_a_take_that_another_run_has_ordered_elsewhere_is_not_ordered_too(
    tmp_path: Path, service: Service
) -> None:
    async with bench(tmp_path, service) as on:
        other = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
        there = on.take.order.model_copy(update={"key": "there", "provider": "elsewhere"})
        assert other.intend(there) and other.intend(there.model_copy(update={"key": "same request", "slate": "9Z"}))
        on.take = on.take.model_copy(update={"elsewhere": ("there", "same request", "never ordered")})
        for _ in range(2):
            with pytest.raises(Terminal, match="was ordered from elsewhere meanwhile"):
                await on.make()
            other.mark_submitted("there", "task-1", None)
        assert on.emulator.accepted == [] and on.studio.ledger.find(on.take.order.key) is None
        other.mark_failed("there", "it cannot be made")
        await on.make()
        assert len(on.emulator.accepted) == 1
        other.close()


async def test_a_task_that_failed_is_final_for_the_run(tmp_path: Path, service: Service) -> None:
    async with bench(tmp_path, service) as on:
        on.emulator.use_script(Script(waiting=0, running=0, end=Phase.FAILED, failure=Failure(message="too dark")))
        with pytest.raises(TaskFailed):
            await on.make()
        assert on.state is State.FAILED
        with pytest.raises(Terminal):
            await on.make()
        assert len(on.emulator.accepted) == 1, "another run may order it anew, this one does not"


async def test_a_task_that_never_ends_stands_for_the_next_run(tmp_path: Path, service: Service) -> None:
    async with bench(tmp_path, service, timeout=0.3) as on:
        on.emulator.use_script(Script(waiting=1, running=1, end=None), times=1)
        with pytest.raises(Overdue) as late:
            await on.make()
        assert "it is paid" in late.value.hint
        assert on.state is State.SUBMITTED
        assert len(on.emulator.accepted) == 1


async def test_a_failed_poll_is_repeated(tmp_path: Path, service: Service) -> None:
    async with bench(tmp_path, service) as on:
        on.emulator.fault(Call.POLL, Answer(502), times=4)
        assert (await on.make()).path.is_file()
        assert len(on.emulator.accepted) == 1


async def test_whatever_looks_at_a_task_meet_it_is_made_and_bought_once(tmp_path: Path, service: Service) -> None:
    """No answer but the final word about this very task is a verdict."""
    error = {"message": "upstream timeout, try again"}
    another = {"id": "another", "task_id": "another", "status": "error", "task_status": "FAILED"}
    troubles = [
        Answer(200, {"error": error}),
        Answer(200, {"error": error, "status": "pondering"}),
        Answer(200, {"status": "error"} | error),
        Answer(200, {"status": "failed"} | error),
        Answer(200, {"output": {"task_status": "FAILED"}, "data": {"status": "FAILED"}}),
        Answer(200, another | {"output": another, "data": another | {"status": "FAILED"}}),
        *(Page(status) for status in (200, 400, 401, 403, 404, 410, 429, 502, 520)),
        *(
            own_error(service, status, "try again")
            for status in (400, 401, 402, 403, 404, 408, 409, 410, 422, 499, 500)
        ),
        Redirect(),
    ]
    async with bench(tmp_path, service, timeout=300) as on:
        for trouble in troubles:
            on.emulator.fault(Call.POLL, trouble, times=2)
            on.emulator.fault(Call.POLL, Answer(503), times=1)
        assert (await on.make()).path.is_file()
        assert on.state is State.FINISHED
        assert len(on.emulator.accepted) == 1
        assert sum(received.method == "GET" for received in on.emulator.requests) > 3 * len(troubles)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_was_revoked_meanwhile_does_not_lose_the_task(
    tmp_path: Path, service: Service, status: int
) -> None:
    async with bench(tmp_path, service) as on:
        on.emulator.fault(Call.POLL, own_error(service, status, "no such key"), times=5)
        with pytest.raises(Denied, match="no such key") as denied:
            await on.make()
        assert on.state is State.SUBMITTED and "the order stays open" in denied.value.hint
        assert (await on.make()).path.is_file()
        assert len(on.emulator.accepted) == 1


async def test_an_order_that_is_not_surely_refused_is_unknown_and_never_sent_again(
    tmp_path: Path, service: Service
) -> None:
    for number, trouble in enumerate((Redirect(), Page(403), Page(400), own_error(service, 409, "a conflict"))):
        (tmp_path / str(number)).mkdir()
        async with bench(tmp_path / str(number), service) as on:
            on.emulator.fault(Call.CREATE, trouble, accepted=True, times=1)
            for _ in range(2):
                with pytest.raises(Ambiguous):
                    await on.make()
            assert on.state is State.UNKNOWN
            assert len(on.emulator.accepted) == 1


async def test_a_task_that_the_service_forgot_is_not_bought_again_by_itself(tmp_path: Path) -> None:
    async with bench(tmp_path, SERVICES["dashscope"], timeout=0.2) as on:
        on.emulator.use_script(Script(waiting=1, running=1, end=None), times=1)
        with pytest.raises(Overdue):
            await on.make()
        on.emulator.clock.forward(hours=25)
        with pytest.raises(TaskForgotten) as caught:
            await on.make(Patience(20, "1A", 1))
        assert "--buy-again" in caught.value.next
        assert on.state is State.UNKNOWN
        assert len(on.emulator.accepted) == 1


async def test_a_task_that_is_forgotten_while_it_is_awaited_has_one_advice(tmp_path: Path) -> None:
    async with bench(tmp_path, SERVICES["dashscope"], timeout=30) as on:
        on.emulator.use_script(Script(waiting=1, running=1, end=None), times=1)
        making = asyncio.create_task(on.make())
        while not on.emulator.accepted:
            await asyncio.sleep(0.01)
        on.emulator.clock.forward(hours=25)
        with pytest.raises(TaskForgotten) as caught:
            await making
        assert "give the order up" in caught.value.hint
        assert "the same command goes on with it" not in caught.value.hint


async def test_of_two_orders_with_one_id_the_second_gets_no_clip_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, SERVICES["aimlapi"]) as on:
        monkeypatch.setattr(on.emulator, "_new_id", lambda: "the-same")
        await on.make()
        first, request = on.take, on.take.request.model_copy(update={"seed": 8})
        other = first.order.model_copy(update={"key": request.key, "request": request.canonical(), "slate": "1B"})
        on.take = first.model_copy(update={"order": other, "request": request})
        for _ in range(2):
            with pytest.raises(Ambiguous, match=r"1B take 1 was ordered, but .* is that of F 1A take 1") as caught:
                await on.make()
            assert caught.value.next == f"storyreel reconcile --key {request.key[:12]}"
        assert on.state is State.UNKNOWN
        second = on.studio.ledger.find(request.key)
        assert second and second.clip is None and second.task and second.task.endswith("the-same")
        assert (len(on.emulator.accepted), len(on.emulator.fetches)) == (2, 1)
        on.take = first
        await on.make()


async def test_a_cancelled_run_cancels_orders_that_still_wait(tmp_path: Path) -> None:
    async with bench(tmp_path, SERVICES["dashscope"]) as on:
        on.emulator.use_script(Script(waiting=10_000, running=1), times=1)
        await _cancelled_once(on, lambda: len(on.emulator.accepted) == 1)
        assert any(received.path.endswith("/cancel") for received in on.emulator.requests)
        assert on.state is State.FAILED


async def test_a_cancelled_run_leaves_orders_that_cannot_be_cancelled_to_the_next(tmp_path: Path) -> None:
    async with bench(tmp_path, SERVICES["aimlapi"]) as on:
        on.emulator.use_script(Script(waiting=3, running=1000), times=1)
        await _cancelled_once(on, lambda: len(on.emulator.accepted) == 1)
        assert on.state is State.SUBMITTED


async def test_a_run_that_is_handed_over_cancels_no_order(tmp_path: Path) -> None:
    async with bench(tmp_path, SERVICES["dashscope"]) as on:
        on.emulator.use_script(Script(waiting=10_000, running=1), times=1)
        on.studio.keeps_orders = True
        await _cancelled_once(on, lambda: len(on.emulator.accepted) == 1)
        assert not any(received.path.endswith("/cancel") for received in on.emulator.requests)
        assert on.state is State.SUBMITTED


async def test_a_run_that_is_stopped_while_an_order_is_under_way_waits_for_the_answer(tmp_path: Path) -> None:
    async with bench(tmp_path, SERVICES["aimlapi"]) as on:
        sent = threading.Event()

        def slowly(_: object) -> bool:
            sent.set()
            time.sleep(0.5)
            return False

        on.emulator.fault(Call.CREATE, Reset(), times=1, when=slowly)
        making = asyncio.create_task(on.make())
        while not sent.is_set():
            await asyncio.sleep(0.01)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
        assert on.state is State.SUBMITTED, "its task is known, so the next run goes on with it"


async def _cancelled_once(on: Bench, is_so: Callable[[], bool]) -> None:
    making = asyncio.create_task(on.make())
    while not is_so():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making


async def test_a_damaged_store_fetches_again_what_was_paid(tmp_path: Path, service: Service) -> None:
    async with bench(tmp_path, service) as on:
        clip = await on.make()
        clip.path.unlink()
        assert (await on.make()).digest == clip.digest
        assert len(on.emulator.accepted) == 1


async def test_collecting_twice_is_harmless(tmp_path: Path, service: Service) -> None:
    async with bench(tmp_path, service) as on:
        clip = await on.make()
        purchase = on.studio.ledger.find(on.take.order.key)
        assert purchase and purchase.task
        provider = on.studio.provider(service.name)
        assert await collect(on.take, purchase.task, provider, on.studio, Patience(20, "1A", 1), LOG) == clip
        assert on.state is State.FINISHED


# Into a bucket that hosts share


async def test_a_take_is_finished_when_its_clip_is_in_the_bucket(tmp_path: Path, bucket: str) -> None:
    async with bench(tmp_path, SERVICES["apiyi"], vault=Bucket(bucket)) as on:
        clip = await on.make()
        assert Bucket(bucket).size(f"{clip.digest[:2]}/{clip.digest}.mp4") == clip.size
        clip.path.unlink()
        assert await on.make() == clip and clip.path.is_file()
        assert len(on.emulator.fetches) == 1


async def test_a_clip_that_comes_while_the_bucket_is_away_is_neither_lost_nor_fetched_again(
    tmp_path: Path, bucket: str, away: Callable[[], None], back: Callable[[], None]
) -> None:
    async with bench(tmp_path, SERVICES["apiyi"], vault=Bucket(bucket)) as on:
        on.studio.clips.ensure_writable()
        away()
        for _ in range(2):
            with pytest.raises(Transient, match="was downloaded and is kept on this host") as caught:
                await on.make()
            assert on.state is State.SUBMITTED
        assert "same command" in caught.value.hint
        back()
        # The service need not know of it any more.
        on.emulator.fault(Call.POLL, Answer(404), times=100)
        clip = await on.make()
        assert on.state is State.FINISHED
        assert Bucket(bucket).size(f"{clip.digest[:2]}/{clip.digest}.mp4") == clip.size
        assert (len(on.emulator.accepted), len(on.emulator.fetches)) == (1, 1)


@pytest.mark.parametrize(
    ("url", "trouble"), [("s3://nobodys-bucket/clips", Terminal), ("away", Transient)], ids=["none", "away"]
)
async def test_a_bucket_that_takes_no_clip_is_an_error_before_anything_is_bought(
    tmp_path: Path, bucket: str, away: Callable[[], None], url: str, trouble: type[Exception]
) -> None:
    if url == "away":
        away()
    async with bench(tmp_path, SERVICES["apiyi"], vault=Bucket(bucket if url == "away" else url)) as on:
        with pytest.raises(trouble, match="did not take"):
            await on.make()
        assert on.emulator.accepted == [] and on.studio.ledger.find(on.take.order.key) is None


async def test_a_bucket_that_is_away_is_no_reason_to_buy_again(
    tmp_path: Path, bucket: str, away: Callable[[], None], back: Callable[[], None]
) -> None:
    async with bench(tmp_path, SERVICES["apiyi"], vault=Bucket(bucket)) as on:
        clip = await on.make()
        clip.path.unlink()
        away()
        with pytest.raises(Transient):
            await on.make()
        assert on.state is State.FINISHED
        back()
        assert await on.make() == clip
        assert (len(on.emulator.accepted), len(on.emulator.fetches)) == (1, 1)


async def test_a_clip_damaged_in_the_bucket_is_reported_and_downloaded_again(
    tmp_path: Path, bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(tmp_path, SERVICES["apiyi"], vault=Bucket(bucket)) as on:
        clip = await on.make()
        whole = clip.path.read_bytes()
        clip.path.unlink()
        Bucket(bucket).write(f"{clip.digest[:2]}/{clip.digest}.mp4", whole[:-1])
        assert await on.make() == clip
        assert "the clip of 1A take 1 is damaged in s3://" in caplog.text
        assert Bucket(bucket).size(f"{clip.digest[:2]}/{clip.digest}.mp4") == clip.size
        assert (len(on.emulator.accepted), len(on.emulator.fetches)) == (1, 2)


async def test_a_clip_that_came_is_not_lost_when_another_host_finds_its_order_forgotten(
    tmp_path: Path, bucket: str, away: Callable[[], None], back: Callable[[], None]
) -> None:
    async with bench(tmp_path, SERVICES["apiyi"], vault=Bucket(bucket)) as on:
        on.studio.clips.ensure_writable()
        away()
        with pytest.raises(Transient):
            await on.make()
        back()
        # As another host leaves it, which has no clip and asks the service.
        assert on.studio.ledger.mark_unknown(on.take.order.key, "the service has forgotten it")
        clip = await on.make()
        assert on.state is State.FINISHED
        assert Bucket(bucket).size(f"{clip.digest[:2]}/{clip.digest}.mp4") == clip.size
        assert (len(on.emulator.accepted), len(on.emulator.fetches)) == (1, 1)


async def test_a_take_that_another_run_orders_elsewhere_while_the_ledger_is_locked_is_not_bought_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, SERVICES["aimlapi"]) as on:
        other, intend = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}"), Ledger.intend
        elsewhere = on.take.order.model_copy(update={"key": "elsewhere", "provider": "apiyi"})

        def intend_later(ledger: Ledger, *arguments: Any) -> bool:
            monkeypatch.setattr(Ledger, "intend", intend)
            assert other.intend(elsewhere)
            return intend(ledger, *arguments)

        monkeypatch.setattr(Ledger, "intend", intend_later)
        on.take = on.take.model_copy(update={"elsewhere": ("elsewhere",)})
        with pytest.raises(Terminal, match="ordered from apiyi meanwhile"):
            await on.make()
        assert on.emulator.accepted == [] and on.studio.ledger.find(on.take.order.key) is None
        other.close()
