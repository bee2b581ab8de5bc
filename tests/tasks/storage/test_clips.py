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
from storyreel.tasks.storage import files
from storyreel.tasks.storage.bucket import Bucket, BucketUnavailable
from storyreel.tasks.storage.clips import Clip, ClipStore, Receipt
from storyreel.tasks.storage.files import mark_of


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


def test_only_a_download_that_can_go_on_leaves_its_part(store: ClipStore) -> None:
    for is_marked in (False, True):
        with pytest.raises(ConnectionError), store.arriving("key", may_continue=True) as place:
            assert not place.exists()
            place.write_bytes(b"half a pic")
            if is_marked:
                mark_of(place).write_text('"1"')
            raise ConnectionError
    with store.arriving("key") as other, store.arriving("key", may_continue=True) as place:
        assert not other.exists()
        assert place.read_bytes() == b"half a pic" and mark_of(place).read_text() == '"1"'
        with store.arriving("key", may_continue=True) as second:
            assert not second.exists(), "one gets it"
        mark_of(place).unlink()
    with store.arriving("key", may_continue=True) as place:
        assert not place.exists()
    assert not list((store.root / "arriving").iterdir())


def test_a_damaged_clip_is_not_found(store: ClipStore) -> None:
    clip = _keep(store, b"picture")
    clip.path.write_bytes(b"piXture")
    assert store.find(clip.digest) is None


def test_a_clip_that_was_never_stored_does_not_exist(store: ClipStore) -> None:
    assert not store.contains("0" * 64)
    assert store.find("0" * 64) is None


# Receipts: from before a clip is stored until the ledger has it


class Killed(BaseException):
    """The process ends here."""


def _killed(*_: object, **__: object) -> None:
    raise Killed


@pytest.mark.parametrize("at", ["_place", "deliver"])
def test_a_clip_is_found_whenever_the_run_that_stores_it_is_killed(
    store: ClipStore, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    arrived = store.root / "arriving" / f"{'k' * 16}-left" / "take.mp4"
    arrived.parent.mkdir(parents=True)
    arrived.write_bytes(b"picture")
    with monkeypatch.context() as dying, pytest.raises(Killed):
        dying.setattr(ClipStore, at, _killed)
        store.keep(arrived, Receipt(key="k" * 64, task="task-1"))
    (receipt,) = store.receipts("k" * 64)
    assert store.unnoted() == [receipt]
    clip = store.kept(receipt)
    assert clip and clip.path.read_bytes() == b"picture"
    assert arrived.exists() == (at == "_place"), "it may be another run's, which is storing it now"
    assert store.receipts("l") == []
    store.discard(receipt)
    assert store.receipts() == []


def test_a_receipt_whose_clip_is_damaged_or_gone_gives_no_clip(store: ClipStore) -> None:
    with store.arriving("key") as place:
        place.write_bytes(b"picture")
        clip = store.keep(place, Receipt(key="k" * 64, task="../a/task"))
    (receipt,) = store.receipts()
    clip.path.write_bytes(b"piXture")
    assert store.unnoted() == [] and store.kept(receipt) is None


def test_two_orders_of_a_take_have_a_receipt_each(store: ClipStore) -> None:
    for task, content in (("1", b"one"), ("2", b"two"), ("1", b"once more")):
        with store.arriving("key") as place:
            place.write_bytes(content)
            store.keep(place, Receipt(key="k" * 64, task=task))
    assert sorted(receipt.task for receipt in store.receipts()) == ["1", "2"]
    (store.root / "receipts" / "damaged.json").write_text("{")
    assert len(store.receipts()) == 2


def test_what_is_kept_survives_a_power_cut(store: ClipStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The receipt is flushed before the clip has its name, with the names of all folders that are new."""
    flushed: list[Path] = []
    monkeypatch.setattr(files, "sync", lambda path: flushed.append(path))
    with store.arriving("key") as place:
        place.write_bytes(b"picture")
        clip = store.keep(place, Receipt(key="k" * 64, task="1"))
    receipts = store.root / "receipts"
    assert store.root in flushed
    assert flushed.index(receipts) < flushed.index(clip.path.parent)


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
    (waiting,) = again.receipts("k" * 64)
    assert (waiting.task, waiting.cost) == (receipt.task, receipt.cost)
    clip = again.kept(waiting)
    assert clip and not other.contains(clip.digest)
    again.deliver(clip)
    again.discard(waiting)
    assert not again.receipts()
    assert other.find(clip.digest)


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
