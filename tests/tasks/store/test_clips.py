"""The clip store keeps what was paid for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tasks.store.clips import Clip, ClipStore


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
    assert store.holds(clip.digest)
    assert store.find(clip.digest) == clip


def test_the_same_content_is_kept_once(store: ClipStore) -> None:
    assert _keep(store, b"picture").path == _keep(store, b"picture").path
    assert len(list(store.root.rglob("*.mp4"))) == 1


def test_a_clip_that_did_not_arrive_leaves_nothing(store: ClipStore) -> None:
    with pytest.raises(ConnectionError), store.arriving("key") as place:
        place.write_bytes(b"half a pic")
        raise ConnectionError
    assert not [path for path in store.root.rglob("*") if path.is_file()]


def test_a_damaged_clip_is_not_taken_for_the_one_that_was_paid(store: ClipStore) -> None:
    clip = _keep(store, b"picture")
    clip.path.write_bytes(b"piXture")
    assert store.find(clip.digest) is None


def test_a_clip_that_never_came_is_not_there(store: ClipStore) -> None:
    assert not store.holds("0" * 64)
    assert store.find("0" * 64) is None
