"""A file is hashed once, and again as soon as it may have changed."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from storyreel.tasks.storage.clips import ClipStore
from storyreel.tasks.storage.digests import file_digest
from tests.counting import counting

LONG_AGO = time.time() - 3600


def settled(file: Path, content: bytes = b"a clip") -> Path:
    """A file that was not written just now."""
    file.write_bytes(content)
    time.sleep(0.03)
    return file


def test_a_file_that_has_not_changed_is_read_once(tmp_path: Path) -> None:
    file = settled(tmp_path / "a")
    with counting() as counts:
        assert {file_digest(file) for _ in range(3)} == {hashlib.sha256(b"a clip").hexdigest()}
    assert [len(names) for names in counts.hashed.values()] == [1]


@pytest.mark.parametrize("seconds", [0, 0.03])
def test_a_changed_content_of_the_same_length_is_seen(tmp_path: Path, seconds: float) -> None:
    """Also where both were written within one tick of the file system's clock."""
    file = tmp_path / "a"
    for content in (b"one", b"two", b"six"):
        file.write_bytes(content)
        time.sleep(seconds)
        assert file_digest(file) == hashlib.sha256(content).hexdigest()


def test_a_change_is_seen_whatever_time_the_file_is_given(tmp_path: Path) -> None:
    file = settled(tmp_path / "a", b"one")
    os.utime(file, (LONG_AGO, LONG_AGO))
    time.sleep(0.03)
    assert file_digest(file) == hashlib.sha256(b"one").hexdigest()
    file.write_bytes(b"two")
    os.utime(file, (LONG_AGO, LONG_AGO))
    assert file_digest(file) == hashlib.sha256(b"two").hexdigest()


def test_another_file_in_its_place_is_read(tmp_path: Path) -> None:
    file = settled(tmp_path / "a", b"one")
    assert file_digest(file) == hashlib.sha256(b"one").hexdigest()
    (tmp_path / "b").write_bytes(b"two")
    (tmp_path / "b").replace(file)
    assert file_digest(file) == hashlib.sha256(b"two").hexdigest()


def test_a_clip_is_hashed_once_from_its_arrival_on(tmp_path: Path) -> None:
    store = ClipStore(tmp_path / "clips")
    with counting() as counts:
        with store.arriving("key") as place:
            place.write_bytes(b"a clip")
            clip = store.keep(place)
        assert store.find(clip.digest) == clip and store.find_local(clip.digest) == clip
    assert [len(names) for names in counts.hashed.values()] == [1]


def test_a_clip_that_is_damaged_after_it_was_stored_is_not_found(tmp_path: Path) -> None:
    store = ClipStore(tmp_path / "clips")
    with store.arriving("key") as place:
        place.write_bytes(b"a clip")
        clip = store.keep(place)
    time.sleep(0.03)
    clip.path.write_bytes(b"a clap")
    assert store.find(clip.digest) is None
