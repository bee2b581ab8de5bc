"""A damaged clip is downloaded again; an intact one is kept, whatever it shows."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from storyreel.specs.storyboard import Mode
from storyreel.tasks.inspection.examine import Examined, examine
from storyreel.tasks.inspection.inspect import Wanted, inspect_clip
from storyreel.tasks.ledger.ledger import State
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.probe import probe
from storyreel.tasks.procurement.collect import Take
from storyreel.tasks.providers.errors import Transient
from storyreel.testing.faults import Answer, Call, Scratched, Shortened, Trouble
from tests.services.jobs import Script
from tests.tasks.generated_clips import make_clip
from tests.tasks.odd_clips import broken_frames
from tests.tasks.procurement.test_order import Bench, bench
from tests.tasks.providers.hosted_services import SERVICES, Service
from tests.tasks.providers.hosted_services import request as request_of


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
async def test_a_damaged_clip_is_downloaded_again_and_bought_once(tmp_path: Path, service: Service) -> None:
    async with bench(tmp_path, service) as on:
        on.emulator.fault(Call.FETCH, Scratched(), times=1)
        with pytest.raises(Transient, match=rf"1A take 1 arrived damaged: the clip from {service.name} is damaged"):
            await on.make()
        assert on.state is State.SUBMITTED
        (aside,) = (tmp_path / "clips").rglob("*.mp4")
        assert aside.parent.name == "damaged", "not in the store"
        clip = await on.make()
        assert [file.parent.parent for file in (tmp_path / "clips").rglob("*.mp4")] == [on.studio.clips.root]
        await examine(clip.path, "the clip")
        assert len(on.emulator.accepted) == 1


async def test_an_intact_clip_that_is_not_what_was_ordered_is_kept_and_has_findings(tmp_path: Path) -> None:
    short = make_clip(tmp_path / "short.mp4", frames=60, fps="30", size="320x180")
    async with bench(tmp_path, SERVICES["aimlapi"]) as on:
        on.emulator.use_script(Script(waiting=0, running=0, delivers=short))
        clip = await on.make()
        assert on.state is State.FINISHED and probe(clip.path).frames == 60
        found = await inspect_clip(clip.path, on.take.request, Wanted())
        assert [finding.what for finding in found.findings] == ["frames", "size"]
        assert len(on.emulator.accepted) == 1


async def test_an_intact_clip_that_cannot_be_measured_here_is_kept_and_measured_later(tmp_path: Path) -> None:
    """The disk for temporary files is full, or gone."""
    sent = make_clip(tmp_path / "sent.mp4")
    async with bench(tmp_path, SERVICES["aimlapi"]) as on:
        on.emulator.use_script(Script(waiting=0, running=0, delivers=sent))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
            clip = await on.make()
            assert on.state is State.FINISHED and clip.path.read_bytes() == sent.read_bytes()
            assert not (tmp_path / "clips" / "damaged").exists()
            with pytest.raises(MediaError, match="cannot be measured: No such file"):
                await inspect_clip(clip.path, on.take.request, Wanted(), on.studio.clips)
        assert (await inspect_clip(clip.path, on.take.request, Wanted(), on.studio.clips)).frames == probe(sent).frames
        assert len(on.emulator.accepted) == 1


async def test_a_clip_that_is_always_damaged_is_used_as_far_as_it_can_be_decoded(tmp_path: Path) -> None:
    """What was bought is damaged at the service: no download can be better, and the film does not wait for one."""
    broken = broken_frames(tmp_path / "broken.mp4")
    async with bench(tmp_path, SERVICES["aimlapi"]) as on:
        on.emulator.use_script(Script(waiting=0, running=0, delivers=broken))
        for _ in range(2):
            with pytest.raises(Transient, match=r"arrived damaged: .*; it is kept as .*mp4"):
                await on.make()
        _come_earlier(tmp_path / "clips")
        clip = await on.make()
        assert clip.path.read_bytes() == broken.read_bytes()
        assert on.state is State.FINISHED
        assert not list((tmp_path / "clips" / "damaged").iterdir())
        assert "damage" in [
            finding.what for finding in (await inspect_clip(clip.path, on.take.request, Wanted())).findings
        ]
        assert len(on.emulator.accepted) == 1


async def test_a_file_without_a_single_frame_is_never_taken_for_a_clip_but_kept(tmp_path: Path) -> None:
    (tmp_path / "page.mp4").write_bytes(b"<!DOCTYPE html><html>" + bytes(3000))
    async with bench(tmp_path, SERVICES["aimlapi"]) as on:
        on.emulator.use_script(Script(waiting=0, running=0, delivers=tmp_path / "page.mp4"))
        with pytest.raises(Transient, match="it is a web page"):
            await on.make()
        _come_earlier(tmp_path / "clips")
        with pytest.raises(Transient) as again:
            await on.make()
        assert "another take" in again.value.hint
        (aside,) = (tmp_path / "clips" / "damaged").iterdir()
        assert str(aside) in again.value.message
        assert on.state is State.SUBMITTED
        assert len(on.emulator.accepted) == 1


@asynccontextmanager
async def _still_bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A bench whose take is a still, as a JPEG."""
    async with bench(tmp_path, SERVICES["dashscope"]) as on:
        on.emulator.picture_form = "JPEG"
        request = request_of(SERVICES["dashscope"], Mode.STILL)
        order = on.take.order.model_copy(update={"key": request.key, "model": request.model, "slate": "1A@still"})
        on.take = on.take.model_copy(update={"request": request, "order": order})
        yield on


