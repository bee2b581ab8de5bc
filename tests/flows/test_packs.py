"""A storyboard travels with its files: whole, once, to whoever asks, and nothing that it says leads astray."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem
from PIL import Image

from storyreel.flows.packs import Pack, PackError, fetch_storyboard, pack, read_film, version_of
from storyreel.flows.planning.plan import make_plan
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.tasks.home import Home
from storyreel.tasks.storage.bucket import BucketUnavailable, BucketUnusable
from tests.flows.planning.histories import NOTHING

FILM = """\
storyboard: 1
title: Away
vars: {town: lyon}
cast:
  mira: {references: [mira.png, ../shared/mira side.png], voice: https://films.example/mira.wav}
locations:
  room: {references: [WHOLE/room.png]}
shots:
  - {shot: 1A, action: She climbs., cast: [mira], location: room, first_frame: "boards/${town}.png"}
  - {shot: 1B, action: She sits., first_frame: boards/../mira.png}
"""


def picture(file: Path, colour: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (320, 240), colour).save(file)
    return file


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A film with pictures in its folder, above it, and at an absolute path."""
    folder = tmp_path / "project" / "film"
    for name, colour in {"mira.png": "teal", "boards/lyon.png": "gold", "boards/rome.png": "navy"}.items():
        picture(folder / name, colour)
    picture(folder.parent / "shared" / "mira side.png", "red")
    elsewhere = picture(tmp_path / "elsewhere" / "room.png", "pink").parent
    file = folder / "film.yaml"
    file.write_text(FILM.replace("WHOLE", str(elsewhere)))
    return file


@pytest.fixture
def away(tmp_path: Path) -> Home:
    """The home of another host."""
    return Home(root=tmp_path / "away", ledger_url="")


@pytest.fixture
def gone(tmp_path: Path) -> Callable[[], None]:
    """Leave nothing of the film on this host."""

    def go() -> None:
        shutil.rmtree(tmp_path / "project")
        shutil.rmtree(tmp_path / "elsewhere")

    return go


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def seen(file: Path) -> list[bytes]:
    """The bytes of all that a storyboard names, in its order."""
    board = read(file)
    sources = [
        *(reference.source for reference in board.cast["mira"].references),
        *(reference.source for reference in board.locations["room"].references),
        *(shot.first_frame for shot in board.shots if shot.first_frame),
    ]
    return [Path(board.resolve(source)).read_bytes() for source in sources]


# A version


def test_a_version_is_that_of_all_that_the_film_is_made_of(film: Path, tmp_path: Path) -> None:
    versions = [version_of(read(film))]
    text = film.read_text()
    film.write_text(text.replace("climbs", "falls"))
    versions.append(version_of(read(film)))
    film.write_text(text)
    for file in ("film/mira.png", "shared/mira side.png", "film/boards/lyon.png", "../elsewhere/room.png"):
        place = film.parent.parent / file
        before = place.read_bytes()
        picture(place, "black")
        versions.append(version_of(read(film)))
        place.write_bytes(before)
    assert len(set(versions)) == len(versions)
    assert version_of(read(film)) == versions[0]
    assert version_of(read(film, {"town": "rome"})) != versions[0], "another board is another film"
    picture(film.parent / "boards" / "rome.png", "white")
    assert version_of(read(film)) == versions[0], "what the film does not name is no part of it"


def test_a_film_that_was_moved_is_the_same_version(film: Path, tmp_path: Path) -> None:
    version = version_of(read(film))
    (tmp_path / "project").rename(tmp_path / "moved")
    assert version_of(read(tmp_path / "moved" / "film" / "film.yaml")) == version


# A pack


def test_a_pack_is_the_same_film_on_a_host_that_has_nothing_of_it(
    film: Path, bucket: str, away: Home, gone: Callable[[], None]
) -> None:
    version, before = version_of(read(film)), seen(film)
    made = pack(film, bucket)
    assert made == Pack(address=f"{bucket}packs/{version}.json", version=version, title="Away", files=6, sent=made.sent)
    gone()
    brought = fetch_storyboard(made.address, away)
    assert brought == away.packs / version / "film.yaml"
    assert seen(brought) == before
    assert version_of(read(brought)) == version


STILLS = """\
storyboard: 1
title: Stills Away
defaults: {provider: dashscope, stills: {takes: 2}}
cast: {mira: {references: [../shared/mira.png], sheet: true}}
shots:
  - {shot: 1A, action: She climbs., cast: [mira], still: true, last_still: The lamp.}
  - {shot: 1B, action: She sits., cast: [mira]}
"""


def test_a_film_with_stills_has_the_same_takes_on_another_host(tmp_path: Path, bucket: str, away: Home) -> None:
    picture(tmp_path / "shared" / "mira.png", "teal")
    (file := tmp_path / "film" / "film.yaml").parent.mkdir()
    file.write_text(STILLS)
    here = make_plan(read(file), NOTHING)
    there = make_plan(read(fetch_storyboard(pack(file, bucket).address, away)), NOTHING)
    assert [(take.shot, take.take, take.key) for take in there.takes] == [
        (take.shot, take.take, take.key) for take in here.takes
    ]
    assert {take.kind for take in here.takes} == {"sheet", "still", "last still", "clip"}


def test_translations_travel_with_a_film_that_has_languages(film: Path, bucket: str, away: Home) -> None:
    beside = film.with_name("film.translations.yaml")
    plain = version_of(read(film))
    beside.write_text("translations: 1\n")
    assert version_of(read(film)) == plain, "a film without languages has none"
    film.write_text(film.read_text().replace("title: Away", "title: Away\nlanguages: [en, fr]"))
    packed = pack(film, bucket)
    assert fetch_storyboard(packed.address, away).with_name(beside.name).read_text() == beside.read_text()
    beside.write_text("translations: 1\nlines: []\n")
    assert version_of(read(film)) != packed.version


def test_what_is_in_the_bucket_is_not_sent_again(film: Path, bucket: str) -> None:
    first = pack(film, bucket)
    assert first.sent > 0
    assert pack(film, bucket).sent == 0
    film.write_text(film.read_text().replace("climbs", "falls"))
    second = pack(film, bucket)
    assert second.version != first.version
    assert second.sent == film.stat().st_size, "the pictures are there"


def test_a_pack_is_fetched_once_and_then_needs_nobody(
    film: Path, bucket: str, away: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pack(film, bucket)
    brought = fetch_storyboard(made.address, away)
    fsspec.filesystem("s3").rm(bucket, recursive=True)
    assert fetch_storyboard(made.address, away) == brought


def test_a_file_that_was_changed_where_it_was_brought_to_is_brought_again(film: Path, bucket: str, away: Home) -> None:
    made, before = pack(film, bucket), seen(film)
    brought = fetch_storyboard(made.address, away)
    picture(brought.parent / "mira.png", "black")
    (brought.parent / "boards" / "lyon.png").unlink()
    assert seen(fetch_storyboard(made.address, away)) == before


def test_other_words_choose_other_files_and_so_another_pack(film: Path, bucket: str, away: Home) -> None:
    made = pack(film, bucket, {"town": "rome"})
    brought = fetch_storyboard(made.address, away)
    assert version_of(read(brought, {"town": "rome"})) == made.version
    assert "boards/lyon.png" not in files_below(brought.parent)


def test_several_processes_bring_one_pack_at_once(film: Path, bucket: str, away: Home) -> None:
    made = pack(film, bucket)
    code = f"""
from pathlib import Path
from storyreel.flows.packs import fetch_storyboard
from storyreel.tasks.home import Home
print(fetch_storyboard({made.address!r}, Home(root=Path({str(away.root)!r}), ledger_url="")))
"""
    crowd = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    told = {one.communicate(timeout=120)[0].strip() for one in crowd}
    assert [one.returncode for one in crowd] == [0] * 4
    assert told == {str(away.packs / made.version / "film.yaml")}
    assert {path.name for path in away.packs.iterdir()} == {made.version, f"{made.version}.json"}


# A pack that is not what it says


def forged(bucket: str, made: Pack, **changes: object) -> str:
    """A pack's index with other words in it, under the version that they come to; gives its address."""
    system = fsspec.filesystem("s3")
    index = json.loads(system.cat_file(made.address)) | changes
    said = json.dumps(["storyboard", 1, index["text"], sorted(index["files"].items())])
    address = f"{bucket}packs/{hashlib.sha256(said.encode()).hexdigest()}.json"
    system.pipe_file(address, json.dumps(index).encode())
    return address


@pytest.mark.parametrize(
    "changes",
    [
        {"storyboard": "../film.yaml"},
        {"storyboard": "/tmp/film.yaml"},
        {"storyboard": ".."},
        {"storyboard": "a\\b.yaml"},
        {"text": "../../../etc/passwd"},
        {"files": {"mira.png": "../" * 8 + "etc/passwd"}},
        {"files": {"mira.png/": "0" * 64, "mira.png/x": "0" * 64}},
        {"files": {"nul\0.png": "0" * 64}},
        {"pack": 2},
        {"further": True},
    ],
    ids=str,
)
def test_an_index_that_leads_astray_is_refused(
    film: Path, bucket: str, away: Home, tmp_path: Path, changes: dict[str, object]
) -> None:
    address = forged(bucket, pack(film, bucket), **changes)
    before = files_below(tmp_path)
    with pytest.raises(PackError, match="damaged"):
        fetch_storyboard(address, away)
    assert files_below(tmp_path) == before


@pytest.mark.parametrize(
    "name", ["../../../out.png", "/tmp/out.png", "a/../../out.png", "..\\..\\out.png", "C:\\out.png"]
)
def test_a_name_that_leads_out_of_the_folder_ends_inside_it(
    film: Path, bucket: str, away: Home, tmp_path: Path, name: str
) -> None:
    made = pack(film, bucket)
    text = hashlib.sha256(film.read_bytes()).hexdigest()
    address = forged(bucket, made, files={name: text})
    before = files_below(tmp_path)
    brought = fetch_storyboard(address, away)
    new = files_below(tmp_path) - before
    assert len(new) == 3 and all(path.startswith("away/packs/") for path in new)
    assert len(files_below(brought.parent)) == 2


def test_an_index_cannot_take_the_place_of_another_version(film: Path, bucket: str, away: Home) -> None:
    first = pack(film, bucket)
    film.write_text(film.read_text().replace("climbs", "falls"))
    second = pack(film, bucket)
    system = fsspec.filesystem("s3")
    system.pipe_file(first.address, system.cat_file(second.address))
    with pytest.raises(PackError, match="another version"):
        fetch_storyboard(first.address, away)


@pytest.mark.parametrize("how", ["other content", "cut off", "missing"])
def test_a_file_that_is_not_what_was_packed_is_refused(film: Path, bucket: str, away: Home, how: str) -> None:
    made, system = pack(film, bucket), fsspec.filesystem("s3")
    digest = hashlib.sha256((film.parent / "mira.png").read_bytes()).hexdigest()
    place = f"{bucket}packs/files/{digest[:2]}/{digest}"
    content = system.cat_file(place)
    if how == "missing":
        system.rm_file(place)
    else:
        system.pipe_file(place, content[:-1] if how == "cut off" else content[:-1] + b"X")
    with pytest.raises(PackError, match=r"mira\.png"):
        fetch_storyboard(made.address, away)
    assert not (away.packs / made.version).exists()


def test_a_pack_that_is_not_there_is_said(bucket: str, away: Home) -> None:
    with pytest.raises(PackError, match="no such pack") as told:
        fetch_storyboard(f"{bucket}packs/{'0' * 64}.json", away)
    assert "deploy" in str(told.value)


def test_a_film_that_cannot_be_read_is_not_packed(film: Path, bucket: str) -> None:
    (film.parent / "mira.png").unlink()
    with pytest.raises(StoryboardError, match=r"mira\.png"):
        pack(film, bucket)
    assert not fsspec.filesystem("s3").exists(bucket)


# Any other address


def test_a_path_is_itself(film: Path, away: Home) -> None:
    assert fetch_storyboard(str(film), away) == film
    assert fetch_storyboard("nowhere.yaml", away) == Path("nowhere.yaml")
    assert not away.root.exists()


def beside(text: str, folder: Path) -> str:
    """The film with all its files in its folder."""
    text = text.replace(f"{folder / 'elsewhere'}/room.png", "./mira.png")
    return text.replace("../shared/", "in here/").replace("boards/../mira.png", "mira.png")


@pytest.mark.parametrize("kind", ["s3", "file"])
def test_an_address_brings_the_files_beside_it(
    film: Path, bucket: str, away: Home, gone: Callable[[], None], kind: str, tmp_path: Path
) -> None:
    picture(film.parent / "in here" / "mira side.png", "red")
    film.write_text(beside(film.read_text(), tmp_path))
    before = seen(film)
    base = bucket.rstrip("/") if kind == "s3" else f"file://{tmp_path}/mounted"
    fsspec.url_to_fs(base)[0].put(str(film.parent.parent), base, recursive=True)
    gone()
    brought = fetch_storyboard(f"{base}/film/film.yaml", away)
    assert seen(brought) == before
    assert brought.parent == away.packs / version_of(read(brought))
    assert fetch_storyboard(f"{base}/film/film.yaml", away) == brought


def test_what_was_changed_at_an_address_is_seen_by_the_next_run(film: Path, bucket: str, away: Home) -> None:
    film.write_text("storyboard: 1\ntitle: One\nshots: [{shot: 1A, action: She waits.}]\n")
    system = fsspec.filesystem("s3")
    system.put_file(str(film), f"{bucket}film.yaml")
    assert read(fetch_storyboard(f"{bucket}film.yaml", away)).title == "One"
    film.write_text(film.read_text().replace("One", "Two"))
    system.put_file(str(film), f"{bucket}film.yaml")
    assert read(fetch_storyboard(f"{bucket}film.yaml", away)).title == "Two"


def test_the_translations_at_an_address_come_with_the_film(film: Path, bucket: str, away: Home) -> None:
    film.write_text("storyboard: 1\ntitle: One\nlanguages: [en, fr]\nshots: [{shot: 1A, action: She waits.}]\n")
    system = fsspec.filesystem("s3")
    system.put_file(str(film), f"{bucket}film.yaml")
    name = "film.translations.yaml"
    assert not fetch_storyboard(f"{bucket}film.yaml", away).with_name(name).exists()
    system.pipe_file(f"{bucket}{name}", b"translations: 1\n")
    assert fetch_storyboard(f"{bucket}film.yaml", away).with_name(name).read_text() == "translations: 1\n"


def test_an_address_without_the_files_beside_it_is_said(film: Path, bucket: str, away: Home, tmp_path: Path) -> None:
    system = fsspec.filesystem("s3")
    with pytest.raises(PackError, match="no such file"):
        fetch_storyboard(f"{bucket}film.yaml", away)
    film.write_text(beside(film.read_text(), tmp_path))
    system.put_file(str(film), f"{bucket}film.yaml")
    with pytest.raises(PackError, match=r"film\.yaml:\d+:\d+: `.*` does not exist"):
        fetch_storyboard(f"{bucket}film.yaml", away)
    assert files_below(away.root) == set()


ELSEWHERE = [
    "../secret.png", "a/../../secret.png", "../../other-bucket/secret.png", "../127.0.0.1:8911/x.png", "SECRET",
    "//127.0.0.1:8911/x.png", "\\\\host\\share\\x.png", "..\\secret.png", "C:\\x.png", "C:x.png", "..?x", "..;/x.png",
    "%2e%2e/secret.png",
    "%2E./secret.png", "%252e%252e/secret.png", "a%2f..%2f..%2fsecret.png", "%2fetc%2fx.png", "..%5csecret.png",
    "x.png::http://127.0.0.1:8911/y", "x.png%3a%3afile:///etc/x", ".. /secret.png", ".elsewhere/x.png", "a\tb/../x.png",
]  # fmt: skip
"""Names that a storyboard from elsewhere may not use. SECRET is an absolute path of this host."""
USES = {
    "reference": "cast: {mira: {references: [NAME]}}\nshots: [{shot: 1A, action: A., cast: [mira]}]",
    "video": "shots: [{shot: 1A, action: A., references: [{video: NAME}]}]",
    "location": "locations: {room: {references: [NAME]}}\nshots: [{shot: 1A, action: A., location: room}]",
    "voice": "cast: {mira: {voice: NAME}}\nshots: [{shot: 1A, action: A.}]",
    "first frame": "shots: [{shot: 1A, action: A., first_frame: NAME}]",
    "last frame": "shots: [{shot: 1A, action: A., first_frame: mira.png, last_frame: NAME}]",
    "default": "defaults: {first_frame: NAME}\nshots: [{shot: 1A, action: A.}]",
    "music": "music: [{file: NAME}]\nshots: [{shot: 1A, action: A.}]",
    "variable": "vars: {x: NAME}\nshots: [{shot: 1A, action: A., first_frame: '${x}'}]",
}


def naming(name: str, use: str = "first frame") -> str:
    return f"storyboard: 1\ntitle: Away\n{USES[use]}\n".replace("NAME", json.dumps(name))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A picture of this host that is beside no storyboard."""
    return picture(tmp_path / "secret.png", "black")


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """A folder on a shared disk, with a picture in it."""
    return picture(tmp_path / "mounted" / "mira.png", "teal").parent


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_storyboard_at_an_address_names_only_what_is_beside_it(
    bucket: str, away: Home, secret: Path, mounted: Path, name: str
) -> None:
    text = naming(str(secret) if name == "SECRET" else name)
    (mounted / "film.yaml").write_text(text)
    fsspec.filesystem("s3").pipe_file(f"{bucket}film.yaml", text.encode())
    for address in (f"file://{mounted}/film.yaml", f"{bucket}film.yaml"):
        with pytest.raises(StoryboardError, match=r"film\.yaml:3:45: `.*` is not beside the storyboard") as refused:
            fetch_storyboard(address, away)
        assert str(refused.value).startswith(address)
    assert files_below(away.root) == set()


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", ["../secret.png", "SECRET", "%2e%2e/secret.png"])
def test_that_holds_for_all_that_a_storyboard_names(
    away: Home, secret: Path, mounted: Path, use: str, name: str
) -> None:
    (mounted / "film.yaml").write_text(naming(str(secret) if name == "SECRET" else name, use))
    with pytest.raises(StoryboardError, match=r"film\.yaml:\d+:\d+: `.*` is not beside the storyboard"):
        fetch_storyboard(f"file://{mounted}/film.yaml", away)
    (mounted / "film.yaml").write_text(naming("${y}", use).replace("title: Away", "title: Away\nvars: {y: mira.png}"))
    if use != "variable":  # A variable may not use another.
        with pytest.raises(StoryboardError, match="is not beside the storyboard"):
            fetch_storyboard(f"file://{mounted}/film.yaml", away, {"y": str(secret)})


def test_a_link_on_a_shared_disk_does_not_lead_out_of_the_folder(away: Home, secret: Path, mounted: Path) -> None:
    (mounted / "x.png").symlink_to(secret)
    (mounted / "up").symlink_to("..")
    (mounted / "inside.png").symlink_to("mira.png")
    for name in ("x.png", "up/secret.png"):
        (mounted / "film.yaml").write_text(naming(name))
        with pytest.raises(StoryboardError, match=r"film\.yaml:3:45: .* is not beside"):
            fetch_storyboard(f"file://{mounted}/film.yaml", away)
        with pytest.raises(StoryboardError, match=r"film\.yaml:3:45: .* is not beside"):
            read(mounted / "film.yaml", confined=True)
        assert read(mounted / "film.yaml").shots, "the author of a file on this host may name any other"
    (mounted / "film.yaml").write_text(naming("inside.png"))
    assert read(fetch_storyboard(f"file://{mounted}/film.yaml", away), confined=True).shots


@pytest.mark.parametrize("name", ["SECRET", "../secret.png", "../../../secret.png"])
def test_a_pack_does_not_reach_the_files_of_the_host_that_it_comes_to(
    film: Path, bucket: str, away: Home, secret: Path, tmp_path: Path, name: str
) -> None:
    """Its index leaves out a file that its storyboard names, so that one of this host would take its place."""
    made, system = pack(film, bucket), fsspec.filesystem("s3")
    text = naming(str(secret) if name == "SECRET" else name)
    digest = hashlib.sha256(text.encode()).hexdigest()
    system.pipe_file(f"{bucket}packs/files/{digest[:2]}/{digest}", text.encode())
    address = forged(bucket, made, text=digest, files={})
    picture(away.packs.parent / "secret.png", "black")
    with pytest.raises(StoryboardError, match=r"film\.yaml:3:45: .*is not beside"):
        read_film(address, home=away)


def test_a_pack_of_this_programs_own_still_has_what_lies_outside_of_its_folder(
    film: Path, bucket: str, away: Home, gone: Callable[[], None]
) -> None:
    address, before = pack(film, bucket).address, seen(film)
    gone()
    brought = read_film(address, home=away)
    assert Path(brought.resolve("../shared/mira side.png")).read_bytes() in before


@pytest.mark.parametrize(
    "address",
    ["file:///films/../../etc/film.yaml", "s3://films/../other/film.yaml", "http://h/a/%2e%2e/film.yaml",
     "s3://films/x::http://127.0.0.1:8911/film.yaml", "zip://film.yaml::http://127.0.0.1:8911/a.zip",
     "file://films\\..\\film.yaml", "https://h/%252e%252e/film.yaml"],
)  # fmt: skip
def test_an_address_that_leads_to_another_one_is_refused(away: Home, address: str) -> None:
    with pytest.raises(PackError, match="leads to another one"):
        fetch_storyboard(address, away)


@pytest.mark.parametrize(("use", "most"), [("first frame", 20), ("video", 100), ("voice", 15), ("music", 2000)])
def test_a_file_is_not_brought_if_no_service_takes_it(away: Home, mounted: Path, use: str, most: int) -> None:
    (mounted / "film.yaml").write_text(naming("large", use))
    with (mounted / "large").open("wb") as large:
        large.truncate(most * 1_000_000 + 1)  # A hole, which takes no space.
    with pytest.raises(PackError, match=rf"film\.yaml:3:\d+: `large` is too large: .* at most {most:,} MB"):
        fetch_storyboard(f"file://{mounted}/film.yaml", away)
    assert files_below(away.root) == set()


def test_a_file_that_grows_while_it_is_brought_is_cut_off(
    away: Home, mounted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mounted / "film.yaml").write_text(naming("mira.png"))
    with (mounted / "mira.png").open("wb") as large:
        large.truncate(600_000_000)
    told = LocalFileSystem.info
    monkeypatch.setattr(LocalFileSystem, "info", lambda self, path, **more: told(self, path, **more) | {"size": 1000})
    with pytest.raises(PackError, match="more than the 20 MB"):
        fetch_storyboard(f"file://{mounted}/film.yaml", away)
    assert files_below(away.root) == set()


def test_two_names_that_cannot_be_stored_beside_each_other_are_told(bucket: str, away: Home, mounted: Path) -> None:
    """A bucket may have a file `a.png` and one `a.png/b.png`; a disk may not."""
    text = naming("a.png/b.png").replace("A.,", "A., last_frame: a.png,")
    for name, content in {"film.yaml": text.encode(), "a.png": b"1", "a.png/b.png": b"2"}.items():
        fsspec.filesystem("s3").pipe_file(f"{bucket}{name}", content)
    with pytest.raises((PackError, BucketUnavailable), match=r"a\.png"):
        fetch_storyboard(f"{bucket}film.yaml", away)


@pytest.mark.parametrize(
    ("address", "kind", "words"),
    [
        ("nosuch://films/film.yaml", BucketUnusable, "nosuch"),
        ("gcs://films/film.yaml", BucketUnusable, "needs a package"),
        (f"gcs://films/packs/{'0' * 64}.json", BucketUnusable, "needs a package"),
    ],
)
def test_an_address_that_cannot_be_reached_is_named_with_a_way_on(
    bucket: str, away: Home, address: str, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words) as told:
        fetch_storyboard(address, away)
    assert told.value.hint or told.value.next


def test_a_bucket_that_does_not_answer_may_answer_later(
    bucket: str, away: Home, monkeypatch: pytest.MonkeyPatch, unanswered: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", unanswered)
    with pytest.raises(BucketUnavailable):
        fetch_storyboard(f"{bucket}film.yaml", away)
