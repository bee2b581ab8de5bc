"""Every wait of a take ends within its time, is told with its reason, and says what has become of the order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from storyreel.specs.problems.phrases import lasting
from storyreel.specs.storyboard import Mode
from storyreel.tasks.ledger.ledger import Ledger, LedgerError, State
from storyreel.tasks.procurement import collect, order, submission
from storyreel.tasks.procurement.patience import Overdue, Patience
from storyreel.tasks.progress import StageReport, listening
from storyreel.tasks.providers.errors import Transient
from storyreel.tasks.storage.bucket import Bucket, BucketUnavailable
from storyreel.testing.faults import Answer, Call, Silence, Slow
from tests.tasks.procurement.test_order import LOG, Bench, bench
from tests.tasks.providers.hosted_services import SERVICES, Service, local
from tests.tasks.providers.hosted_services import request as request_for

ABSURD = ["3600", "86400", "1000000000", "1" * 40, "Fri, 31 Dec 9999 23:59:59 GMT"]
UNREADABLE = ["nan", "-1", "1e400", "soon", "", "Fri, 31 Dec 9999 23:59:59 -2359"]


def patience(seconds: float) -> Patience:
    return Patience(seconds, "1A", 1)


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> Service:
    return SERVICES[request.param]


@pytest.fixture
def told() -> Any:
    """The reports of a test."""
    reports: list[StageReport] = []
    with listening(reports.append):
        yield reports


@pytest.mark.parametrize("asked", ABSURD)
async def test_an_order_that_is_to_wait_longer_than_its_time_ends_at_once(
    tmp_path: Path, service: Service, asked: str
) -> None:
    async with bench(tmp_path, service) as on:
        on.emulator.fault(Call.CREATE, Answer(429, retry_after=asked), times=99)
        waits = patience(1200)
        with pytest.raises(Transient) as busy:
            await on.make(waits)
        with pytest.raises(Overdue, match=r"it asks to wait .* the 20 min that a run waits") as late:
            await waits.pause(LOG, busy.value, busy.value.retry_after or 0)
        assert "nothing was bought" in late.value.hint
        assert on.emulator.accepted == [] and on.studio.ledger.find(on.take.order.key) is None


async def test_a_pause_is_told_with_its_reason_and_its_length(
    told: list[StageReport], caplog: pytest.LogCaptureFixture
) -> None:
    busy = Transient("dashscope: 429, slow down", service="dashscope")
    busy.retry_after = 0.01
    await patience(20).pause(LOG, busy, 0.01)
    assert [(one.stage, one.detail) for one in told] == [("waiting", "dashscope: 429, slow down; again in 0.01 s")]
    assert caplog.messages == ["1A take 1: dashscope: 429, slow down; again in 0.01 s"]


@pytest.mark.parametrize("asked", [*ABSURD, *UNREADABLE])
async def test_a_take_is_looked_at_again_whatever_a_look_asks_for(
    tmp_path: Path, asked: str, told: list[StageReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "LONGEST_PAUSE", 0.05)
    async with bench(tmp_path, SERVICES["aimlapi"]) as on:
        on.emulator.fault(Call.POLL, Answer(429, retry_after=asked), times=3)
        assert (await on.make()).path.is_file()
        assert len(on.emulator.accepted) == 1
    assert any(one.waits_for and "; again in " in one.detail for one in told)


async def test_looks_come_closer_before_the_end_and_the_last_word_is_told(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "SHORTEST_PAUSE", 0.05)
    async with bench(tmp_path, service, timeout=1) as on:
        on.emulator.fault(Call.POLL, Answer(503, retry_after="1000000000"), times=1000)
        with pytest.raises(Overdue, match=r"was not finished in the 1 s .*; its last word: .*503") as late:
            await on.make()
        assert "it is paid as" in late.value.hint and on.state is State.SUBMITTED
        looks = [received for received in on.emulator.requests if received.method == "GET"]
        assert len(looks) >= 3


async def test_a_download_that_never_ends_leaves_the_order_open(tmp_path: Path, service: Service) -> None:
    async with bench(tmp_path, service) as on:
        on.emulator.fault(Call.FETCH, Slow(), times=1)
        with pytest.raises(Overdue, match="was not downloaded") as late:
            await on.make(patience(1.5))
        assert "it is paid as" in late.value.hint and on.state is State.SUBMITTED
        assert not list((tmp_path / "clips").glob("??/*.mp4"))
        assert (await on.make()).path.is_file()
        assert len(on.emulator.accepted) == 1
        assert "range" in on.emulator.fetches[-1].headers, "it went on where the first ended"
        assert not list((tmp_path / "clips" / "arriving").rglob("*.*"))


async def test_a_look_that_is_never_answered_leaves_the_order_open(tmp_path: Path, service: Service) -> None:
    async with bench(tmp_path, service) as on:
        on.emulator.fault(Call.POLL, Silence(), times=1)
        with pytest.raises(Overdue, match="was not finished"):
            await on.make(patience(1.5))
        assert on.state is State.SUBMITTED
        assert (await on.make()).path.is_file()


def with_upload(on: Bench, folder: Path, name: str) -> None:
    """Give the take a reference that is uploaded: DashScope takes pictures inside the request, and uploads videos."""
    file = folder / "mira.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    reference = local(file, "video" if name == "dashscope" else "image")
    request = request_for(SERVICES[name], Mode.REFERENCE, references=(reference,))
    on.take = on.take.model_copy(update={"request": request})


@pytest.mark.parametrize("name", ["dashscope", "freepik"])
@pytest.mark.parametrize("trouble", [Slow(), Silence()], ids=["slow", "silent"])
async def test_an_upload_that_never_ends_buys_nothing(tmp_path: Path, name: str, trouble: Any) -> None:
    async with bench(tmp_path, SERVICES[name]) as on:
        with_upload(on, tmp_path, name)
        on.emulator.fault(Call.UPLOAD, trouble, times=1)
        with pytest.raises(Overdue, match="has not taken the files") as late:
            await on.make(patience(1))
        assert "nothing was bought" in late.value.hint
        assert on.emulator.accepted == [] and on.studio.ledger.find(on.take.order.key) is None


@pytest.mark.parametrize("name", ["dashscope", "freepik"])
@pytest.mark.parametrize("step", [0, 1], ids=["asking where to", "sending"])
async def test_an_upload_that_is_to_wait_longer_than_its_time_ends_at_once(
    tmp_path: Path, name: str, step: int
) -> None:
    async with bench(tmp_path, SERVICES[name]) as on:
        with_upload(on, tmp_path, name)
        on.emulator.fault(Call.UPLOAD, Answer(503, retry_after="86400"), after=step)
        with pytest.raises(Transient) as busy:
            await on.make()
        assert busy.value.retry_after == 86400 and "nothing was bought" in busy.value.hint


async def test_a_bucket_that_never_answers_buys_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    monkeypatch.setattr(Bucket, "write", lambda *_: never.wait())
    async with bench(tmp_path, SERVICES["apiyi"], vault=Bucket(str(tmp_path / "bucket"))) as on:
        try:
            with pytest.raises(Overdue, match="has not answered") as late:
                await on.make(patience(0.5))
            assert "nothing was bought" in late.value.hint and on.emulator.accepted == []
        finally:
            never.set()


async def test_a_clip_that_a_bucket_does_not_take_is_kept_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    never, put = threading.Event(), Bucket.put

    def hangs(*_: object) -> None:
        never.wait()
        raise BucketUnavailable("it did not answer")

    monkeypatch.setattr(collect, "_DELIVERY_SECONDS", 0.5)
    monkeypatch.setattr(Bucket, "put", hangs)
    async with bench(tmp_path, SERVICES["apiyi"], vault=Bucket(str(tmp_path / "bucket"))) as on:
        try:
            with pytest.raises(Overdue, match="is kept on this host, but the bucket"):
                await on.make(patience(2))
        finally:
            never.set()
        monkeypatch.setattr(Bucket, "put", put)
        assert (await on.make()).path.is_file() and on.state is State.FINISHED
        assert len(on.emulator.fetches) == 1


class Full:
    """Places that other runs hold for ever."""

    reason = "waits for a place at apiyi, 5 of 5 taken"

    @asynccontextmanager
    async def hold(self, service: str) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    def wait_reason(self, service: str) -> str:
        return self.reason


async def test_a_place_that_no_other_run_gives_back_ends_the_wait(
    tmp_path: Path, told: list[StageReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "_PLACE_SECONDS", 0.5)
    monkeypatch.setattr("storyreel.tasks.procurement.patience._TELL_SECONDS", 0.1)
    async with bench(tmp_path, SERVICES["apiyi"]) as on:
        on.studio.places = Full()
        with pytest.raises(Overdue, match="no place at apiyi has become free") as late:
            await on.make(patience(60))
        assert "nothing was bought" in late.value.hint and on.emulator.accepted == []
    assert {one.waits_for for one in told if one.waits_for} == {Full.reason}


async def test_a_wait_whose_reason_changes_is_told_again_and_each_reason_is_logged_once(
    tmp_path: Path, told: list[StageReport], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("storyreel.tasks.procurement.patience._TELL_SECONDS", 0.02)
    async with bench(tmp_path, SERVICES["apiyi"]) as on:
        on.studio.places = full = Full()
        making = asyncio.create_task(on.make(patience(60)))
        await asyncio.sleep(0.3)
        full.reason = "waits for Prefect's server"
        await asyncio.sleep(0.3)
        making.cancel()
        await asyncio.wait([making])
    assert told[-1].waits_for == full.reason
    assert [record.getMessage() for record in caplog.records if "waits for" in record.getMessage()] == [
        f"1A take 1: {Full.reason}", f"1A take 1: {full.reason}",
    ]  # fmt: skip


async def test_the_time_in_the_queue_of_this_run_is_not_the_takes_own(tmp_path: Path) -> None:
    async with bench(tmp_path, SERVICES["apiyi"]) as on:
        slot = on.studio.slots("apiyi", on.take.request.model)["apiyi"]
        held = 0
        while not slot.locked():
            await slot.acquire()
            held += 1
        making = asyncio.create_task(on.make(waits := patience(1.5)))
        await asyncio.sleep(2)
        for _ in range(held):
            slot.release()
        assert (await making).path.is_file()
        assert waits.left > 0


async def test_a_take_that_another_run_never_finishes_ends_the_wait(tmp_path: Path, told: list[StageReport]) -> None:
    async with bench(tmp_path, SERVICES["apiyi"]) as on:
        other = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
        try:
            assert other.intend(on.take.order)
            with pytest.raises(Overdue, match="another run is making 1A take 1"):
                await on.make(patience(1))
        finally:
            other.close()
        assert on.emulator.accepted == []
    assert {one.waits_for for one in told if one.waits_for} == {"another run is making it"}


async def test_tries_share_one_time(tmp_path: Path) -> None:
    async with bench(tmp_path, SERVICES["apiyi"]) as on:
        on.emulator.fault(Call.FETCH, Answer(503), times=99)
        waits = patience(1.5)
        tries = 0
        with pytest.raises(Overdue):
            while True:
                try:
                    await on.make(waits)
                except Transient as error:
                    tries += 1
                    await waits.pause(LOG, error, 0.4)
        assert tries > 1 and on.state is State.SUBMITTED and len(on.emulator.accepted) == 1


async def test_a_free_take_is_not_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(tmp_path, SERVICES["apiyi"]) as on:
        provider = on.studio.provider("apiyi")
        monkeypatch.setattr(type(provider), "paid", False)
        fetch = provider.fetch

        async def slowly(*arguments: Any) -> None:
            await asyncio.sleep(1.5)
            await fetch(*arguments)

        monkeypatch.setattr(provider, "fetch", slowly)
        assert (await on.make(patience(1))).path.is_file()


@pytest.mark.parametrize("failures", [2, 10**6])
async def test_an_accepted_order_that_cannot_be_written_down_is_tried_again_and_told_with_its_task(
    tmp_path: Path, service: Service, failures: int, told: list[StageReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "_NOTE_SECONDS", 0.05)
    write, left = Ledger._submitted, failures

    def locked(*arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left >= 0:
            raise LedgerError("another program has locked the ledger")
        return write(*arguments)

    monkeypatch.setattr(Ledger, "_submitted", locked)
    async with bench(tmp_path, service) as on:
        if failures == 2:
            assert (await on.make()).path.is_file()
        else:
            with pytest.raises(LedgerError, match="the service has accepted the order as") as lost:
                await on.make(patience(0.5))
            assert on.emulator.accepted[0].task in lost.value.next and "--attach" in lost.value.next
        assert len(on.emulator.accepted) == 1
        assert any(on.emulator.accepted[0].task in one.waits_for for one in told)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "0.5 s"), (30, "30 s"), (1200, "20 min"), (3600, "60 min"), (129600, "36 h"), (1e9, "11574 days")],
)
def test_a_duration_is_told_in_a_unit_that_fits(seconds: float, text: str) -> None:
    assert lasting(seconds) == text
