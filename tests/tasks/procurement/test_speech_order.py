"""Speech, whose answer is the product: it is bought once whatever dies, and its link is kept until it is stored."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import characters, sampled_from, text

from storyreel.specs.money import Money
from storyreel.specs.storyboard import Mode
from storyreel.tasks.inspection.inspect import Inspection, Wanted, inspect_clip
from storyreel.tasks.inspection.speech import spoken_seconds
from storyreel.tasks.ledger.ledger import State
from storyreel.tasks.providers.dashscope import DashScope
from storyreel.tasks.providers.errors import Ambiguous, TaskForgotten, Terminal, Transient
from storyreel.tasks.providers.models import find_capability
from storyreel.tasks.providers.request import Request
from storyreel.tasks.providers.wan.speech import speech_body
from storyreel.tasks.storage.acceptances import Acceptance, acceptances, keep_acceptance
from storyreel.tasks.storage.bucket import Bucket
from storyreel.testing.faults import Answer, Call, Reset, Shortened
from storyreel.testing.footage import LETTER_SECONDS, speech
from tests.services import qwen_speech
from tests.services.jobs import Script
from tests.tasks.procurement.killing import FINISHED, UNKNOWN, Place
from tests.tasks.procurement.test_order import Bench, bench
from tests.tasks.providers.hosted_services import SERVICES, opened
from tests.tasks.providers.hosted_services import request as request_for

DASHSCOPE = SERVICES["dashscope"]
LINE = "The light has not gone out in forty years."


def spoken(line: str = LINE, **changes: Any) -> Request:
    return request_for(DASHSCOPE, Mode.SPEECH, prompt=line, **changes)


@asynccontextmanager
async def speaking(folder: Path, **settings: Any) -> AsyncIterator[Bench]:
    """A bench whose take is a spoken line."""
    async with bench(folder, DASHSCOPE, **settings) as on:
        request, order = spoken(), on.take.order
        told = {"key": request.key, "model": request.model, "request": request.canonical(), "slate": "1A@line-1"}
        on.take = on.take.model_copy(update={"request": request, "order": order.model_copy(update=told)})
        yield on


def kept(on: Bench) -> list[Acceptance]:
    return acceptances(on.studio.accepted_folder)


async def test_a_line_is_bought_once_and_stored_as_a_sound(tmp_path: Path) -> None:
    async with speaking(tmp_path) as on:
        clip = await on.make()
        assert clip.is_sound and not clip.is_picture and clip.path.suffix == ".wav"
        assert clip.path == on.studio.clips.root / "speech" / clip.digest[:2] / f"{clip.digest}.wav"
        assert await on.make() == clip and on.studio.clips.files() == [clip.path]
        purchase = on.studio.ledger.find(on.take.order.key)
        assert purchase and purchase.state is State.FINISHED and (purchase.task or "").startswith("audio_")
        assert purchase.cost == Money(amount=Decimal(len(LINE) * 8) / 100_000, currency="CNY")
        sent = [request.path for request in on.emulator.requests]
        assert sent == ["/api/v1/services/aigc/multimodal-generation/generation"], "one order, and no look"
        assert kept(on) == [], "what is in the store needs no link"
        found = await inspect_clip(clip.path, on.take.request, Wanted(), on.studio.clips)
        assert (found.findings, found.frames, found.seconds) == ((), 0, spoken_seconds(clip.path))
        assert found.seconds == Fraction(len(LINE) * round(24_000 * LETTER_SECONDS), 24_000)


async def test_an_answer_outlives_the_run_that_got_it_and_is_fetched_by_the_next(tmp_path: Path) -> None:
    async with speaking(tmp_path) as on:
        on.emulator.fault(Call.FETCH, Answer(503), times=1)
        with pytest.raises(Transient):
            await on.make()
        assert on.state is State.SUBMITTED and len(kept(on)) == 1
        on.emulator.fault(Call.FETCH, Shortened(), times=1)
        with pytest.raises(
            Transient, match=r"1A@line-1 take 1 arrived damaged: the speech from dashscope is cut short"
        ):
            await on.make()
        clip = await on.make()
        assert clip.path.is_file() and on.state is State.FINISHED and kept(on) == []
        assert len(on.emulator.requests) == len(on.emulator.accepted) == 1


async def test_a_lost_answer_is_unknown_and_never_sent_again(tmp_path: Path) -> None:
    async with speaking(tmp_path) as on:
        on.emulator.fault(Call.CREATE, Reset(), accepted=True, times=1)
        for _ in range(2):
            with pytest.raises(Ambiguous):
                await on.make()
        assert on.state is State.UNKNOWN and len(on.emulator.accepted) == 1


async def test_a_link_that_has_ended_is_settled_by_a_person_and_not_bought_again(tmp_path: Path) -> None:
    async with speaking(tmp_path) as on:
        on.emulator.fault(Call.FETCH, Answer(503), times=1)
        with pytest.raises(Transient):
            await on.make()
        (acceptance,) = kept(on)
        yesterday = datetime.now(UTC) - timedelta(hours=25)
        answer = acceptance.answer.replace(_expiry(acceptance), yesterday.isoformat())
        assert answer != acceptance.answer
        keep_acceptance(on.studio.accepted_folder, acceptance.model_copy(update={"answer": answer}))
        with pytest.raises(TaskForgotten, match="its link has ended") as lost:
            await on.make()
        assert "reconcile" in lost.value.next and on.state is State.UNKNOWN
        assert len(on.emulator.accepted) == len(on.emulator.fetches) == 1
        purchase = on.studio.ledger.find(on.take.order.key)
        assert purchase and on.studio.ledger.give_up(purchase, "by hand")
        on.studio.opened_at = on.studio.ledger.now() + timedelta(seconds=1)  # as of the next run
        assert (await on.make()).path.is_file() and on.state is State.FINISHED
        assert len(on.emulator.accepted) == 2 and kept(on) == [], "no link of the order that was given up"


async def test_a_line_that_the_store_has_lost_is_bought_again_only_by_a_person(tmp_path: Path) -> None:
    async with speaking(tmp_path) as on:
        clip = await on.make()
        clip.path.unlink()
        with pytest.raises(Terminal, match="tells it once") as gone:
            await on.make()
        assert "--buy-again" in gone.value.next and len(on.emulator.accepted) == 1


async def test_a_line_that_another_host_bought_is_told_to_be_there(tmp_path: Path) -> None:
    async with speaking(tmp_path) as on:
        on.emulator.fault(Call.FETCH, Answer(503), times=1)
        with pytest.raises(Transient):
            await on.make()
        (file,) = on.studio.accepted_folder.iterdir()
        there = file.rename(tmp_path / "another host.json")
        with pytest.raises(Terminal, match="there is no link to it on this host") as absent:
            await on.make()
        assert "--buy-again" in absent.value.next and on.state is State.SUBMITTED
        there.rename(file)
        assert (await on.make()).path.is_file() and len(on.emulator.accepted) == 1


async def test_hosts_that_share_a_bucket_find_each_others_links(tmp_path: Path) -> None:
    bucket = Bucket(f"file://{tmp_path}/bucket")
    async with speaking(tmp_path, vault=bucket) as on:
        on.emulator.fault(Call.FETCH, Answer(503), times=1)
        with pytest.raises(Transient):
            await on.make()
        (file,) = on.studio.accepted_folder.iterdir()
        file.unlink()
        clip = await on.make()
        assert on.state is State.FINISHED and len(on.emulator.accepted) == 1
        assert bucket.size(f"speech/{clip.digest[:2]}/{clip.digest}.wav") == clip.size
        assert not list((tmp_path / "bucket" / "accepted").iterdir())


async def test_a_cancelled_run_asks_the_service_to_cancel_nothing(tmp_path: Path) -> None:
    async with speaking(tmp_path) as on:
        making = asyncio.ensure_future(on.make())
        async with asyncio.timeout(10):
            while not on.emulator.accepted:
                await asyncio.sleep(0.01)
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)
        assert (await on.make()).path.is_file()
        assert len(on.emulator.requests) == len(on.emulator.accepted) == 1


@pytest.mark.parametrize(
    ("step", "end"),
    [
        pytest.param("storyreel.tasks.providers.dashscope:DashScope.submit before", UNKNOWN, marks=pytest.mark.matrix),
        ("storyreel.tasks.procurement.submission:keep_acceptance before", UNKNOWN),
        pytest.param(
            "storyreel.tasks.procurement.submission:keep_acceptance after", FINISHED, marks=pytest.mark.matrix
        ),
        ("storyreel.tasks.ledger.ledger:Ledger.mark_submitted after", FINISHED),
        pytest.param("storyreel.tasks.storage.clips:ClipStore._place before", FINISHED, marks=pytest.mark.matrix),
        ("storyreel.tasks.ledger.ledger:Ledger.mark_finished before", FINISHED),
    ],
)
def test_a_run_killed_at_any_step_of_a_line_never_buys_it_twice(tmp_path: Path, step: str, end: int) -> None:
    emulator = DASHSCOPE.emulated()
    with emulator.served() as base_url:
        place = Place(tmp_path, "dashscope", base_url, f"sqlite:///{tmp_path / 'l.sqlite'}", takes=1, mode=Mode.SPEECH)
        process = place.begin(f"{step} 1")
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        process = place.begin()
        process.join(60)
        assert process.exitcode == end
    assert len(emulator.accepted) == (0 if "submit before" in step else 1)
    if end == FINISHED:
        assert len(place.clips().files()) == 1 and not acceptances(tmp_path / "accepted")


@pytest.mark.parametrize(
    ("line", "content", "found"),
    [
        (LINE, speech(LINE, "Ethan", "1"), []),
        ("Rain.", speech("R" * 2, "Ethan", "1"), []),
        (LINE, speech(" " * 40, "Ethan", "1"), ["silent"]),
        (LINE, speech("So", "Ethan", "1"), ["length"]),
        ("Rain.", speech("rain" * 60, "Ethan", "1"), ["length"]),
    ],
    ids=["as the line", "a word", "silent", "a part", "far more"],
)
async def test_speech_is_inspected_for_its_sound_and_its_length(
    tmp_path: Path, line: str, content: bytes, found: list[str]
) -> None:
    file = tmp_path / "line.wav"
    file.write_bytes(content)
    seen: Inspection = await inspect_clip(file, spoken(line), Wanted())
    assert [finding.what for finding in seen.findings] == found


async def test_speech_that_is_always_damaged_is_used_as_far_as_it_can_be_decoded(tmp_path: Path) -> None:
    async with speaking(tmp_path) as on:
        on.emulator.fault(Call.FETCH, Shortened(part=0.7), times=2)
        with pytest.raises(Transient, match="arrived damaged"):
            await on.make()
        for file in (tmp_path / "clips" / "damaged").iterdir():
            os.utime(file, (time.time() - 3600,) * 2)
        clip = await on.make()
        assert on.state is State.FINISHED and len(on.emulator.accepted) == 1
        found = await inspect_clip(clip.path, on.take.request, Wanted())
        assert [finding.what for finding in found.findings] == ["damage"] and found.seconds > 1


async def test_a_web_page_in_the_place_of_speech_is_never_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"<!DOCTYPE html><html>" + bytes(3000))
    async with speaking(tmp_path) as on:
        on.emulator.use_script(Script(delivers=tmp_path / "page"))
        with pytest.raises(Transient, match="arrived damaged"):
            await on.make()
        assert on.state is State.SUBMITTED and not on.studio.clips.files()


@pytest.mark.parametrize("count", ["-1", '"two"', "true", "1e30"])
async def test_characters_that_make_no_sense_are_unknown_with_a_warning(count: str) -> None:
    body = b'{"output": {"audio": {"url": "https://x.example/a.wav", "id": "audio_1"}}, "usage": {"characters": %s}}'
    async with DASHSCOPE.answering(lambda _: body % count.encode()) as provider:
        accepted = await provider.submit(spoken())
    assert accepted.task == "audio_1" and "makes no sense" in accepted.remark
    assert accepted.answer and accepted.answer.billed is None


@settings(max_examples=300)
@given(line=text(characters(codec="utf-8") | sampled_from("海上の灯り々〇龍한글⺀㇀𠀀")))
def test_a_line_is_never_quoted_below_what_is_billed_for_it(line: str) -> None:
    able = find_capability(DashScope, None, Mode.SPEECH)
    assert qwen_speech.billed(line) <= able.characters(line) <= 2 * len(line)


def test_every_voice_and_language_is_one_that_the_service_documents() -> None:
    sold = [model.modes[Mode.SPEECH] for model in DashScope.models.values() if Mode.SPEECH in model.modes]
    assert [able.model for able in sold] == list(qwen_speech.VOICES)
    for able in sold:
        assert sorted(able.speakers or ()) == sorted(qwen_speech.VOICES[able.model])
        bodies = [speech_body(spoken(model=able.model, language=code)) for code in able.languages or ()]
        assert {body["input"]["language_type"] for body in bodies} == {*qwen_speech.LANGUAGES} - {"Auto"}


async def test_a_sound_without_an_id_is_accepted_all_the_same() -> None:
    body = b'{"output": {"audio": {"url": "https://x.example/%s.wav", "expires_at": %s}}}'
    tasks = set()
    for name, end in ((b"a", b"1e400"), (b"b", b'"soon"'), (b"c", b"99999999999"), (b"d", b"1795000000")):
        async with DASHSCOPE.answering(lambda _, sent=body % (name, end): sent) as provider:  # type: ignore[misc]
            accepted = await provider.submit(spoken())
        tasks.add(accepted.task)
        assert accepted.answer and (accepted.answer.expires is not None) is (name == b"d")
    assert len(tasks) == 4 and all(task.startswith("link-") for task in tasks)


async def test_an_order_of_speech_has_every_field_that_is_documented_and_no_other() -> None:
    directed = spoken(model="qwen3-tts-instruct-flash", delivery="whispered", language="zh", voice="Eldric Sage")
    async with opened(DASHSCOPE) as (provider, emulator):
        await provider.submit(spoken(language=""))
        await provider.submit(directed)
    plain, whispered = emulator.requests
    assert plain.json() == {
        "model": "qwen3-tts-flash",
        "input": {"text": LINE, "voice": "Cherry", "language_type": "Auto"},
    }
    assert whispered.json()["input"] == {
        "text": LINE,
        "voice": "Eldric Sage",
        "language_type": "Chinese",
        "instructions": "whispered",
        "optimize_instructions": False,
    }
    assert "x-dashscope-async" not in plain.headers


def _expiry(acceptance: Acceptance) -> str:
    told: str = json.loads(acceptance.answer)["expires"]
    return told
