"""A take at every hosted service, from the order to the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from storyreel.specs.storyboard import Mode
from storyreel.tasks.inspection.examine import examine
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.probe import probe
from storyreel.tasks.providers.errors import Refusal, Terminal, Transient
from storyreel.testing.faults import Call, Claims, Corrupt, Shortened
from tests.services.jobs import Script
from tests.tasks.providers.hosted_services import MADE, Service, nothing, opened, request


@pytest.mark.parametrize("mode", MADE)
async def test_a_take_is_ordered_once_polled_and_downloaded(service: Service, mode: Mode, tmp_path: Path) -> None:
    async with opened(service, settings={"script": Script(waiting=1, running=1)}) as (provider, emulator):
        ordered = request(service, mode)
        accepted = await provider.submit(ordered)
        looks = [await provider.poll(accepted.task) for _ in range(3)]
        seen: list[float] = []
        await provider.fetch(ordered, looks[-1], tmp_path / "take.mp4", seen.append)
    assert len(emulator.accepted) == 1
    assert [look.state for look in looks] == ["pending", "pending", "finished"]
    assert all(look.is_known and look.detail for look in looks)
    await examine(tmp_path / "take.mp4", "the clip")
    clip = probe(tmp_path / "take.mp4")
    assert (clip.width, clip.height, round(clip.seconds)) == (1280, 720, 5)
    assert seen == sorted(seen) and seen[-1] == 1.0


async def test_polling_again_gives_a_fresh_link(service: Service, tmp_path: Path) -> None:
    async with opened(service, settings={"link_seconds": 60, "renews_links": True}) as (provider, emulator):
        accepted = await provider.submit(request(service))
        status = await provider.poll(accepted.task)
        emulator.clock.forward(seconds=120)
        with pytest.raises(Transient, match="expired") as expired:
            await provider.fetch(request(service), status, tmp_path / "take.mp4", nothing)
        assert type(expired.value).__name__ == "LinkExpired"
        again = await provider.poll(accepted.task)
        await provider.fetch(request(service), again, tmp_path / "take.mp4", nothing)
    await examine(tmp_path / "take.mp4", "the clip")


@pytest.mark.parametrize("trouble", [Shortened(), Corrupt()], ids=lambda trouble: type(trouble).__name__)
async def test_a_damaged_download_is_noticed(service: Service, trouble: Any, tmp_path: Path) -> None:
    async with opened(service) as (provider, emulator):
        status = await provider.poll((await provider.submit(request(service))).task)
        emulator.fault(Call.FETCH, trouble)
        await provider.fetch(request(service), status, tmp_path / "take.mp4", nothing)
    with pytest.raises(MediaError):
        await examine(tmp_path / "take.mp4", "the clip")


async def test_ten_gigabytes_are_refused_at_once(service: Service, tmp_path: Path) -> None:
    async with opened(service) as (provider, emulator):
        status = await provider.poll((await provider.submit(request(service))).task)
        emulator.fault(Call.FETCH, Claims())
        with pytest.raises(Terminal, match=r"10\.0 GB") as refused:
            await provider.fetch(request(service), status, tmp_path / "take.mp4", nothing)
    assert not isinstance(refused.value, Refusal)
    assert len(emulator.fetches) == 1
