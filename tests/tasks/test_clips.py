"""The clip store keeps what was paid for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import fsspec
import pytest

from storyreel.specs.money import Money
from storyreel.tasks.bucket import Bucket, BucketUnavailable
from storyreel.tasks.clips import Clip, ClipStore, Receipt


@pytest.fixture
def store(tmp_path: Path) -> ClipStore:
    return ClipStore(tmp_path / "clips")


def _keep(store: ClipStore, content: bytes) -> Clip:
    with store.arriving("key") as place:
        place.write_bytes(content)
        return store.keep(place)


def test_a_clip_is_named_by_its_content(store: ClipStore) -> None:
    clip = _keep(store, b"picture")
    assert clip.digest == hashlib.sha256(b"picture").hexdigest()
    assert clip.path.read_bytes() == b"picture"
    assert clip.size == 7
    assert store.contains(clip.digest)
    assert store.find(clip.digest) == clip


def test_the_same_content_is_stored_once(store: ClipStore) -> None:
    assert _keep(store, b"picture").path == _keep(store, b"picture").path
    assert len(list(store.root.rglob("*.mp4"))) == 1


def test_a_download_that_fails_leaves_nothing(store: ClipStore) -> None:
    with pytest.raises(ConnectionError), store.arriving("key") as place:
        place.write_bytes(b"half a pic")
        raise ConnectionError
    assert not [path for path in store.root.rglob("*") if path.is_file()]


def test_a_damaged_clip_is_not_found(store: ClipStore) -> None:
    clip = _keep(store, b"picture")
    clip.path.write_bytes(b"piXture")
    assert store.find(clip.digest) is None


def test_a_clip_that_was_never_stored_does_not_exist(store: ClipStore) -> None:
    assert not store.contains("0" * 64)
    assert store.find("0" * 64) is None


# Shared by hosts


@pytest.fixture
def hosts(bucket: str, tmp_path: Path) -> tuple[ClipStore, ClipStore]:
    """The stores of two hosts, before one bucket."""
    return ClipStore(tmp_path / "one", Bucket(bucket)), ClipStore(tmp_path / "other", Bucket(bucket))


def _place(store: ClipStore, digest: str) -> str:
    assert store.bucket
    return store.bucket.address(f"{digest[:2]}/{digest}.mp4")


def test_a_clip_of_one_host_is_found_on_another(hosts: tuple[ClipStore, ClipStore]) -> None:
    one, other = hosts
    clip = _keep(one, b"picture")
    assert other.contains(clip.digest) and other.existing([clip.digest, "0" * 64]) == {clip.digest}
    assert not list(other.root.rglob("*.mp4")), "a glance brings nothing here"
    found = other.find(clip.digest)
    assert found and found.path.is_relative_to(other.root) and found.path.read_bytes() == b"picture"
    assert found == other.on_this_host(clip)


def test_a_clip_on_this_host_needs_no_bucket(hosts: tuple[ClipStore, ClipStore], away: Callable[[], None]) -> None:
    one, other = hosts
    clip = _keep(one, b"picture")
    away()
    assert one.find(clip.digest) == clip and one.contains(clip.digest)
    for question in (other.find, other.contains):
        with pytest.raises(BucketUnavailable):
            question(clip.digest)


@pytest.mark.parametrize("damage", [b"piXture", b"pict", b""])
def test_a_damaged_object_counts_as_absent_and_is_replaced(hosts: tuple[ClipStore, ClipStore], damage: bytes) -> None:
    one, other = hosts
    clip = _keep(one, b"picture")
    fsspec.filesystem("s3").pipe_file(_place(one, clip.digest), damage)
    assert other.find(clip.digest) is None
    assert not [path for path in other.root.rglob("*") if path.is_file()]
    _keep(other, b"picture")
    clip.path.unlink()
    assert one.find(clip.digest) == clip


def test_a_clip_that_cannot_be_uploaded_is_on_this_host_and_uploaded_later(
    hosts: tuple[ClipStore, ClipStore], away: Callable[[], None], back: Callable[[], None]
) -> None:
    one, other = hosts
    receipt = Receipt(key="k" * 64, task="task-1", cost=Money(amount=Decimal("0.42"), currency="USD"))
    away()
    with one.arriving("key") as place:
        place.write_bytes(b"picture")
        with pytest.raises(BucketUnavailable):
            one.keep(place, receipt)
    back()
    again = ClipStore(one.root, one.bucket)
    assert again.undelivered("k" * 64, "another order of the take") is None
    waiting = again.undelivered("k" * 64, "task-1")
    assert waiting and waiting[1] == receipt
    assert not other.contains(waiting[0].digest)
    again.deliver(*waiting)
    assert again.undelivered("k" * 64, "task-1") is None
    assert other.find(waiting[0].digest)


def test_a_bucket_that_cannot_be_written_to_is_reported_before_a_clip_is_bought(
    hosts: tuple[ClipStore, ClipStore], away: Callable[[], None]
) -> None:
    hosts[0].ensure_writable()
    away()
    hosts[0].ensure_writable()
    with pytest.raises(BucketUnavailable):
        hosts[1].ensure_writable()


def test_many_downloads_of_one_clip_at_once_all_get_it_complete(hosts: tuple[ClipStore, ClipStore]) -> None:
    one, other = hosts
    clip = _keep(one, b"picture" * 100_000)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: other.find(clip.digest), range(8)))
    assert all(each and each.path.read_bytes() == b"picture" * 100_000 for each in found)
    assert len([path for path in other.root.rglob("*") if path.is_file()]) == 1
