"""Graded clips: where the grade comes among all that is done to a picture, and what it leaves as it was."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import ImageChops, ImageStat

from storyreel.specs.cut import EditPoints
from storyreel.specs.language.grade import Grade
from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.conform import Conforming, HouseClip, conform_clip, conform_key
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.frames import first_frame
from storyreel.tasks.media.grading.grade import Grading
from storyreel.tasks.media.house_format import HouseFormat, house_signature
from storyreel.tasks.storage.digests import file_digest
from tests.tasks.generated_clips import TINY, lumas, make_clip, names

TAGGED = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
WHOLE = EditPoints(0, 6)
BRIGHTER = Grading(exposure=1)
INVERTED = "LUT_1D_SIZE 2\n1 1 1\n0 0 0\n"


async def _conform(clip: Path, into: Path, grading: Grading | None, house: HouseFormat = TINY,
                   edit: EditPoints = WHOLE, **how: Any) -> HouseClip:  # fmt: skip
    return await conform_clip(clip, Conforming(edit, house, grading=grading, **how), into=into)


def _grey(into: Path, code: int, **how: object) -> Path:
    """A clip of one luma, in house format."""
    how = {"frames": 6, "filters": f"geq=lum={code}:cb=128:cr=128,{TAGGED}", "options": ("-crf", "4")} | how
    return make_clip(into, picture="color=black", **how)  # type: ignore[arg-type]


def _inverting(folder: Path) -> Grading:
    file = folder / "invert.cube"
    file.write_text(INVERTED)
    return Grading.of(Grade(lut=file.name), file, file_digest(file))


def _pixel(clip: HouseClip, x: int = 64, y: int = 36) -> tuple[int, ...]:
    found = first_frame(clip.picture).convert("RGB").getpixel((x, y))
    assert isinstance(found, tuple)
    return found


async def test_a_clip_that_would_be_copied_is_encoded_and_what_it_is_made_of_stays(tmp_path: Path) -> None:
    take = _grey(tmp_path / "a.mp4", 100)
    before = take.read_bytes()
    plain = await _conform(take, tmp_path / "plain", None)
    graded = await _conform(take, tmp_path / "graded", BRIGHTER)
    assert plain.untouched and not graded.untouched and take.read_bytes() == before
    assert graded.signature == await house_signature(TINY) and graded.frames == 6
    assert graded.sound_digest == plain.sound_digest, "the sound is the same"
    assert names(tmp_path / "graded") == ["picture.mp4", "piece.json", "sound.s16"]
    # Luma 100 is 0.3836 of the signal, 0.1615 of the light; twice that has the signal 0.5613.
    assert abs(_pixel(plain)[1] - 98) <= 1 and abs(_pixel(graded)[1] - 143) <= 1
    again = await _conform(take, tmp_path / "again", BRIGHTER)
    assert again.picture_digest == graded.picture_digest, "equal input, equal bytes"


def test_a_key_is_another_only_where_a_grade_is_written() -> None:
    def key(grading: Grading | None, **how: bool) -> str:
        return conform_key("clip", Conforming(EditPoints(0, 6), TINY, grading=grading, **how), "9")

    # By the version before grades.
    assert key(None) == conform_key("clip", Conforming(EditPoints(0, 6), TINY), "9")
    grades = [None, BRIGHTER, Grading(contrast=2), Grading(lut=Path("a"), lut_digest="1")]
    keys = {key(each, is_draft=is_draft) for each in grades for is_draft in (False, True)}
    assert len(keys) == 2 * len(grades)


async def test_fades_go_to_black_whatever_the_grade_makes_of_black(tmp_path: Path) -> None:
    take = _grey(tmp_path / "a.mp4", 60, frames=12)
    edit = EditPoints(0, 12, fade_in=4, fade_out=4)
    shown = lumas((await _conform(take, tmp_path / "made", _inverting(tmp_path), edit=edit)).picture)
    assert shown[0] < 20 and shown[-1] < 20, "the table alone would make them white"
    assert min(shown[4:8]) > 180
    assert shown[:4] == sorted(shown[:4]) and shown[8:] == sorted(shown[8:], reverse=True)


async def test_bars_beside_the_picture_stay_black(tmp_path: Path) -> None:
    take = _grey(tmp_path / "a.mp4", 60, size="72x128")
    made = await _conform(take, tmp_path / "made", _inverting(tmp_path))
    assert _pixel(made)[1] > 180 and max(_pixel(made, 4)) < 3 and max(_pixel(made, 124)) < 3


async def test_the_mark_of_a_draft_is_not_graded(tmp_path: Path) -> None:
    house = HouseFormat(width=480, height=270, rate=FrameRate(Fraction(24)))
    take = _grey(tmp_path / "a.mp4", 60, size="480x270")
    dark = Grading(exposure=-4)
    made = first_frame((await _conform(take, tmp_path / "made", dark, house, is_draft=True)).picture).convert("L")
    assert made.getextrema()[1] > 200, "its letters are white"
    assert made.crop((0, 100, 480, 270)).getextrema()[1] < 30, "and the picture is dark"


@pytest.mark.parametrize("size", [(130, 74), (226, 128), (120, 68)])
async def test_a_table_is_right_to_the_edges_in_any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    """ffmpeg's `lut3d` handles several pixels at once, also beyond the end of a line."""
    file = tmp_path / "invert.cube"
    file.write_text("LUT_3D_SIZE 2\n1 1 1\n0 1 1\n1 0 1\n0 0 1\n1 1 0\n0 1 0\n1 0 0\n0 0 0\n")
    take = _grey(tmp_path / "a.mp4", 60, size=f"{size[0]}x{size[1]}", frames=2)
    house = HouseFormat(width=size[0], height=size[1], rate=FrameRate(Fraction(24)))
    grading = Grading.of(Grade(lut=file.name), file, file_digest(file))
    made = await _conform(take, tmp_path / "made", grading, house, edit=EditPoints(0, 2))
    darkest, brightest = first_frame(made.picture).convert("L").getextrema()
    assert 200 < darkest <= brightest < 208  # type: ignore[operator]


