"""Frames of a clip as pictures: the last one exactly, and a small one of the middle."""

from __future__ import annotations

import io
from pathlib import Path

import av
import pytest
from PIL import Image, ImageChops, ImageStat

from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.frames import thumbnail, write_last_frame
from tests.tasks.generated_clips import make_clip
from tests.tasks.generated_scenes import film, scene

COLOUR = (200, 50, 20)
UNTAGGED = ("-bsf:v", "h264_metadata=colour_primaries=2:transfer_characteristics=2:matrix_coefficients=2")


def _solid(into: Path, size: str, matrix: str, tagged: bool) -> Path:
    """A clip of two frames, black and then COLOUR, whose numbers are of the given matrix."""
    convert = f"scale=out_color_matrix={matrix}:out_range=tv,format=yuv420p,setparams=colorspace={matrix}"
    tags = () if tagged else UNTAGGED
    name = "0x{:02x}{:02x}{:02x}".format(*COLOUR)
    return make_clip(into, frames=2, size=size, picture=f"color={name}", sound=None,
                     filters=f"format=rgb24,drawbox=t=fill:color=black:enable='eq(n,0)',{convert}",
                     options=("-crf", "8", *tags))  # fmt: skip


@pytest.mark.parametrize(
    ("size", "matrix", "tagged"),
    [
        ("1280x720", "bt709", True),
        ("1280x720", "bt709", False),
        ("1280x720", "smpte170m", True),
        ("640x360", "smpte170m", False),
    ],
)
def test_the_last_frame_has_its_right_colour(tmp_path: Path, size: str, matrix: str, tagged: bool) -> None:
    clip = _solid(tmp_path / "a.mp4", size, matrix, tagged)
    with av.open(str(clip)) as file:
        assert (file.streams.video[0].codec_context.colorspace == 2) is not tagged
    write_last_frame(clip, tmp_path / "last.png")
    with Image.open(tmp_path / "last.png") as picture:
        assert f"{picture.width}x{picture.height}" == size
        found = picture.getpixel((picture.width // 2, picture.height // 2))
    assert isinstance(found, tuple)
    assert all(abs(a - b) <= 5 for a, b in zip(found, COLOUR, strict=True)), found


def test_the_last_frame_is_the_last_one_shown(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=47, picture="color=black", filters="geq=lum='16+4*N':cb=128:cr=128",
                     options=("-crf", "4"))  # fmt: skip
    write_last_frame(clip, tmp_path / "last.png")
    with Image.open(tmp_path / "last.png") as picture:
        luma = picture.convert("L").getpixel((64, 36))
    assert isinstance(luma, int)
    assert abs(luma - (4 * 46 * 255 / 219)) <= 4
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".png"] == ["last.png"]


def opened(picture: bytes) -> Image.Image:
    return Image.open(io.BytesIO(picture)).convert("RGB")


def test_a_thumbnail_shows_the_clip_and_is_small(tmp_path: Path) -> None:
    clip, other = (film(tmp_path / f"{seed}.mp4", scene(seed)) for seed in (1, 2))
    picture = thumbnail(clip, 112)
    assert opened(picture).size == (112, 63) and len(picture) < 5000
    again, different = thumbnail(clip, 112), thumbnail(other, 112)
    assert again == picture
    assert sum(ImageStat.Stat(ImageChops.difference(opened(picture), opened(different))).mean) > 10


def test_a_thumbnail_is_the_last_keyframe_before_the_middle(tmp_path: Path) -> None:
    twofold = film(tmp_path / "two.mp4", scene(1), scene(2), options=("-force_key_frames", "expr:gte(n,n_forced*30)"))
    second = film(tmp_path / "second.mp4", scene(2))
    difference = ImageChops.difference(opened(thumbnail(twofold, 112)), opened(thumbnail(second, 112)))
    assert sum(ImageStat.Stat(difference).mean) < 10


def test_a_file_that_is_not_a_clip_has_no_thumbnail(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no clip")
    with pytest.raises(MediaError):
        thumbnail(tmp_path / "clip.mp4", 112)


@pytest.mark.parametrize(
    ("size", "expected"), [("128x72", (640, 360)), ("640x400", (640, 400)), ("2880x200", (2560, 178))]
)
def test_a_last_frame_can_be_sent_whatever_the_size_of_its_clip(
    tmp_path: Path, size: str, expected: tuple[int, int]
) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=1, size=size, sound=None)
    write_last_frame(clip, tmp_path / "last.png", sides=(360, 2560))
    with Image.open(tmp_path / "last.png") as picture:
        assert picture.size == expected
