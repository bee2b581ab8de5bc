"""A whole file passes, the first part of it does not, whatever its kind."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from PIL import Image

from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.wholeness import check_picture, check_sound, check_video


def made_by_ffmpeg(path: Path, *options: str) -> Path:
    import subprocess

    command = [str(find_ffmpeg().path), "-v", "error", "-y", *options, str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


def first_part(path: Path, part: float = 0.5) -> Path:
    content = path.read_bytes()
    cut = path.with_name(f"part-{path.name}")
    cut.write_bytes(content[: int(len(content) * part)])
    return cut


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.jpg", {}), ("a.jpg", {"progressive": True}), ("a.png", {}), ("a.webp", {}), ("a.bmp", {}), ("a.avif", {})],
)
def test_half_a_picture_is_found(tmp_path: Path, name: str, options: dict[str, bool]) -> None:
    noise = Image.frombytes("RGB", (160, 120), random.Random(1).randbytes(160 * 120 * 3))
    noise.save(tmp_path / name, **options)
    check_picture(tmp_path / name)
    with pytest.raises(MediaError, match=name):
        check_picture(first_part(tmp_path / name))


def test_a_jpeg_whose_end_was_never_filled_is_found_and_one_that_is_padded_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.frombytes("L", (160, 120), random.Random(1).randbytes(160 * 120)).save(path)
    content = path.read_bytes()
    path.write_bytes(content + bytes(4096))
    check_picture(path)
    path.write_bytes(content[: len(content) // 2].ljust(len(content), b"\0"))
    with pytest.raises(MediaError, match="ends in zeros"):
        check_picture(path)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", []), ("rf64.wav", ["-rf64", "always"]), ("a.w64", []), ("a.aiff", []), ("a.flac", []), ("a.mp3", []),
        ("a.m4a", []), ("fast.m4a", ["-movflags", "+faststart"]),
    ],
)  # fmt: skip
def test_half_a_sound_is_found(tmp_path: Path, name: str, options: list[str]) -> None:
    noise = ["-f", "lavfi", "-i", "anoisesrc=d=8:r=44100:seed=1", *options]
    path = made_by_ffmpeg(tmp_path / name, *noise)
    check_sound(path)
    with pytest.raises(MediaError, match=r"cut short|cannot be read"):
        check_sound(first_part(path))


@pytest.mark.parametrize("name", ["a.aac", "a.caf", "a.ogg"])
def test_kinds_that_do_not_say_how_long_they_are_pass(tmp_path: Path, name: str) -> None:
    check_sound(made_by_ffmpeg(tmp_path / name, "-f", "lavfi", "-i", "anoisesrc=d=1:seed=1"))


def test_a_wav_that_was_written_into_a_pipe_passes(tmp_path: Path) -> None:
    path = made_by_ffmpeg(tmp_path / "a.wav", "-f", "lavfi", "-i", "anoisesrc=d=1:seed=1")
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * 4 + content[8:])
    check_sound(path)


def test_an_mp3_is_measured_behind_its_tag_whatever_is_written_in_that(tmp_path: Path) -> None:
    noise = ["-f", "lavfi", "-i", "anoisesrc=d=4:seed=1", "-metadata", "title=Info" + "\xff" * 8 + "x" * 300]
    path = made_by_ffmpeg(tmp_path / "a.mp3", *noise)
    check_sound(path)
    with pytest.raises(MediaError, match="cut short"):
        check_sound(first_part(path))


def test_a_file_without_a_sound_is_no_sound(tmp_path: Path) -> None:
    path = made_by_ffmpeg(tmp_path / "a.mp4", "-f", "lavfi", "-i", "color=s=64x64:d=0.2", "-c:v", "libx264")
    with pytest.raises(MediaError, match="no sound in it"):
        check_sound(path)
    (tmp_path / "a.mp3").write_bytes(b"ID3\x04" + bytes(24))
    with pytest.raises(MediaError):
        check_sound(tmp_path / "a.mp3")


@pytest.mark.parametrize("options", [[], ["-movflags", "+faststart"]])
def test_half_a_video_is_found(tmp_path: Path, options: list[str]) -> None:
    source = ["-f", "lavfi", "-i", "testsrc2=d=1:s=128x96", "-c:v", "libx264", *options]
    path = made_by_ffmpeg(tmp_path / "a.mp4", *source)
    check_video(path)
    with pytest.raises(MediaError, match=r"cut short|cannot be read"):
        check_video(first_part(path, 0.7))
