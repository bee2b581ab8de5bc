"""One film on two hosts that share a ledger and a bucket, and nothing else: no take is bought twice, nothing encoded
twice; and a film that is packed, rendered where nothing of it is, and delivered to an address."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import fsspec
import pytest
from PIL import Image
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from flows.packing import pack, version_of
from flows.render import ShotsFailed, render_storyboard
from flows.report import Rendering
from specs.reading import read
from tasks.store.home import Home
from tasks.store.ledger import State
from tasks.vault import VaultAway, VaultUnfit
from tests.buckets import environment
from tests.services.emulator import Emulator
from tests.tasks.providers.houses import HOUSES

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: Two Hosts
format: {fps: 24}
defaults: {provider: apiyi, duration: 2s}
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
                str(self.folder / "film.yaml"), **{"out": str(self.folder / f"{host}-out"), **more}
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
    monkeypatch.setenv("STORYREEL_POLL_SECONDS", "0.02")
    apiyi = HOUSES["apiyi"].emulated()
    with apiyi.served() as base:
        for name, value in HOUSES["apiyi"].environment(base).items():
            monkeypatch.setenv(name, value)
        yield Hosts(tmp_path, apiyi, monkeypatch)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What clips were encoded for, from now on."""
    runs: list[str] = []
    for module in ("tasks.conform", "tasks.dissolve"):
        run = __import__(module, fromlist=["run"]).run

        async def counted(*arguments: Any, _of: str = module, _run: Any = run, **named: Any) -> Any:
            runs.append(_of)
            return await _run(*arguments, **named)

        monkeypatch.setattr(f"{module}.run", counted)
    return runs


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
    assert frames_in(second.sequence) == second.frames == 144


async def test_a_host_goes_on_with_what_the_other_had_not_done_yet(hosts: Hosts) -> None:
    await hosts.render("one", select=["1A"])
    assert len(hosts.apiyi.accepted) == 1
    made = await hosts.render("other")
    assert len(hosts.apiyi.accepted) == 4
    assert [take.cached for take in made.shots] == [True, False, False, False]