async def test_a_damaged_still_is_downloaded_again_and_bought_once(tmp_path: Path) -> None:
    async with _still_bench(tmp_path) as on:
        on.emulator.fault(Call.FETCH, Shortened(), times=1)
        with pytest.raises(Transient, match=r"1A@still take 1 arrived damaged: the picture from dashscope is damaged"):
            await on.make()
        assert on.state is State.SUBMITTED
        (aside,) = (tmp_path / "clips" / "damaged").iterdir()
        assert aside.suffix == ".jpg" and not on.studio.clips.files()
        still = await on.make()
        assert still.path.suffix == ".jpg" and on.studio.clips.files() == [still.path]
        assert on.state is State.FINISHED and len(on.emulator.accepted) == 1
        assert not (await inspect_clip(still.path, on.take.request, Wanted(), on.studio.clips)).findings


async def test_a_still_that_is_always_damaged_is_used_as_far_as_it_can_be_decoded(tmp_path: Path) -> None:
    async with _still_bench(tmp_path) as on:
        on.emulator.fault(Call.FETCH, Shortened(part=0.8), times=2)
        with pytest.raises(Transient, match="arrived damaged"):
            await on.make()
        _come_earlier(tmp_path / "clips")
        still = await on.make()
        assert on.state is State.FINISHED and len(on.emulator.accepted) == 1
        found = await inspect_clip(still.path, on.take.request, Wanted(), on.studio.clips)
        assert [finding.what for finding in found.findings] == ["damage"]


async def test_a_web_page_in_the_place_of_a_still_is_never_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"<!DOCTYPE html><html>" + bytes(3000))
    async with _still_bench(tmp_path) as on:
        on.emulator.use_script(Script(waiting=0, running=0, delivers=tmp_path / "page"))
        with pytest.raises(Transient, match="cannot be read as a picture"):
            await on.make()
        _come_earlier(tmp_path / "clips")
        with pytest.raises(Transient, match="cannot be read as a picture"):
            await on.make()
        assert on.state is State.SUBMITTED and len(on.emulator.accepted) == 1


def _come_earlier(clips: Path) -> None:
    """Let the damaged downloads have come an hour ago."""
    for file in (clips / "damaged").iterdir():
        os.utime(file, (time.time() - 3600,) * 2)


async def test_a_place_at_the_service_is_free_while_a_clip_is_examined_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two takes is ordered while the first one's clip is examined, and never while that is generated."""
    monkeypatch.setenv("AIMLAPI_AT_ONCE", "1")
    async with bench(tmp_path, SERVICES["aimlapi"]) as on:
        on.emulator.use_script(Script(waiting=1, running=2, seconds=0.2))
        places = on.studio.places = _OnePlace()
        second = Bench(on.emulator, on.studio, _other_take(on.take))

        async def examine_later(clip: Path, name: str) -> Examined:
            async with asyncio.timeout(10):
                while len(on.emulator.accepted) < 2:
                    await asyncio.sleep(0.01)
            # Either may come first; the folder of a clip that has arrived bears the key of its take.
            (examined,) = (each for each in (on, second) if clip.parent.name.startswith(each.take.order.key[:16]))
            assert examined.state is State.SUBMITTED
            return await examine(clip, name)

        monkeypatch.setattr("storyreel.tasks.procurement.collect.examine", examine_later)
        clips = await asyncio.gather(on.make(), second.make())
        assert all(clip.path.is_file() for clip in clips)
        first, other = on.emulator.jobs.all()
        assert first.ended is not None and first.ended <= other.created
        assert len(on.emulator.accepted) == places.times == 2 and not places.is_taken


@pytest.mark.parametrize("trouble", [Answer(503), Shortened()], ids=["503", "truncated"])
async def test_a_place_left_for_a_clip_that_must_be_downloaded_again_is_left_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Trouble
) -> None:
    """Or the run would have one place more than its service allows."""
    monkeypatch.setenv("AIMLAPI_AT_ONCE", "1")
    async with bench(tmp_path, SERVICES["aimlapi"]) as on:
        on.emulator.fault(Call.FETCH, trouble, times=1)
        with pytest.raises(Transient):
            await on.make()
        await on.make()
        slot = on.studio.slots("aimlapi", on.take.request.model)["aimlapi"]
        await slot.acquire()
        assert slot.locked(), "there is one place, as before"


class _OnePlace:
    """The one place that all runs share, which no two takes hold at a time."""

    is_taken, times = False, 0

    @asynccontextmanager
    async def hold(self, service: str) -> AsyncIterator[None]:
        assert not self.is_taken
        self.is_taken, self.times = True, self.times + 1
        yield
        self.is_taken = False

    def wait_reason(self, service: str) -> str:
        return ""


def _other_take(take: Take) -> Take:
    """A take of another shot."""
    request = take.request.model_copy(update={"prompt": "Another shot."})
    order = take.order.model_copy(update={"key": request.key, "request": request.canonical(), "slate": "1B"})
    return take.model_copy(update={"order": order, "request": request})