async def test_a_foreign_picture_is_converted_and_then_graded(tmp_path: Path) -> None:
    """10 bits and HLG: the grade of what it is converted to, not of its own signal."""
    bars = "eq=saturation=0.5,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p," + TAGGED
    foreign = f"{bars},zscale=t=arib-std-b67:p=bt2020:m=bt2020nc:r=tv:npl=203,format=yuv420p10le"
    options = ("-c:v", "libx265", "-x265-params", "log-level=error:lossless=1", "-pix_fmt", "yuv420p10le")
    take = make_clip(tmp_path / "a.mkv", frames=2, picture="smptebars", sound=None, filters=foreign, options=options)
    plain = make_clip(tmp_path / "b.mp4", frames=2, picture="smptebars", sound=None, filters=bars,
                      options=("-crf", "1"))  # fmt: skip
    grading = Grading(exposure=-1, saturation=0.5)
    made, wanted = [
        first_frame((await _conform(each, tmp_path / each.stem, grading, edit=EditPoints(0, 2))).picture).convert("RGB")
        for each in (take, plain)
    ]
    apart = ImageStat.Stat(ImageChops.difference(made, wanted)).mean
    assert max(apart) < 4, apart


async def test_a_table_that_is_changed_while_the_film_is_made_stops_its_shot(tmp_path: Path) -> None:
    grading = _inverting(tmp_path)
    (tmp_path / "invert.cube").write_text(INVERTED.replace("1 1 1", "1 1 0.5"))
    with pytest.raises(MediaError, match="was changed after the film was planned"):
        await _conform(_grey(tmp_path / "a.mp4", 60), tmp_path / "made", grading)


async def test_a_table_with_an_odd_name_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "it's, a [look]; 100% : x=y"
    folder.mkdir()
    made = await _conform(_grey(tmp_path / "a.mp4", 60), folder / "made", _inverting(folder))
    assert _pixel(made)[1] > 180
