"""Frames of a clip as pictures: the last one exactly, and a strip of the first, the middle and the last."""

from __future__ import annotations

import io
from pathlib import Path

import av
import pytest
from PIL import Image

from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.frames import jpeg_within, strip, write_last_frame
from tests.tasks.generated_clips import make_clip
from tests.tasks.generated_scenes import scene

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


def lumas_of(picture: Image.Image) -> list[int]:
    """The brightness in the middle of each frame of a strip."""
    panel = (picture.width + 2) / 3
    grey = picture.convert("L")
    return [int(grey.getpixel((round(panel * (n + 0.5)), grey.height // 2))) for n in range(3)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [("-g", "250"), ("-g", "5"), ("-g", "20", "-bf", "3"), ("-movflags", "frag_keyframe+empty_moov", "-g", "12")],
    ids=["one keyframe", "many keyframes", "some, with B-frames", "in fragments"],
)
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "h264"])
def test_a_strip_has_the_first_the_middle_and_the_last_frame(
    tmp_path: Path, options: tuple[str, ...], suffix: str
) -> None:
    """Also of files that do not say how long they are, or that cannot be searched."""
    if suffix != "mp4":
        options = tuple(each for each in options if each not in ("-movflags", "frag_keyframe+empty_moov"))
    clip = make_clip(tmp_path / f"a.{suffix}", frames=47, picture="color=black", sound=None,
                     filters="geq=lum='16+4*N':cb=128:cr=128", options=("-crf", "4", *options))  # fmt: skip
    picture = strip(clip, 64)
    assert picture.size == (3 * 64 + 4, 36)
    for found, frame in zip(lumas_of(picture), (0, 23, 46), strict=True):
        assert abs(found - 4 * frame * 255 / 219) <= 2 * 4 * 255 / 219, (lumas_of(picture), frame)


def test_a_strip_of_a_clip_with_a_damaged_end_shows_what_can_be_decoded(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=48, sound=None, options=("-movflags", "faststart", "-g", "12"))
    content = clip.read_bytes()
    clip.write_bytes(content[: len(content) * 2 // 3])
    assert strip(clip, 64).size == (196, 36)


def test_a_strip_of_a_single_frame_shows_it_three_times_and_upright_clips_stay_upright(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=1, size="72x128", sound=None)
    picture = strip(clip, 64)
    assert picture.size == (3 * 36 + 4, 64)
    assert len(set(lumas_of(picture))) == 1


def test_a_file_that_is_not_a_clip_has_no_strip(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no clip")
    with pytest.raises(MediaError):
        strip(tmp_path / "clip.mp4", 64)


@pytest.mark.parametrize("most", [100_000, 9_000, 2_000, 900])
def test_a_picture_is_made_as_small_as_it_must_be_and_no_smaller_than_it_need_be(most: int) -> None:
    picture = scene(1, (720, 135))
    made = jpeg_within(picture, most)
    with Image.open(io.BytesIO(made)) as opened:
        assert opened.format == "JPEG" and len(made) <= most
        assert abs(opened.width / opened.height - 720 / 135) < 0.4
    assert len(made) > most // 2 or opened.width == 720


def test_no_picture_is_made_where_there_is_no_room_for_one() -> None:
    assert jpeg_within(scene(1, (720, 135)), 100) == b""


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
