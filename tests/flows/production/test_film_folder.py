"""The film of one storyboard never replaces that of another unasked, and always its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.flows.production.delivery import Delivery
from storyreel.flows.production.film_folder import (
    FilmSource,
    FolderTaken,
    check_folder,
    deliverable_files,
    film_folder,
)
from storyreel.tasks.storage.bucket import Bucket

TITLES = st.sampled_from(["Untitled", "untitled!", "守灯人", "🎬", "…", "", "Con", "x" * 200, "𠀀" * 80])
NAMES = st.sampled_from(["a/film.yaml", "b/film.yaml", "a/untitled.yaml", "a/守.yaml", "b/🎬.yaml"])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def storyboard(name: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("storyboard: 1")
    return path


def deliver(folder: Path | str, source: FilmSource, **more: object) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    told = {"title": source.title, "storyboard": source.place, "source": source.place, "draft": source.is_draft} | more
    (Path(folder) / "manifest.json").write_text(json.dumps(told))


@given(st.lists(st.tuples(TITLES, NAMES), unique=True, max_size=8))
def test_films_of_many_storyboards_go_to_folders_of_their_own(
    tmp_path_factory: pytest.TempPathFactory, films: list[tuple[str, str]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("films"))
        sources = [FilmSource.of(storyboard(name), title) for title, name in films]
        chosen: dict[FilmSource, Path] = {}
        for _ in range(2):  # the second time each finds its own again
            for source in sources:
                folder = Path(film_folder(None, source))
                assert chosen.setdefault(source, folder) == folder
                assert folder.parent == Path("renders") and len(folder.name.encode()) < 255
                deliver(folder, source)
        by_folder: dict[Path, set[str]] = {}
        for source, folder in chosen.items():
            by_folder.setdefault(folder, set()).add(source.place)
        assert all(len(places) == 1 for places in by_folder.values())


def test_a_title_in_any_script_is_read_in_its_folder_and_one_without_letters_has_the_storyboards_name(
    here: Path,
) -> None:
    def folder(title: str, name: str = "trailer.yaml") -> str:
        return str(film_folder(None, FilmSource.of(storyboard(name), title)))

    assert [folder(title) for title in ("The Keeper", "守灯人", "हिन्दी फ़िल्म", "ภาพยนตร์ไทย", "Маяк")] == [
        "renders/the-keeper", "renders/守灯人", "renders/हिन्दी-फ़िल्म", "renders/ภาพยนตร์ไทย", "renders/маяк",
    ]  # fmt: skip
    assert (folder("🎬"), folder("!!!", "…/teaser.yaml"), folder("🎬", "🎬.yaml")) == (
        "renders/trailer", "renders/teaser", "renders/film",
    )  # fmt: skip


def test_a_folder_that_is_named_is_refused_if_another_film_is_in_it(here: Path) -> None:
    one, other = (FilmSource.of(storyboard(name), "Untitled") for name in ("a/film.yaml", "b/film.yaml"))
    deliver("cut", one)
    check_folder("cut", one)
    with pytest.raises(FolderTaken, match=r"cut has the film of another storyboard in it: 'Untitled', of .*/a/film"):
        film_folder("cut", other)
    Path("cut/manifest.json").write_text('{"name": "a web app"}')
    with pytest.raises(FolderTaken, match=r"a manifest.json in it that is of no film"):
        film_folder("cut", one)


def test_a_draft_has_a_folder_in_that_of_its_film_and_neither_replaces_the_other(here: Path) -> None:
    film, other = (FilmSource.of(storyboard(f"{name}/film.yaml"), "One Room") for name in "ab")
    draft = film._replace(is_draft=True)
    assert film_folder(None, draft) == Path("renders/one-room/draft")
    deliver(film_folder(None, draft), draft)
    assert film_folder(None, film) == Path("renders/one-room")
    assert film_folder(None, other) != Path("renders/one-room"), "the draft of a film holds the film's folder"
    deliver("out", film)
    assert film_folder("out", draft) == Path("out/draft")
    deliver("out/draft", other)
    with pytest.raises(FolderTaken, match="the film of another storyboard"):
        film_folder("out", draft)
    deliver("out/draft", film)
    with pytest.raises(FolderTaken, match="out/draft has the film in it, which its draft would replace"):
        film_folder("out", draft)


def test_a_storyboard_that_was_moved_or_renamed_is_the_same_film(here: Path) -> None:
    deliver("cut", FilmSource.of(storyboard("a/film.yaml"), "Untitled"))
    Path("a/film.yaml").rename(here / "film-2.yaml")
    check_folder("cut", FilmSource.of("film-2.yaml", "Untitled"))
    check_folder("cut", FilmSource.of("b/film.yaml", "A New Title"))
    with pytest.raises(FolderTaken):
        check_folder("cut", FilmSource.of("film-2.yaml", "A New Title"))


def test_all_versions_of_a_pack_and_its_file_are_the_same_film(here: Path, bucket: str) -> None:
    versions = [f"{bucket}packs/{sign * 64}.json" for sign in "01"]
    first, second = (FilmSource.of(version, "Untitled", "/home/packs/x/film.yaml") for version in versions)
    assert first == second
    deliver("cut", first)
    check_folder("cut", second)
    check_folder("cut", FilmSource.of(storyboard("a/film.yaml"), "Untitled"))
    for other in (storyboard("a/other.yaml"), f"{bucket}film.yaml"):
        with pytest.raises(FolderTaken):
            check_folder("cut", FilmSource.of(other, "Untitled"))


def test_a_film_in_a_bucket_is_not_replaced_either(here: Path, bucket: str) -> None:
    import fsspec

    one, other = (FilmSource.of(storyboard(name), "Untitled") for name in ("a/film.yaml", "b/film.yaml"))
    assert film_folder(None, one, f"{bucket}films") == f"{bucket}films/untitled"
    told = json.dumps({"title": one.title, "storyboard": one.place, "source": one.place})
    fsspec.filesystem("s3").pipe_file(f"{bucket}films/untitled/manifest.json", told.encode())
    assert film_folder(None, one, f"{bucket}films") == f"{bucket}films/untitled"
    assert film_folder(None, other, f"{bucket}films") == f"{bucket}films/untitled-film"
    with pytest.raises(FolderTaken):
        film_folder(f"{bucket}films/untitled", other)


def test_manifests_that_films_had_before_are_not_taken_for_those_of_others(here: Path) -> None:
    source = FilmSource.of(storyboard("a/film.yaml"), "Untitled")
    Path("cut").mkdir()
    for written in ("a/film.yaml", "film.yaml", "s3://films/packs/" + "0" * 64 + ".json", source.place):
        Path("cut/manifest.json").write_text(json.dumps({"title": "Untitled", "storyboard": written}))
        check_folder("cut", source)


def test_deliverables_are_delivered_and_those_that_are_gone_are_removed(tmp_path: Path) -> None:
    """At an address as in a folder; a manifest that somebody wrote leads to no other file."""
    folder, there = tmp_path / "made", tmp_path / "there"
    (folder / "deliverables").mkdir(parents=True)
    for place in (folder, there):
        (place / "deliverables").mkdir(parents=True, exist_ok=True)
        for name in ("web.mp4", "old.mov", "old.fr.srt"):
            (place / "deliverables" / name).write_text("film")
        (place / "mine.mp4").write_text("mine")
        told = [
            {"name": "web", "file": "deliverables/web.mp4"},
            {"name": "old", "file": "deliverables/old.mov", "subtitles": ["old.fr.srt"]},
            {"name": "evil", "file": "deliverables/../mine.mp4", "subtitles": ["../mine.mp4", "x/web.srt"]},
        ]
        (place / "manifest.json").write_text(json.dumps({"deliverables": told}))
    source = FilmSource("Film", str(tmp_path / "film.yaml"))
    for delivery in (Delivery(folder, source), Delivery(folder, source, Bucket(there.as_uri()))):
        assert delivery.remove_deliverables(["web"]) == {"web": "deliverables/web.mp4"}
    for place in (folder, there):
        left = sorted(file.name for file in place.rglob("*") if file.is_file())
        assert left == ["manifest.json", "mine.mp4", "web.mp4"]
    (folder / "deliverables" / "web.mp4").write_text("new")
    Delivery(folder, source, Bucket(there.as_uri())).deliver_files(["deliverables/web.mp4"])
    assert (there / "deliverables" / "web.mp4").read_text() == "new"
    assert deliverable_files(folder) == {"web": ["deliverables/web.mp4"], "old": ["deliverables/old.mov",
                                         "deliverables/old.fr.srt"], "evil": []}  # fmt: skip
    (folder / "manifest.json").write_text('{"deliverables": [7]}')
    assert deliverable_files(folder) == {}
