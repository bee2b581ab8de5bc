"""The clip store keeps pictures as it keeps clips, by their content, and nothing beside one takes its place."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from storyreel.flows.diagnostics.clip_store_check import check_store
from storyreel.tasks.storage.bucket import Bucket
from storyreel.tasks.storage.clips import Clip, ClipStore, Receipt
from tests.tasks.generated_scenes import scene

FORMS = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}


def encoded(form: str = "PNG", seed: int = 1) -> bytes:
    buffer = io.BytesIO()
    scene(seed, (64, 36)).save(buffer, form)
    return buffer.getvalue()


def kept(store: ClipStore, content: bytes, receipt: Receipt | None = None) -> Clip:
    with store.arriving("key") as place:
        place.write_bytes(content)
        return store.keep(place, receipt)


@pytest.mark.parametrize("form", FORMS)
def test_a_picture_is_kept_as_it_came_under_the_suffix_of_its_content(tmp_path: Path, form: str) -> None:
    store = ClipStore(tmp_path)
    picture, clip = kept(store, encoded(form)), kept(store, b"a clip")
    assert picture.path.name == f"{picture.digest}{FORMS[form]}" and picture.path.read_bytes() == encoded(form)
    assert store.find(picture.digest) == store.on_this_host(picture) == picture
    assert store.existing([picture.digest, clip.digest, "0" * 64]) == {picture.digest, clip.digest}
    assert (picture.is_picture, clip.is_picture) == (True, False)
    assert store.files() == sorted([picture.path, clip.path])


@pytest.mark.parametrize("form", FORMS)
def test_what_is_beside_a_picture_never_takes_its_place(tmp_path: Path, form: str) -> None:
    store = ClipStore(tmp_path)
    picture = kept(store, encoded(form))
    for suffix in (".png", ".jpg", ".json"):
        store.keep_beside(picture.digest, suffix, lambda into: into.write_bytes(b"made of it"))
        assert (beside := store.beside(picture.digest, suffix)) and beside.read_bytes() == b"made of it"
    assert store.find(picture.digest) == picture and store.files() == [picture.path]
    assert check_store(store, [picture.digest]).damaged == ()


def test_a_frame_beside_a_clip_that_is_gone_does_not_stand_for_it(tmp_path: Path) -> None:
    store = ClipStore(tmp_path)
    clip = kept(store, b"a clip")
    store.keep_beside(clip.digest, ".png", lambda into: into.write_bytes(encoded()))
    clip.path.unlink()
    assert not store.contains(clip.digest) and store.find(clip.digest) is None and store.files() == []


def test_a_picture_of_one_host_is_found_on_another(bucket: str, tmp_path: Path) -> None:
    one, other = (ClipStore(tmp_path / name, Bucket(bucket)) for name in ("one", "other"))
    picture = kept(one, encoded("JPEG"))
    assert other.existing([picture.digest, "0" * 64]) == {picture.digest} and not other.root.exists()
    source = other.source(picture.digest)
    assert isinstance(source, tuple) and source[1].endswith(".jpg")
    found = other.find(picture.digest)
    assert found == other.on_this_host(picture) and found.path.read_bytes() == encoded("JPEG")


def test_a_picture_is_found_by_its_receipt_wherever_the_run_was_killed(tmp_path: Path) -> None:
    store = ClipStore(tmp_path)
    picture = kept(store, encoded(), Receipt(key="k" * 64, task="1"))
    (receipt,) = store.unnoted()
    assert store.kept(receipt) == picture
    left = store.root / "arriving" / f"{'k' * 16}-left" / "take.mp4"
    left.parent.mkdir(parents=True)
    picture.path.rename(left)
    assert store.unnoted() == [receipt] and store.kept(receipt) == picture


def test_a_damaged_picture_is_told_by_the_doctor_and_is_not_found(tmp_path: Path) -> None:
    store = ClipStore(tmp_path)
    picture, lost = kept(store, encoded()), kept(store, encoded(seed=2))
    picture.path.write_bytes(picture.path.read_bytes()[:-20])
    lost.path.unlink()
    report = check_store(store, [picture.digest, lost.digest])
    assert (report.clips, report.pictures, report.damaged, report.lost) == (0, 1, (picture.path,), 1)
    assert str(report).startswith("0 clips and 1 picture, all read, 1 damaged")
    assert store.find(picture.digest) is None
    assert store.set_aside(picture.path, "key").path.suffix == ".png"
