"""Clips in a film of another shape: what is kept, what is beside it, and what stays as it was."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from storyreel.specs.cut import EditPoints
from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.conform import Conforming, conform_clip, conform_key
from storyreel.tasks.join.dissolve import dissolve_clips
from storyreel.tasks.media.frames import first_frame
from storyreel.tasks.media.grading.grade import Grading
from storyreel.tasks.media.house_format import HouseFormat, house_signature
from storyreel.tasks.media.shape.framing import BARS, Framing
from tests.tasks.generated_clips import TINY, lumas, make_clip

TALL = HouseFormat(width=72, height=128, rate=FrameRate(Fraction(24)))
SQUARE = HouseFormat(width=96, height=96, rate=FrameRate(Fraction(24)))
CENTRE, BLUR = Framing(how="crop"), Framing(how="blur")
WHOLE = EditPoints(0, 6)
TAGGED = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
RAMP = f"geq=lum='40+150*X/W+40*Y/H':cb=128:cr=128,{TAGGED}"
"""Brighter from left to right, and a little from above to below."""


def _ramp(into: Path, **how: object) -> Path:
    how = {"frames": 6, "picture": "color=black", "filters": RAMP, "options": ("-crf", "4")} | how
    return make_clip(into, **how)  # type: ignore[arg-type]


async def _framed(clip: Path, into: Path, framing: Framing, house: HouseFormat = TALL, **more: Any) -> Image.Image:
    accept = await house_signature(house)
    how = Conforming(WHOLE, house, keep_sound=False, accept=accept, framing=framing)._replace(**more)
    made = await conform_clip(clip, how, into=into)
    assert made.signature == accept and made.frames == how.edit.total
    return first_frame(made.picture).convert("L")


def _luma(x: float, y: float = 0.5) -> float:
    """The brightness of `_ramp` there, as it is shown."""
    return (24 + 150 * x + 40 * y) * 255 / 219


def _at(picture: Image.Image, x: float, y: float = 0.5) -> int:
    found = picture.getpixel(
        (min(int(x * picture.width), picture.width - 1), min(int(y * picture.height), picture.height - 1))
    )
    assert isinstance(found, int)
    return found


def test_a_key_is_another_only_where_the_picture_is(tmp_path: Path) -> None:
    def key(**how: Framing) -> str:
        return conform_key("clip", Conforming(WHOLE, TINY, **how), "9")

    assert key() == "73b17537fd843a61b4f050f5be794ec6d017388a655e85801f68bbe40ab0864f"
    assert key() == key(framing=BARS) == key(framing=Framing(how="bars", x=0.1)), "as by the version before"
    framings = [BARS, CENTRE, BLUR, Framing(how="crop", x=0.4), Framing(how="crop", y=0.4)]
    assert len({key(framing=each) for each in framings}) == len(framings)


@pytest.mark.parametrize(
    ("x", "left", "right"), [(0.5, 0.342, 0.658), (0.0, 0, 0.316), (0.4, 0.242, 0.558), (1, 0.684, 1)]
)
async def test_what_is_around_the_point_is_kept_as_far_as_the_picture_reaches(
    tmp_path: Path, x: float, left: float, right: float
) -> None:
    picture = await _framed(_ramp(tmp_path / "a.mp4"), tmp_path / "made", Framing(how="crop", x=x))
    assert picture.size == (72, 128)
    for at, shown in ((0.01, left), (0.99, right)):
        assert abs(_at(picture, at) - _luma(shown)) < 6
    assert abs(_at(picture, 0.5, 0.02) - _luma((left + right) / 2, 0.02)) < 5, "from the upper edge"
    assert abs(_at(picture, 0.5, 0.98) - _luma((left + right) / 2, 0.98)) < 5, "to the lower one"


@pytest.mark.parametrize(("size", "options"), [
    ("72x128", ()), ("128x96", ("-aspect", "64:27")), ("150x50", ()),
    ("127x73", ("-pix_fmt", "yuv444p")),
])  # fmt: skip
async def test_a_clip_of_any_ratio_fills_a_frame_of_any_ratio(
    tmp_path: Path, size: str, options: tuple[str, ...]
) -> None:
    clip = _ramp(tmp_path / "a.mp4", size=size, options=("-crf", "4", *options))
    for house in (TALL, TINY):
        into = tmp_path / f"{house.width}"
        picture = await _framed(clip, into, CENTRE, house)
        darkest, brightest = picture.getextrema()
        assert darkest > 24 and brightest < 253, "no bar is in it"  # type: ignore[operator]
        assert abs(_at(picture, 0.5) - _luma(0.5)) < 5, "its middle is that of the clip"


@pytest.mark.parametrize(
    ("size", "house"),
    [
        ("128x72", TALL),
        ("72x128", TINY),
        ("128x72", SQUARE),
        ("128x72", HouseFormat(width=96, height=96, rate=FrameRate(Fraction(24)), codec="prores-422-hq")),
    ],
)
async def test_a_whole_picture_is_between_itself_out_of_focus_and_darker(
    tmp_path: Path, size: str, house: HouseFormat
) -> None:
    clip = _ramp(tmp_path / "a.mp4", size=size)
    blurred = await _framed(clip, tmp_path / "blur", BLUR, house)
    barred = await _framed(clip, tmp_path / "bars", BARS, house)
    is_wide = Fraction(*map(int, size.split("x"))) > Fraction(house.width, house.height)
    for n in range(1, 10):
        x, y = (n / 10, 0.5) if is_wide else (0.5, n / 10)
        assert abs(_at(blurred, x, y) - _at(barred, x, y)) < 4, "the picture itself is where it would be between bars"
    for edge in (0.03, 0.97):
        x, y = (0.5, edge) if is_wide else (edge, 0.5)
        assert 12 < _at(blurred, x, y) < _luma(0.9) * 0.7 and _at(barred, x, y) < 4


async def test_a_grade_changes_the_sides_as_well_and_the_clip_is_not_changed(tmp_path: Path) -> None:
    clip = _ramp(tmp_path / "a.mp4")
    before = clip.read_bytes()
    plain = await _framed(clip, tmp_path / "plain", BLUR)
    dark = await _framed(clip, tmp_path / "dark", BLUR, grading=Grading(exposure=-3))
    for y in (0.03, 0.5, 0.97):
        assert _at(dark, 0.5, y) < _at(plain, 0.5, y) * 0.6
    assert clip.read_bytes() == before


async def test_equal_input_gives_equal_bytes_and_a_clip_of_the_frames_shape_is_as_without_framing(
    tmp_path: Path,
) -> None:
    wide = _ramp(tmp_path / "a.mp4")
    for framing in (CENTRE, BLUR):
        how = Conforming(WHOLE, TALL, framing=framing)
        made = [await conform_clip(wide, how, into=tmp_path / f"{framing.how}{n}") for n in range(2)]
        assert made[0].picture_digest == made[1].picture_digest
        kept = await conform_clip(wide, how._replace(house=TINY), into=tmp_path / f"own-{framing.how}")
        assert kept.untouched


async def test_fades_and_held_frames_and_dissolves_are_those_of_the_framed_picture(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=12, picture="color=white", options=("-crf", "4"))
    before = Conforming(EditPoints(0, 12, fade_in=4, hold_tail=2, join_out=4), TALL, keep_sound=False, framing=BLUR)
    out = await conform_clip(clip, before, into=tmp_path / "a")
    after = Conforming(EditPoints(0, 12, join_in=4), TALL, keep_sound=False, framing=CENTRE)
    into = await conform_clip(clip, after, into=tmp_path / "b")
    shown = lumas(out.picture)
    assert len(shown) == 14 and shown[0] < 20 and shown[:4] == sorted(shown[:4]), "the sides fade, too"
    assert max(shown[4:]) - min(shown[4:]) < 2
    mixed = lumas((await dissolve_clips(out, into, 4, TALL, into=tmp_path / "d")).picture)
    assert len(mixed) == 4 and mixed == sorted(mixed) and shown[-1] < mixed[0] and mixed[-1] < lumas(into.picture)[0]
