"""A file that a service would refuse is found before anything is sent, and is opened once."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import pytest
from PIL import Image

from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.tasks.providers.wan.capabilities import WAN
from storyreel.tasks.request import local_files as references
from storyreel.tasks.request.local_files import LocalFileChecks
from tests.services.references import Reference, examine
from tests.tasks.generated_clips import ffmpeg, make_clip

Finding = tuple[str, str] | None


def wrong(file: Path, use: references.Use = "image") -> str:
    found = LocalFileChecks().problem_with(file, use, WAN)
    return found[0] if found else ""


def picture(folder: Path, width: int, height: int, mode: str = "RGB", name: str = "a.png", **how: object) -> Path:
    Image.new(mode, (width, height)).save(folder / name, **how)
    return folder / name


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((240, 240), ""),
        ((239, 500), "is 239x500 pixels, each side must have 240 to 8000"),
        ((8000, 1000), ""),
        ((8001, 4000), "each side must have 240 to 8000"),
        ((240, 1920), ""),
        ((240, 1928), "no side may be more than 8 times the other"),
    ],
)
def test_a_pictures_sides_and_shape(tmp_path: Path, size: tuple[int, int], words: str) -> None:
    assert words in wrong(picture(tmp_path, *size)) and bool(words) == bool(wrong(tmp_path / "a.png"))


@pytest.mark.parametrize(
    ("mode", "name", "words"),
    [
        ("RGBA", "a.png", "transparency"),
        ("LA", "a.png", "transparency"),
        ("RGBA", "a.webp", ""),
        ("RGB", "a.jpg", ""),
        ("L", "a.bmp", ""),
        ("P", "a.gif", "is GIF"),
        ("RGB", "a.tiff", "is TIFF"),
    ],
)
def test_a_pictures_format(tmp_path: Path, mode: str, name: str, words: str) -> None:
    said = wrong(picture(tmp_path, 320, 240, mode, name))
    assert words in said and bool(words) == bool(said)


def test_a_palette_with_a_transparent_colour_is_transparency(tmp_path: Path) -> None:
    assert "transparency" in wrong(picture(tmp_path, 320, 240, "P", transparency=0))


def test_a_telephones_jpeg_with_two_pictures_is_a_jpeg(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (320, 240), "red"), Image.new("RGB", (320, 240), "blue")
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second])
    assert Image.open(tmp_path / "a.jpg").format == "MPO"
    assert wrong(tmp_path / "a.jpg") == ""


def test_a_picture_of_too_many_bytes(tmp_path: Path) -> None:
    file = picture(tmp_path, 320, 240)
    with file.open("ab") as more:
        more.truncate(20_000_001)
    assert "has 20.0 MB, at most 20 MB are taken" in wrong(file)


@pytest.mark.parametrize(
    ("width", "words"), [(14_000, "is 14000x12000 pixels"), (60_000, "has far more pixels than any service takes")]
)
def test_a_picture_too_large_to_decode_is_judged_by_its_header(tmp_path: Path, width: int, words: str) -> None:
    header = struct.pack(">IIBBBBB", width, 12000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    data = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    (tmp_path / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert words in wrong(tmp_path / "huge.png")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_no_picture(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    assert "no picture that can be opened" in wrong(tmp_path / "a.png")


def test_a_missing_file(tmp_path: Path) -> None:
    for use in ("image", "video", "voice"):
        assert wrong(tmp_path / "gone", use)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "seconds", "words"),
    [
        ("320x240", 1, ""),
        ("320x240", 30, ""),
        ("320x240", 0.5, "is 0.5 s long, it must be 1 to 30 s"),
        ("320x240", 31, "is 31 s long"),
        ("128x72", 2, "each side must have 240 to 4096"),
        ("2200x240", 1, "no side may be more than 8 times"),
    ],
)
def test_a_videos_length_sides_and_shape(tmp_path: Path, size: str, seconds: float, words: str) -> None:
    film = make_clip(tmp_path / "a.mp4", frames=round(seconds * 4), fps="4", size=size, sound=None)
    said = wrong(film, "video")
    assert words in said and bool(words) == bool(said)


def test_a_videos_container(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mov", frames=4, fps="4", size="320x240", sound=None)
    make_clip(tmp_path / "a.mkv", frames=4, fps="4", size="320x240", sound=None)
    assert wrong(tmp_path / "a.mov", "video") == ""
    assert "matroska" in wrong(tmp_path / "a.mkv", "video")


def test_a_sound_is_no_video_and_a_still_has_no_voice(tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=duration=2", tmp_path / "a.m4a")
    make_clip(tmp_path / "still.mp4", frames=8, fps="4", size="320x240", sound=None)
    assert "has no picture" in wrong(tmp_path / "a.m4a", "video")
    assert "holds no sound" in wrong(tmp_path / "still.mp4", "voice")


@pytest.mark.parametrize(
    ("name", "seconds", "words"),
    [("a.wav", 1, ""), ("a.mp3", 10, ""), ("a.wav", 0.5, "is 0.5 s long"), ("a.mp3", 11, "it must be 1 to 10 s"),
     ("a.flac", 3, "is flac")],
)  # fmt: skip
def test_a_voices_length_and_format(tmp_path: Path, name: str, seconds: float, words: str) -> None:
    ffmpeg("-f", "lavfi", "-i", f"sine=duration={seconds}", tmp_path / name)
    said = wrong(tmp_path / name, "voice")
    assert words in said and bool(words) == bool(said)


@pytest.mark.parametrize(
    ("size", "mode", "name"),
    [((240, 240), "RGB", "a.png"), ((239, 500), "RGB", "a.png"), ((320, 240), "RGBA", "a.png"),
     ((240, 1928), "L", "a.jpg"), ((320, 240), "P", "a.gif"), ((320, 240), "RGB", "a.webp")],
)  # fmt: skip
async def test_the_checks_and_the_services_agree_about_pictures(
    tmp_path: Path, size: tuple[int, int], mode: str, name: str
) -> None:
    content = picture(tmp_path, *size, mode=mode, name=name).read_bytes()
    judged = await examine(Reference("stored", "image", "x"), lambda _: content, fetches=False)
    assert bool(judged.problem) == bool(wrong(tmp_path / name))


def test_a_picture_of_a_whole_film_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from storyreel.flows.planning.history import History
    from storyreel.flows.planning.plan import make_plan

    picture(tmp_path, 320, 240, name="mira.png")
    shots = "\n".join(f"  - {{shot: S{n}, action: On., cast: [mira]}}" for n in range(500))
    (tmp_path / "film.yaml").write_text(
        f"storyboard: 1\ntitle: T\ncast: {{mira: {{references: [mira.png]}}}}\nshots:\n{shots}\n"
    )
    film, opened = read(tmp_path / "film.yaml"), []
    true = Image.open
    monkeypatch.setattr(Image, "open", lambda file: opened.append(file) or true(file))
    make_plan(film, History(purchases=lambda _: {}, holds=lambda _: False), "dashscope")
    assert opened == [tmp_path / "mira.png"]


def test_all_file_problems_of_a_film_are_reported_together_and_once(tmp_path: Path) -> None:
    from storyreel.flows.planning.history import History
    from storyreel.flows.planning.plan import make_plan

    picture(tmp_path, 100, 100, name="small.png")
    picture(tmp_path, 320, 240, "RGBA", name="clear.png")
    ffmpeg("-f", "lavfi", "-i", "sine=duration=12", tmp_path / "long.wav")
    (tmp_path / "film.yaml").write_text(
        """storyboard: 1
title: T
cast:
  mira:
    references: [small.png, clear.png]
    voice: long.wav
shots:
  - {shot: 1A, action: On., cast: [mira], dialogue: [{mira: Hello}]}
  - {shot: 1B, action: On., cast: [mira], first_frame: small.png}
"""
    )
    with pytest.raises(StoryboardError) as refused:
        make_plan(read(tmp_path / "film.yaml"), History(purchases=lambda _: {}, holds=lambda _: False), "dashscope")
    assert [(p.position.line, p.message.partition(": it ")[0], p.hint) for p in refused.value.problems] == [
        (5, "dashscope does not take `small.png`", "scale it"),
        (5, "dashscope does not take `clear.png`", "save it without, over the background that it should have"),
        (
            6,
            "dashscope does not take `long.wav`",
            "shoot it with `model: wan3.0-video` at aimlapi or apiyi or dashscope, or cut it to that length",
        ),
        (9, "dashscope does not take `small.png`", "scale it"),
    ]
