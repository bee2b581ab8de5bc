"""An answer to an order that cannot be used is kept where a person finds it, before anything else can go wrong."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest

from storyreel.tasks.ledger.ledger import State
from storyreel.tasks.providers.errors import Ambiguous
from storyreel.tasks.storage.answers import keep_answer
from storyreel.testing.faults import Answer, Call, ErrorReply, Trouble
from storyreel.testing.wire import HttpRequest, Reply
from tests.tasks.procurement.test_order import bench
from tests.tasks.providers.hosted_services import SERVICES


@pytest.mark.parametrize("name", SERVICES)
async def test_the_message_names_the_file_that_holds_the_answer(tmp_path: Path, name: str) -> None:
    answer = {"note": "accepted as task-77 \0\x1b[31m", "balance": 1e60}
    async with bench(tmp_path, SERVICES[name]) as on:
        on.emulator.fault(Call.CREATE, Answer(200, answer), accepted=True)
        with pytest.raises(Ambiguous) as unknown:
            await on.make()
        (kept,) = (tmp_path / "answers").iterdir()
        purchase = on.studio.ledger.find(on.take.order.key)
        assert purchase is not None and purchase.state is State.UNKNOWN
    assert b"task-77" in kept.read_bytes()
    assert str(kept) in str(unknown.value)
    assert str(kept) in purchase.reason
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_an_answer_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "answers").write_text("a file, where a folder should be")
    assert keep_answer(tmp_path / "answers", "k" * 64, b"{}") is None


def test_answers_to_the_same_order_are_all_kept_and_bounded(tmp_path: Path) -> None:
    paths = {keep_answer(tmp_path / "answers", "k" * 64, b"x" * (9 << 20)) for _ in range(3)}
    assert len(paths) == 3 and None not in paths
    assert all(path.stat().st_size <= 256 << 10 for path in paths if path)


@dataclass(frozen=True)
class Costs(Trouble):
    """The true answer, with another amount in it."""

    amount: str
    needs_reply = True

    def spoil(self, reply: Reply, request: HttpRequest, error_reply: ErrorReply) -> Reply:
        body = {**json.loads(reply.body), "meta": {"usage": {"usd_spent": "?"}}}
        return Reply(200, json.dumps(body).replace('"?"', self.amount).encode())


@pytest.mark.parametrize("amount", ["1e60", "-1", "NaN", "1" + "0" * 400])
async def test_a_cost_that_makes_no_sense_is_told_and_not_stored(
    tmp_path: Path, amount: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(tmp_path, SERVICES["aimlapi"]) as on:
        on.emulator.fault(Call.CREATE, Costs(amount))
        on.emulator.fault(Call.POLL, Costs(amount))
        await on.make()
        purchase = on.studio.ledger.find(on.take.order.key)
    assert purchase is not None and purchase.state is State.FINISHED and purchase.cost is None
    told = [record.getMessage() for record in caplog.records if "makes no sense" in record.getMessage()]
    assert told and all(line.startswith("1A take 1: the service names") and len(line) < 200 for line in told)
