"""A folder that takes no file is found by trying it, is told in words, and is left as it was."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storyreel.tasks.storage.disk import DiskError, in_words, is_of_disk, try_folder


def _as_it_is(folder: Path) -> list[tuple[str, bytes | None]]:
    return sorted((str(path), path.read_bytes() if path.is_file() else None) for path in folder.rglob("*"))


def _file(tmp_path: Path) -> Path:
    (tmp_path / "film").write_text("notes")
    return tmp_path / "film"


def _below_a_file(tmp_path: Path) -> Path:
    return _file(tmp_path) / "cut" / "one"


def _dangling(tmp_path: Path) -> Path:
    (tmp_path / "film").symlink_to(tmp_path / "gone")
    return tmp_path / "film"


def _below_a_dangling_link(tmp_path: Path) -> Path:
    return _dangling(tmp_path) / "cut"


def _loop(tmp_path: Path) -> Path:
    (tmp_path / "film").symlink_to(tmp_path / "film")
    return tmp_path / "film"


def _too_long(tmp_path: Path) -> Path:
    return tmp_path / ("x" * 300)


def _too_deep(tmp_path: Path) -> Path:
    return tmp_path.joinpath(*["x" * 200] * 21)


def _name_is_a_folder(tmp_path: Path) -> Path:
    (tmp_path / "film" / "sequence.mp4").mkdir(parents=True)
    return tmp_path / "film"


def _not_writable(tmp_path: Path) -> Path:
    folder = tmp_path / "film"
    folder.mkdir()
    folder.chmod(0o500)
    # Nobody keeps root out of a folder but the kernel.
    return folder if os.geteuid() else Path("/proc/self")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_file, "it is a file, not a folder"),
        (_below_a_file, "is a file, not a folder"),
        (_dangling, "it is a link to"),
        (_below_a_dangling_link, "which does not exist"),
        (_loop, "film"),
        (_too_long, "file name too long"),
        (_too_deep, "file name too long"),
        (_name_is_a_folder, "sequence.mp4 in it is a folder"),
        (_not_writable, ""),
    ],
)
def test_a_folder_that_takes_no_file_is_told_in_words_and_left_as_it_was(
    tmp_path: Path, make: Callable[[Path], Path], said: str
) -> None:
    folder = make(tmp_path)
    before = _as_it_is(tmp_path)
    with pytest.raises(DiskError) as caught:
        try_folder(folder, "the film", "name another", ["sequence.mp4"])
    assert caught.value.message.startswith(f"the film cannot be written to {folder}: ")
    assert said in caught.value.message and "rrno" not in caught.value.message
    assert _as_it_is(tmp_path) == before


def test_a_folder_that_takes_files_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "sequence.mp4").write_text("the film of an earlier run")
    before = _as_it_is(tmp_path)
    try_folder(tmp_path, "the film", "", ["sequence.mp4", "manifest.json"])
    try_folder(tmp_path / "not" / "there" / "yet", "the film", "")
    assert _as_it_is(tmp_path) == before


def test_a_trial_neither_makes_nor_removes_a_folder_that_another_process_may_use(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "clips"

    def names_while_another_begins() -> Iterator[str]:
        yield "before"
        assert not folder.parent.exists()
        folder.mkdir(parents=True)
        yield "after"

    try_folder(folder, "clips", "", names_while_another_begins())
    assert folder.is_dir() and not list(folder.iterdir())


@pytest.fixture
def small_files() -> Iterator[None]:
    """Files of this process may have 4 kB: what a full disk or a quota does to a write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
def test_a_disk_that_takes_only_empty_files_is_found(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r"the film cannot be written to .*: file too large"):
        try_folder(tmp_path / "film", "the film", "")
    assert not list(tmp_path.iterdir())


def test_room_that_is_missing_is_told_in_megabytes(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="MB are free, at least 1,000,000,000,000 MB are needed; make room, or"):
        try_folder(tmp_path, "the film", "name another", least=10**18)


def test_later_trouble_is_told_with_the_path(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r"gone/a: no such file or directory"), in_words(tmp_path):
        (tmp_path / "gone" / "a").write_text("x")
    with pytest.raises(DiskError, match=f"{tmp_path}: no space left on device"), in_words(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("error", [ConnectionRefusedError(errno.ECONNREFUSED, "refused"), TimeoutError(), ValueError()])
def test_what_is_not_about_a_file_stays_what_it_is(tmp_path: Path, error: Exception) -> None:
    assert not is_of_disk(error)
    with pytest.raises(type(error)), in_words(tmp_path):
        raise error
