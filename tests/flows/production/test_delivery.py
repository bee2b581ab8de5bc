"""A film that is packed, rendered where nothing of it is, and delivered to an address."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import fsspec
import pytest

from storyreel.flows.packs import pack, version_of
from storyreel.flows.production.delivery import Delivery
from storyreel.flows.production.film_folder import FilmSource
from storyreel.flows.render import render_storyboard
from storyreel.specs.reading import read
from storyreel.tasks.credentials.certificate import certificate_of
from storyreel.tasks.home import Home
from storyreel.tasks.settings import CERTIFICATE, CERTIFICATE_KEY, CLIPS_URL, HOME
from storyreel.tasks.storage.bucket import Bucket
from tests.flows.scattered import scattered

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A film whose pictures lie outside of its folder."""
    return scattered(tmp_path)


async def test_a_packed_film_is_rendered_without_its_original_files(
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


async def test_a_film_is_delivered_to_an_address_whole(
    film: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = f"{bucket}out/away"
    system = fsspec.filesystem("s3")
    system.pipe_file(f"{out}/sequence.srt", b"of an earlier run, in which somebody spoke")
    order: list[str] = []
    put = Bucket.put
    monkeypatch.setattr(Bucket, "put", lambda vault, file, name: (order.append(name), put(vault, file, name))[1])
    made = await render_storyboard(str(film), out=out)
    assert made.as_json()["sequence"] == f"{out}/sequence.mp4"
    found = {name.rpartition("/")[2] for name in system.ls(out, detail=False, refresh=True)}
    assert found == {"sequence.mp4", "manifest.json", "sequence.otio", "contact-sheet.jpg"}
    assert order == ["sequence.mp4", "contact-sheet.jpg", "sequence.otio", "manifest.json"]
    assert frames_in(made.sequence) == made.frames == 40
    assert json.loads(system.cat_file(f"{out}/manifest.json"))["sequence"] == "sequence.mp4"
    assert not list((Home.of().root / "delivering").iterdir())


async def test_a_signed_film_in_which_nothing_changed_stays_as_it_was_delivered_by_any_host(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hosts share their pieces and a certificate; what is there is not sent again."""
    own = str(certificate_of().key_file)
    for name, value in {CLIPS_URL: f"{bucket}clips", CERTIFICATE: own, CERTIFICATE_KEY: own}.items():
        monkeypatch.setenv(name, value)
    film, out = tmp_path / "film.yaml", f"{bucket}signed"
    film.write_text(
        "storyboard: 1\ntitle: Film\ncredentials: true\ndefaults: {provider: animatic}\nformat: {resolution: 480p}\n"
        "deliverables: [{name: web, format: {size: 448x256}}]\nshots: [{shot: 1A, action: Rain., duration: 6f}]\n"
    )
    names, system = ("sequence.mp4", "deliverables/web.mp4"), fsspec.filesystem("s3")

    async def delivered() -> list[bytes]:
        await render_storyboard(str(film), out=out)
        system.invalidate_cache()
        return [system.cat_file(f"{out}/{name}") for name in names]

    sent: list[str] = []
    put = Bucket.put
    monkeypatch.setattr(Bucket, "put", lambda vault, file, name: (sent.append(name), put(vault, file, name))[1])
    first = await delivered()
    assert set(names) <= set(sent)
    for host in ("home", "other"):
        monkeypatch.setenv(HOME, str(tmp_path / host) if host == "other" else str(Home.of().root))
        sent.clear()
        assert await delivered() == first, host
        assert "manifest.json" in sent and not set(names) & set(sent)


def test_subtitles_in_languages_that_a_film_no_longer_has_are_removed_at_its_address(
    bucket: str, tmp_path: Path
) -> None:
    place = Bucket(f"{bucket}out")
    tracks = [{"srt": "sequence.srt", "vtt": "sequence.vtt"}, {"srt": "sequence.fr.srt", "vtt": "../film.vtt"}]
    place.write("manifest.json", json.dumps({"subtitles": tracks}).encode())
    for name in ("sequence.srt", "sequence.fr.srt", "sequence.de.srt"):
        place.write(name, b"of an earlier run")
    for name in ("manifest.json", "sequence.mp4", "sequence.de.srt"):
        (tmp_path / name).write_bytes(b"{}")
    Delivery(tmp_path, FilmSource("Film", "/film.yaml"), place).deliver()
    system = fsspec.filesystem("s3")
    found = {name.rpartition("/")[2] for name in system.ls(f"{bucket}out", detail=False, refresh=True)}
    assert found == {"manifest.json", "sequence.mp4", "sequence.de.srt"}


def frames_in(sequence: Path | str) -> int:
    with fsspec.open(str(sequence)) as file, av.open(file) as opened:
        return sum(1 for _ in opened.decode(video=0))
