"""One film on two hosts that share a ledger and a bucket, and nothing else: no take is bought twice, nothing encoded
twice; nor when a run is killed while a clip is on its way into the bucket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import fsspec
import pytest
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from storyreel.flows.production.outcomes import ShotsFailed
from storyreel.flows.production.report import Rendering
from storyreel.flows.render import render_storyboard
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import State
from storyreel.tasks.storage.bucket import BucketUnavailable, BucketUnusable
from tests.buckets import environment
from tests.flows.selling import selling
from tests.flows.staging import Stage, staged
from tests.services.aimlapi import Aimlapi, AimlapiSettings
from tests.services.emulator import Emulator
from tests.services.jobs import Script
from tests.tasks.providers.hosted_services import SERVICES

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: Two Hosts
format: {fps: 12}
defaults: {provider: apiyi, duration: 12f}
shots:
  - {shot: 1A, action: She climbs.}
  - {shot: 1B, action: She waits., continues: 1A, transition: {type: dissolve, duration: 6f}}
  - {shot: 1C, action: The sea., takes: 2, circled: 1}
"""


class Hosts:
    """Hosts with homes of their own, a ledger and a bucket for all of them, and a service that sells to them."""

    def __init__(self, folder: Path, apiyi: Emulator, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.apiyi, self._patch = folder, apiyi, patch

    async def render(self, host: str, film: str = FILM, *, results: str = "", **more: Any) -> Rendering:
        """Render on a host; its Prefect keeps results in a place of its own, or in the one that is named."""
        self._patch.setenv("STORYREEL_HOME", str(self.folder / host))
        (self.folder / "film.yaml").write_text(film)
        with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: self.folder / (results or f"{host}-results")}):
            return await render_storyboard(
                str(self.folder / "film.yaml"), buy=True, **{"out": str(self.folder / f"{host}-out"), **more}
            )

    def states(self) -> set[State]:
        ledger = Home.of().ledger()
        try:
            return {purchase.state for purchase in ledger.list()}
        finally:
            ledger.close()


@pytest.fixture
def hosts(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    monkeypatch.setenv("STORYREEL_CLIPS_URL", f"{bucket}clips")
    monkeypatch.setenv("STORYREEL_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    apiyi = SERVICES["apiyi"].emulated()
    with selling(apiyi):
        yield Hosts(tmp_path, apiyi, monkeypatch)


def frames_in(sequence: Path | str) -> int:
    with fsspec.open(str(sequence)) as file, av.open(file) as opened:
        return sum(1 for _ in opened.decode(video=0))


@pytest.mark.parametrize("results", ["", "shared"], ids=["results apart", "results shared"])
async def test_a_film_made_on_one_host_is_joined_on_another_with_nothing_bought_or_encoded(
    hosts: Hosts, encoded: list[str], results: str
) -> None:
    first = await hosts.render("one", results=results)
    sold = len(hosts.apiyi.accepted)
    assert sold == 4 and encoded
    encoded.clear()
    second = await hosts.render("other", results=results)
    assert len(hosts.apiyi.accepted) == sold and len(hosts.apiyi.fetches) == sold
    assert encoded == []
    assert all(take.cached and take.clip.is_relative_to(hosts.folder / "other") for take in second.shots)
    assert Path(second.sequence).read_bytes() == Path(first.sequence).read_bytes()
    assert frames_in(second.sequence) == second.frames == 36


async def test_a_host_goes_on_with_what_the_other_had_not_done_yet(hosts: Hosts) -> None:
    await hosts.render("one", select=["1A"])
    assert len(hosts.apiyi.accepted) == 1
    made = await hosts.render("other")
    assert len(hosts.apiyi.accepted) == 4
    assert [take.cached for take in made.shots] == [True, False, False, False]


async def test_while_the_bucket_is_away_nothing_is_bought_and_the_next_run_goes_on(
    hosts: Hosts, away: Callable[[], None], back: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storyreel.tasks.generate.generate_task", _impatient())
    away()
    with pytest.raises(ShotsFailed, match="STORYREEL_CLIPS_URL"):
        await hosts.render("one", FILM.replace(", takes: 2, circled: 1", ""))
    assert hosts.apiyi.accepted == [] and hosts.states() == set()
    back()
    assert frames_in((await hosts.render("one")).sequence) == 36


def _impatient() -> Any:
    """The task without its patience, which lasts two minutes."""
    from storyreel.tasks.generate import generate_task

    return generate_task.with_options(retries=0)


async def test_a_damaged_object_is_made_good_from_the_service(hosts: Hosts) -> None:
    first = await hosts.render("one")
    digest = first.shots[0].clip.stem
    place = f"{Home.of().clips_url}/{digest[:2]}/{digest}.mp4"
    system = fsspec.filesystem("s3")
    whole = system.cat_file(place)
    system.pipe_file(place, whole[:-1])
    second = await hosts.render("other")
    assert Path(second.sequence).read_bytes() == Path(first.sequence).read_bytes()
    assert system.cat_file(place) == whole
    assert len(hosts.apiyi.accepted) == 4 and len(hosts.apiyi.fetches) == 5


@pytest.mark.parametrize("out", ["s3://nobodys-bucket/out", "away"])
async def test_a_film_that_cannot_be_delivered_is_told_before_anything_is_bought(
    hosts: Hosts, bucket: str, away: Callable[[], None], out: str
) -> None:
    if out == "away":
        away()
    with pytest.raises(BucketUnavailable if out == "away" else BucketUnusable):
        await hosts.render("one", out=f"{bucket}out" if out == "away" else out)
    assert hosts.apiyi.accepted == []


# Killed half-way

ONE_TAKE = """\
storyboard: 1
title: One Room
format: {fps: 12}
defaults: {provider: aimlapi, duration: 12f}
shots: [{shot: 1A, action: Ana enters.}]
"""


@pytest.fixture
def stage(
    tmp_path: Path, fresh_environment: dict[str, str], standing_server: str, bucket: str, s3: str
) -> Iterator[Stage]:
    service = Aimlapi(AimlapiSettings(script=Script(waiting=1, running=1)))
    told = {"PREFECT_API_URL": standing_server, "STORYREEL_CLIPS_URL": f"{bucket}clips", **environment(s3)}
    with staged(tmp_path, ONE_TAKE, service, {**fresh_environment, **told}) as stage:
        yield stage


def test_runs_that_are_killed_while_a_clip_goes_into_the_bucket_are_gone_on_with(stage: Stage, bucket: str) -> None:
    for step in (
        "storyreel.tasks.storage.clips:ClipStore.deliver before 1",
        "s3fs.core:S3FileSystem._put_file before 1",
        "storyreel.tasks.storage.bucket:Bucket.put after 1",
        "storyreel.tasks.ledger.ledger:Ledger.mark_finished before 1",
    ):
        stage.die_at(step)
        assert stage.states() == [State.SUBMITTED], step
    code, out, err = stage.run()
    assert code == 0, err
    (clip,) = json.loads(out)["shots"]
    name = Path(clip["clip"]).name
    assert fsspec.filesystem("s3").info(f"{bucket}clips/{name[:2]}/{name}")["size"] == Path(clip["clip"]).stat().st_size
    assert (len(stage.bought), len(stage.service.fetches)) == (1, 1)
