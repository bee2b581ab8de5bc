"""Whatever is given as a picture is shown rightly, or refused with its name."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageCms, ImageStat

from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.frames import first_frame
from storyreel.tasks.media.shape.orientation import turned_image
from storyreel.tasks.media.stills import blurred_backdrop, cover, open_still
from storyreel.tasks.providers.animatic.page import lay_out
from storyreel.tasks.providers.errors import Terminal
from tests.tasks.generated_clips import ffmpeg, make_clip
from tests.tasks.odd_clips import oriented
from tests.tasks.providers.animatic.drawing import (
    attachment,
    board_of,
    difference,
    drawn,
    frames_of,
    landscape,
    request,
)

NEAR = (1280, 720)


def mean(image: Image.Image) -> tuple[int, ...]:
    return tuple(round(level) for level in ImageStat.Stat(image).mean)


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def hostile(kind: str, path: Path) -> Path:
    whole = landscape(path.with_name("whole.png")).read_bytes()
    content = {
        "truncated": whole[: len(whole) // 2],
        "header only": whole[:30],
        "text": b"This is no picture.\n",
        "empty": b"",
        "web page": b"<!doctype html><html><body>404</body></html>",
        "bomb": png_that_claims(60_000, 60_000),
        "large": png_that_claims(12_000, 7_000),
    }
    path.write_bytes(content[kind])
    return path


KINDS = ("truncated", "header only", "text", "empty", "web page", "bomb", "large")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_picture_that_cannot_be_used_is_named_with_what_to_do(kind: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(Terminal, match=r"1A: .*board\.png") as refused:
        await drawn(request(first=hostile(kind, tmp_path / "board.png")), tmp_path / "out" / "clip.mp4")
    assert refused.value.__dict__["hint"]
    assert list((tmp_path / "out").iterdir()) == []


async def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(Terminal, match=r"board\.png does not exist"):
        await drawn(request(first=tmp_path / "board.png"), tmp_path / "clip.mp4")


async def test_a_reference_video_that_is_none_is_named(tmp_path: Path) -> None:
    walk = tmp_path / "walk.mp4"
    walk.write_text("<html>")
    with pytest.raises(Terminal, match=r"walk\.mp4"):
        await drawn(request(references=[attachment(walk, "video")]), tmp_path / "clip.mp4")


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_and_mirrored_as_its_exif_says(tmp_path: Path, kind: str, orientation: int) -> None:
    picture = Image.new("RGB", (160, 80), "black")
    for colour, box in {"white": (0, 0, 80, 40), "red": (80, 0, 160, 40), "blue": (0, 40, 80, 80)}.items():
        picture.paste(colour, box)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / f"a.{kind}", exif=exif, quality=95)
    still, seen = open_still(tmp_path / f"a.{kind}", NEAR), turned_image(picture, orientation)
    assert still.size == seen.size
    assert difference(still, seen) < 5


_BARS = "eq=saturation=0.5,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p," \
        "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"  # fmt: skip
_HLG = f"{_BARS},zscale=t=arib-std-b67:p=bt2020:m=bt2020nc:npl=203,format=yuv420p10le"
_X265 = ("-c:v", "libx265", "-x265-params", "log-level=error:lossless=1", "-pix_fmt", "yuv420p10le")


@pytest.mark.parametrize("kind", ["png", "avif"])
def test_a_picture_of_high_dynamic_range_is_converted(tmp_path: Path, kind: str) -> None:
    plain = make_clip(tmp_path / "plain.mp4", frames=1, size="320x180", picture="smptebars", sound=None, filters=_BARS)
    codec = ("-c:v", "png", "-pix_fmt", "rgb48be") if kind == "png" else ("-c:v", "libsvtav1", "-crf", "5")
    numbers = "zscale=m=gbr:r=pc,format=gbrp16le,format=rgb48be" if kind == "png" else "null"
    ffmpeg("-f", "lavfi", "-i", "smptebars=size=320x180", "-frames:v", "1", "-vf", f"{_HLG},{numbers}", *codec,
           tmp_path / f"a.{kind}")  # fmt: skip
    assert difference(open_still(tmp_path / f"a.{kind}", NEAR), first_frame(plain)) < 4


@pytest.mark.parametrize("kind", ["mirrored", "HLG"])
async def test_a_reference_video_is_as_its_viewer_sees_it(tmp_path: Path, kind: str) -> None:
    plain = make_clip(tmp_path / "plain.mp4", frames=6, size="640x360", picture="smptebars", filters=_BARS)
    odd = tmp_path / "odd.mp4"
    if kind == "HLG":
        make_clip(odd, frames=6, size="640x360", picture="smptebars", filters=_HLG, options=_X265)
    else:
        flipped = make_clip(tmp_path / "f.mp4", frames=6, size="640x360", picture="smptebars", filters=f"{_BARS},vflip")
        oriented(flipped, odd, 4)
    shown = []
    for video in (plain, odd):
        clip = await drawn(request(frames=6, references=[attachment(video, "video")]), video.with_suffix(".clip.mp4"))
        shown.append(frames_of(clip)[-1].crop((200, 100, 1000, 500)))
    assert difference(*shown) < 4


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I"])
def test_every_kind_of_picture_keeps_its_brightness(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    if mode in ("I;16", "I"):
        Image.new("I;16", (64, 64), 128 * 257).save(path)
        wanted = 128
    elif mode == "1":
        Image.new("1", (64, 64), 1).save(path)
        wanted = 255
    else:
        Image.new("RGB", (64, 64), (128, 128, 128)).convert(mode).save(path)
        wanted = 128
    still = open_still(path, NEAR)
    assert still.mode in ("RGB", "RGBA")
    assert all(abs(level - wanted) <= 2 for level in mean(still.convert("RGB")))


def test_the_first_picture_of_an_animation_is_taken(tmp_path: Path) -> None:
    red, blue = (Image.new("RGB", (32, 32), colour) for colour in ("red", "blue"))
    for ending in ("webp", "png"):
        red.save(tmp_path / f"a.{ending}", save_all=True, append_images=[blue], duration=100)
        assert mean(open_still(tmp_path / f"a.{ending}", NEAR).convert("RGB"))[0] > 240


def test_a_broken_colour_profile_is_passed_over_and_a_good_one_is_obeyed(tmp_path: Path) -> None:
    picture = Image.new("RGB", (32, 32), (200, 50, 20))
    picture.save(tmp_path / "broken.png", icc_profile=b"nonsense")
    assert mean(open_still(tmp_path / "broken.png", NEAR)) == (200, 50, 20)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    picture.save(tmp_path / "good.png", icc_profile=lab.tobytes())
    assert all(
        abs(a - b) <= 2 for a, b in zip(mean(open_still(tmp_path / "good.png", NEAR)), (200, 50, 20), strict=True)
    )


def test_a_picture_far_larger_than_the_frame_is_made_smaller_when_read(tmp_path: Path) -> None:
    Image.new("RGB", (6000, 4000), "red").save(tmp_path / "a.jpg")
    still = open_still(tmp_path / "a.jpg", (320, 180))
    assert still.width <= 960 and abs(still.width / still.height - 1.5) < 0.01


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
async def test_a_picture_of_an_impossible_shape_is_drawn_all_the_same(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("RGB", size, "red").save(tmp_path / "line.png")
    for ordered in (
        request(first=tmp_path / "line.png", frames=2, camera="push in"),
        request(references=[attachment(tmp_path / "line.png")], frames=2, camera="tilt up"),
    ):
        assert len(frames_of(await drawn(ordered, tmp_path / "clip.mp4"))) == 2


def test_holes_in_a_picture_show_a_dark_ground(tmp_path: Path) -> None:
    Image.new("RGBA", (1280, 720), (255, 255, 255, 0)).save(tmp_path / "glass.png")
    ordered = request(first=tmp_path / "glass.png")
    assert max(mean(lay_out(ordered, board_of(ordered)).panes[0].stage)) < 60


def test_the_first_frame_goes_before_references_and_a_reference_before_the_next(tmp_path: Path) -> None:
    for colour in ("red", "lime", "blue"):
        Image.new("RGB", (1280, 720), colour).save(tmp_path / f"{colour}.png")
    references = [attachment(tmp_path / "lime.png", subject="mira"), attachment(tmp_path / "blue.png", subject="room")]
    for first, wanted in ((tmp_path / "red.png", (255, 0, 0)), (None, (0, 255, 0))):
        ordered = request(first=first, references=references)
        assert mean(lay_out(ordered, board_of(ordered)).panes[0].stage) == wanted


def test_a_remote_reference_is_named_on_the_card_and_never_fetched(tmp_path: Path) -> None:
    far = attachment("https://pictures.invalid/mira.png?token=secret", subject="mira")
    with_note, without = request(references=[far]), request()
    cards = [lay_out(ordered, board_of(ordered)) for ordered in (with_note, without)]
    assert [len(card.panes) for card in cards] == [1, 1]
    assert cards[0].panes[0].picture is None
    assert difference(*(card.layers[1].getchannel("A") for card in cards)) > 0


def test_a_first_frame_that_is_not_made_yet_gives_way_to_the_references(tmp_path: Path) -> None:
    landscape(tmp_path / "room.png")
    first = attachment("").model_copy(update={"digest": "take:0"})
    ordered = request(references=[attachment(tmp_path / "room.png")]).model_copy(update={"first_frame": first})
    page = lay_out(ordered, board_of(ordered))
    assert page.panes[0].picture is not None


def test_a_portrait_is_shown_whole_beside_the_action_and_everybody_has_one(tmp_path: Path) -> None:
    for name in ("mira", "tom"):
        landscape(tmp_path / f"{name}.png", (300, 500))
    people = [attachment(tmp_path / f"{name}.png", subject=name) for name in ("mira", "mira", "tom")]
    ordered = request(references=people, camera="static")
    ground, *panes = lay_out(ordered, board_of(ordered)).panes
    assert (ground.camera.width, ground.camera.height) == (1280, 720)
    assert len(panes) == 2
    for pane in panes:
        assert abs(pane.camera.width / pane.camera.height - 0.6) < 0.02
        assert pane.x % 2 == 0 and pane.y % 2 == 0
        assert pane.x >= 64 and pane.x + pane.camera.width <= 1216


def test_a_panorama_is_panned_over_what_it_really_has(tmp_path: Path) -> None:
    landscape(tmp_path / "wide.png", (2600, 720))
    landscape(tmp_path / "board.png", (1280, 720))
    travels = []
    for name in ("wide.png", "board.png"):
        ordered = request(first=tmp_path / name, camera="pan right")
        camera = lay_out(ordered, board_of(ordered)).panes[0].camera
        travels.append((camera.end.x - camera.start.x) / camera.start.width)
    assert travels == pytest.approx([0.6, 0.2], abs=0.01)


async def test_a_video_plays_and_begins_again(tmp_path: Path) -> None:
    walk = make_clip(tmp_path / "walk.mp4", frames=6, size="640x360")
    played = [frame.resize((1280, 720)).crop((200, 200, 1000, 560)) for frame in frames_of(walk)]
    clip = await drawn(request(frames=14, references=[attachment(walk, "video")]), tmp_path / "clip.mp4")
    shown = [frame.crop((200, 200, 1000, 560)) for frame in frames_of(clip)]
    nearest = [min(range(6), key=lambda n: difference(played[n], frame)) for frame in shown]
    assert nearest == [n % 6 for n in range(14)]


def test_a_tall_picture_is_cropped_more_at_its_foot_than_at_its_head() -> None:
    still = Image.new("RGB", (100, 300), "blue")
    still.paste("red", (0, 0, 100, 100))
    cropped = cover(still, 100, 100, upward=0.3)
    assert cropped.size == (100, 100)
    assert cropped.getpixel((50, 5)) == (255, 0, 0) and cropped.getpixel((50, 95)) == (0, 0, 255)


def test_a_blurred_ground_is_darker_and_has_no_detail(tmp_path: Path) -> None:
    still = open_still(landscape(tmp_path / "a.png"), NEAR)
    ground = blurred_backdrop(still, 640, 360, light=0.4)
    assert ImageStat.Stat(ground.convert("L")).mean[0] < ImageStat.Stat(still.convert("L")).mean[0] / 2
    shift = difference(ground.crop((0, 0, 636, 360)), ground.crop((4, 0, 640, 360)))
    assert shift < 2


def test_an_unreadable_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=tmp_path.name):
        open_still(tmp_path, NEAR)