async def test_while_the_bucket_is_away_nothing_is_bought_and_the_next_run_goes_on(
    hosts: Hosts, away: Callable[[], None], back: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.shooting.generate", _impatient())
    away()
    with pytest.raises(ShotsFailed, match="STORYREEL_CLIPS_URL"):
        await hosts.render("one", FILM.replace(", takes: 2, circled: 1", ""))
    assert hosts.apiyi.accepted == [] and hosts.states() == set()
    back()
    assert frames_in((await hosts.render("one")).sequence) == 144


def _impatient() -> Any:
    """The task without its patience, which lasts two minutes."""
    from tasks.generate import generate

    return generate.with_options(retries=0)


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


# A film that travels, and one that is delivered


ANIMATIC = """\
storyboard: 1
title: Away
format: {fps: 24}
shots:
  - {shot: 1A, action: She climbs., first_frame: ../shared/stair.png, duration: 20f}
  - {shot: 1B, action: She waits., first_frame: WHOLE/room.png, duration: 20f}
"""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A film whose pictures lie outside of its folder."""
    folder = tmp_path / "project" / "film"
    folder.mkdir(parents=True)
    for place in (folder.parent / "shared" / "stair.png", tmp_path / "elsewhere" / "room.png"):
        place.parent.mkdir()
        Image.effect_noise((640, 360), 60).save(place)
    file = folder / "film.yaml"
    file.write_text(ANIMATIC.replace("WHOLE", str(tmp_path / "elsewhere")))
    return file


async def test_a_packed_film_is_rendered_where_nothing_of_it_is_and_says_what_it_is(
    film: Path, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await render_storyboard(str(film), out=str(tmp_path / "here"))
    version = version_of(read(film))
    told = json.loads((tmp_path / "here" / "manifest.json").read_text())
    assert (told["storyboard"], told["version"]) == (str(film), version)
    address = pack(film, bucket).address
    shutil.rmtree(tmp_path / "project")
    shutil.rmtree(tmp_path / "elsewhere")
    monkeypatch.setenv("STORYREEL_HOME", str(tmp_path / "away"))
    there = await render_storyboard(address, out=str(tmp_path / "there"))
    assert Path(there.sequence).read_bytes() == Path(here.sequence).read_bytes()
    assert [take.key for take in there.shots] == [take.key for take in here.shots]
    told = json.loads((tmp_path / "there" / "manifest.json").read_text())
    assert (told["storyboard"], told["version"]) == (address, version)
    assert there.as_json()["version"] == version


async def test_a_film_is_delivered_to_an_address_whole(film: Path, bucket: str) -> None:
    out = f"{bucket}out/away"
    system = fsspec.filesystem("s3")
    system.pipe_file(f"{out}/sequence.srt", b"of an earlier run, in which somebody spoke")
    made = await render_storyboard(str(film), out=out)
    assert made.as_json()["sequence"] == f"{out}/sequence.mp4"
    found = {info["name"].rpartition("/")[2]: info for info in system.ls(out, detail=True, refresh=True)}
    assert set(found) == {"sequence.mp4", "manifest.json", "contact-sheet.jpg"}
    assert max(found, key=lambda name: found[name]["LastModified"]) == "manifest.json"
    assert min(found, key=lambda name: found[name]["LastModified"]) == "sequence.mp4"
    assert frames_in(made.sequence) == made.frames == 40
    assert json.loads(system.cat_file(f"{out}/manifest.json"))["sequence"] == "sequence.mp4"
    assert not list((Home.of().root / "delivering").iterdir())


@pytest.mark.parametrize("out", ["s3://nobodys-bucket/out", "away"])
async def test_a_film_that_cannot_be_delivered_is_told_before_anything_is_bought(
    hosts: Hosts, bucket: str, away: Callable[[], None], out: str
) -> None:
    if out == "away":
        away()
    with pytest.raises(VaultAway if out == "away" else VaultUnfit):
        await hosts.render("one", out=f"{bucket}out" if out == "away" else out)
    assert hosts.apiyi.accepted == []


# From the command line


def test_the_commands_take_an_address(
    storyreel: Callable[..., Any], film: Path, bucket: str, s3: str, tmp_path: Path
) -> None:
    address, told = pack(film, bucket).address, environment(s3)
    shutil.rmtree(tmp_path / "project")
    assert json.loads(storyreel("validate", address, "--json", **told).stdout)["frames"] == 40
    assert len(json.loads(storyreel("plan", address, "--json", "-o", "kept.json", **told).stdout)["shots"]) == 2
    assert json.loads(storyreel("explain", address, "1A", "--json", **told).stdout)
    assert json.loads((tmp_path / "kept.json").read_text())["storyboard"] == address
    made = storyreel("render", "--plan", "kept.json", "--out", f"{bucket}out", "--json", **told)
    assert json.loads(made.stdout)["sequence"] == f"{bucket}out/sequence.mp4", made.stderr
    gone = storyreel("render", address.replace("packs/", "packs/0")[:-6] + ".json", **told)
    assert gone.returncode == 2 and "there is no such" in gone.stderr and "Traceback" not in gone.stderr
    away = storyreel("plan", address.replace(bucket, "s3://nobodys/"), **told)
    assert away.returncode == 2 and "Traceback" not in away.stderr
    unknown = storyreel("plan", "nosuch://films/film.yaml", **told)
    assert unknown.returncode == 1 and "next: storyreel doctor" in unknown.stderr


def test_a_plan_says_what_the_bucket_has_and_one_that_is_away_ends_it_in_a_line(
    storyreel: Callable[..., Any], film: Path, bucket: str, s3: str, unanswered: str, tmp_path: Path
) -> None:
    shared = {
        "STORYREEL_CLIPS_URL": f"{bucket}clips",
        "STORYREEL_LEDGER_URL": f"sqlite:///{tmp_path / 'ledger.sqlite'}",
    }
    told = {**environment(s3), **shared}
    made = storyreel("render", str(film), STORYREEL_HOME=str(tmp_path / "one"), **told)
    assert made.returncode == 0, made.stderr
    planned = storyreel("plan", str(film), "--json", STORYREEL_HOME=str(tmp_path / "other"), **told)
    assert {shot["state"] for shot in json.loads(planned.stdout)["shots"]} == {"cached"}
    told |= {"AWS_ENDPOINT_URL_S3": unanswered, "AWS_MAX_ATTEMPTS": "1"}
    silent = storyreel("plan", str(film), STORYREEL_HOME=str(tmp_path / "other"), **told)
    assert silent.returncode == 1 and "STORYREEL_CLIPS_URL" in silent.stderr and "Traceback" not in silent.stderr
