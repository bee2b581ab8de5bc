"""Buckets: a file is complete or absent, and changes by others are seen at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import fsspec
import pytest
import s3fs

from storyreel.tasks.storage.bucket import Bucket, BucketUnavailable, BucketUnusable

PARTS = 20 << 20
"""Bytes that S3 is sent in three parts."""


@pytest.fixture(params=["s3", "mounted", "memory"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Bucket:
    """A bucket of each kind: an object store, a file system, memory."""
    if request.param == "s3":
        return Bucket(request.getfixturevalue("bucket") + "shared")
    return Bucket(str(tmp_path / "mounted" / "shared") if request.param == "mounted" else f"memory://{tmp_path.name}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "take.mp4"
    place.write_bytes(b"picture")
    return place


def test_a_file_is_downloaded_as_it_was_uploaded(shared: Bucket, file: Path, tmp_path: Path) -> None:
    assert shared.size("ab/take.mp4") is None
    assert not shared.get("ab/take.mp4", tmp_path / "back.mp4")
    shared.put(file, "ab/take.mp4")
    assert shared.size("ab/take.mp4") == 7
    assert shared.get("ab/take.mp4", tmp_path / "back.mp4")
    assert (tmp_path / "back.mp4").read_bytes() == b"picture"
    assert shared.size("ab") is None, "a folder is no file"
    assert shared.inside("ab").size("take.mp4") == 7


def test_a_small_file_is_written_read_and_removed(shared: Bucket) -> None:
    assert shared.read("index.json", 100) is None
    shared.write("index.json", b"{}")
    shared.write("index.json", b"{1}")
    assert shared.read("index.json", 100) == b"{1}"
    assert shared.read("index.json", 2) == b"{1"
    shared.remove("index.json")
    shared.remove("index.json")
    assert shared.read("index.json", 100) is None


def test_an_upload_leaves_nothing_but_the_file(shared: Bucket, file: Path) -> None:
    shared.put(file, "take.mp4")
    shared.put(file, "take.mp4")
    system, folder = fsspec.url_to_fs(shared.url)
    system.invalidate_cache()
    assert [name.rpartition("/")[2] for name in system.find(folder)] == ["take.mp4"]


def test_changes_by_another_process_are_seen_after_a_listing(bucket: str, file: Path) -> None:
    shared = Bucket(bucket)
    shared.put(file, "a.mp4")
    fsspec.filesystem("s3").ls(bucket)
    code = f"""
import fsspec
system = fsspec.filesystem("s3")
system.pipe_file({bucket + "b.mp4"!r}, b"new")
system.rm_file({bucket + "a.mp4"!r})
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (shared.size("a.mp4"), shared.size("b.mp4")) == (None, 3)


def test_a_large_file_is_uploaded_in_parts_and_complete(bucket: str, tmp_path: Path) -> None:
    large = tmp_path / "large.mp4"
    large.write_bytes(os.urandom(PARTS))
    Bucket(bucket).put(large, "large.mp4")
    # An entity tag ends with the number of parts.
    assert fsspec.filesystem("s3").info(bucket + "large.mp4", refresh=True)["ETag"].strip('"').endswith("-3")
    assert Bucket(bucket).get("large.mp4", tmp_path / "back.mp4")
    assert (tmp_path / "back.mp4").read_bytes() == large.read_bytes()


def test_what_is_there_is_not_uploaded_again(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads: list[str] = []
    put_file = s3fs.S3FileSystem.put_file

    def counted(self: s3fs.S3FileSystem, source: str, to: str, **options: object) -> None:
        uploads.append(to)
        put_file(self, source, to, **options)

    monkeypatch.setattr(s3fs.S3FileSystem, "put_file", counted)
    shared, film = Bucket(bucket + "again"), tmp_path / "film.mp4"
    for content in (b"", b"picture", bytes(PARTS)):
        for version in (content, content, content[:-1] + b"x", content[:-1] + b"x"):
            film.write_bytes(version)
            shared.keep("film.mp4", film)
    assert len(uploads) == 2 * 3
    assert shared.read("film.mp4", PARTS) == film.read_bytes()


@pytest.mark.parametrize("step", ["before 1", "before 3", "before 5"], ids=["at first", "between parts", "at last"])
def test_a_killed_upload_leaves_no_partial_file(bucket: str, tmp_path: Path, step: str) -> None:
    large = tmp_path / "large.mp4"
    large.write_bytes(os.urandom(PARTS))
    assert killed_while_putting(bucket, large, f"s3fs.core:S3FileSystem._call_s3 {step}")
    assert Bucket(bucket).size("large.mp4") is None
    Bucket(bucket).put(large, "large.mp4")
    assert Bucket(bucket).size("large.mp4") == PARTS


def test_a_killed_write_to_a_mounted_disk_leaves_no_partial_file(tmp_path: Path, file: Path) -> None:
    mounted = str(tmp_path / "mounted")
    assert killed_while_putting(mounted, file, "fsspec.implementations.local:LocalFileSystem.mv before 1")
    assert Bucket(mounted).size("take.mp4") is None
    Bucket(mounted).put(file, "take.mp4")
    assert Bucket(mounted).size("take.mp4") == 7


def killed_while_putting(url: str, file: Path, step: str) -> bool:
    """Whether a process that put a file there was killed at a step."""
    code = f"""
from pathlib import Path
from tests.flows.dying import die_at
from storyreel.tasks.storage.bucket import Bucket
die_at({step!r})
Bucket({url!r}).put(Path({str(file)!r}), {file.name!r})
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, timeout=120, check=False)
    return done.returncode == -signal.SIGKILL


def test_many_threads_and_a_forked_process_use_a_bucket_at_once(bucket: str, file: Path) -> None:
    shared = Bucket(bucket)
    shared.put(file, "0.mp4")
    threads = [threading.Thread(target=shared.put, args=(file, f"{number}.mp4")) for number in range(1, 12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [shared.size(f"{number}.mp4") for number in range(12)] == [7] * 12
    child = os.fork()
    if not child:
        os._exit(0 if shared.size("0.mp4") == 7 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# Errors


@pytest.mark.parametrize(
    ("url", "words", "hint"),
    [
        ("s3://nobodys-bucket/refs", "did not take", "doctor"),
        ("nosuch://films", "did not take", "doctor"),
        ("gcs://films", "needs a package", "beside storyreel"),
    ],
)
def test_a_bucket_that_cannot_be_used_is_reported(bucket: str, file: Path, url: str, words: str, hint: str) -> None:
    with pytest.raises(BucketUnusable, match=words) as refused:
        Bucket(url, "STORYREEL_CLIPS_URL").put(file, "take.mp4")
    assert hint in refused.value.hint + refused.value.next
    assert "STORYREEL_CLIPS_URL" in str(refused.value)


def test_missing_credentials_are_reported(bucket: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(BucketUnusable) as refused:
        Bucket(bucket).put(file, "take.mp4")
    assert "credentials" in refused.value.hint


def test_a_bucket_that_does_not_answer_is_unavailable(
    bucket: str, file: Path, unanswered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", unanswered)
    for use in (
        lambda: Bucket(bucket).put(file, "a"),
        lambda: Bucket(bucket).size("a"),
        lambda: Bucket(bucket).read("a", 9),
    ):
        with pytest.raises(BucketUnavailable):
            use()


def test_a_password_in_the_address_is_not_shown(file: Path) -> None:
    with pytest.raises(BucketUnusable) as refused:
        Bucket("nosuch://user:hunter2@films/refs?token=hunter3").put(file, "a")
    assert "hunter" not in str(refused.value)
