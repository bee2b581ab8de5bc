"""A damaged clip is downloaded again; an intact one is kept, whatever it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.tasks.inspection.inspect import inspect_clip
from storyreel.tasks.inspection.integrity import check_integrity
from storyreel.tasks.ledger.ledger import State
from storyreel.tasks.media.probe import probe
from storyreel.tasks.providers.errors import Transient
from tests.services.faults import Call, Scratched
from tests.services.jobs import Script
from tests.tasks.generated_clips import make_clip
from tests.tasks.providers.hosted_services import SERVICES, Service
from tests.tasks.test_order import bench


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
async def test_a_damaged_clip_is_downloaded_again_and_bought_once(tmp_path: Path, service: Service) -> None:
    async with bench(tmp_path, service) as on:
        on.emulator.fault(Call.FETCH, Scratched(), times=1)
        with pytest.raises(Transient, match=rf"1A take 1 arrived damaged: the clip from {service.name} is damaged"):
            await on.make()
        assert on.state is State.SUBMITTED
        assert not list((tmp_path / "clips").rglob("*.mp4"))
        clip = await on.make()
        await check_integrity(clip.path, "the clip")
        assert len(on.emulator.accepted) == 1


async def test_an_intact_clip_that_is_not_what_was_ordered_is_kept_and_has_findings(tmp_path: Path) -> None:
    short = make_clip(tmp_path / "short.mp4", frames=60, fps="30", size="320x180")
    async with bench(tmp_path, SERVICES["aimlapi"]) as on:
        on.emulator.use_script(Script(waiting=0, running=0, delivers=short))
        clip = await on.make()
        assert on.state is State.FINISHED and probe(clip.path).frames == 60
        found = await inspect_clip(clip.path, on.take.request)
        assert [finding.what for finding in found.findings] == ["frames", "size"]
        assert len(on.emulator.accepted) == 1
