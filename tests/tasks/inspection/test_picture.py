"""A still is decoded whole, and only what is certainly wrong with it is found."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from storyreel.specs.storyboard import Mode
from storyreel.tasks.inspection.inspect import Inspection, Wanted, best_take, inspect_clip, inspection_key
from storyreel.tasks.inspection.picture import examine_picture
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.providers.request import Request
from storyreel.tasks.strips import strip_jpeg
from tests.tasks.generated_scenes import scene
from tests.tasks.providers.hosted_services import SERVICES, request

SIZE = (384, 216)


def ordered(**changes: Any) -> Request:
    of = request(SERVICES["dashscope"], width=SIZE[0], height=SIZE[1], first_frame=None, **changes)
    return of.model_copy(update={"mode": Mode.STILL, "seconds": Fraction(0)})


def saved(tmp_path: Path, picture: Image.Image, form: str = "PNG", **how: Any) -> Path:
    picture.save(file := tmp_path / f"picture.{form.lower()}", form, **how)
    return file


def inspected(file: Path) -> Inspection:
    return asyncio.run(inspect_clip(file, ordered(), Wanted()))


@pytest.mark.parametrize(
    ("size", "is_right"),
    [(SIZE, True), ((400, 216), True), ((768, 432), True), ((340, 192), True), ((216, 384), False), ((320, 240), False),
     ((300, 169), False)],
)  # fmt: skip
def test_a_still_has_its_shape_and_is_not_much_smaller(tmp_path: Path, size: tuple[int, int], is_right: bool) -> None:
    found = inspected(saved(tmp_path, scene(1, size)))
    details = [] if is_right else [f"{size[0]}×{size[1]} instead of 384×216"]
    assert [finding.detail for finding in found.findings] == details
    assert (found.width, found.height, found.frames, found.seconds) == (*size, 1, 0)


def test_a_still_is_measured_as_it_is_displayed(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    file = saved(tmp_path, scene(1, SIZE[::-1]), "JPEG", exif=turned)
    assert not inspected(file).findings


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_still_of_one_colour_is_blank_and_one_light_in_the_dark_is_not(tmp_path: Path, form: str) -> None:
    night = Image.new("RGB", SIZE, (9, 9, 12))
    assert [finding.what for finding in inspected(saved(tmp_path, night, form)).findings] == ["blank"]
    ImageDraw.Draw(night).ellipse((100, 100, 103, 103), fill="white")
    assert not inspected(saved(tmp_path, night, form)).findings


@pytest.mark.parametrize(("form", "usable"), [("PNG", False), ("JPEG", True)])
def test_a_still_that_is_cut_short_is_not_whole_and_is_used_if_a_part_can_be_decoded(
    tmp_path: Path, form: str, usable: bool
) -> None:
    file = saved(tmp_path, scene(1, SIZE), form)
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    with pytest.raises(MediaError, match=r"^the picture is damaged: "):
        examine_picture(file, "the picture")
    if usable:
        assert [finding.what for finding in inspected(file).findings] == ["damage"]
    else:
        with pytest.raises(MediaError):
            inspected(file)


def test_a_file_that_is_no_picture_is_none(tmp_path: Path) -> None:
    file = tmp_path / "page.png"
    file.write_text("<html>the link has expired</html>")
    with pytest.raises(MediaError, match="the still cannot be read as a picture"):
        examine_picture(file, "the still")
    with pytest.raises(MediaError):
        inspected(file)


def test_of_several_stills_the_one_without_a_finding_is_best(tmp_path: Path) -> None:
    good = inspected(saved(tmp_path, scene(1, SIZE)))
    blank = inspected(saved(tmp_path, Image.new("RGB", SIZE)))
    wrong = inspected(saved(tmp_path, scene(1, (216, 384))))
    assert best_take([good, blank, wrong]) == 0


def test_findings_of_a_still_are_kept_apart_from_those_of_a_clip() -> None:
    still = ordered()
    clip = still.model_copy(update={"mode": Mode.TEXT})
    wide = still.model_copy(update={"width": 10})
    assert len({inspection_key(each, Wanted()) for each in (still, clip, wide)}) == 3


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_the_strip_of_a_still_is_its_picture(tmp_path: Path, form: str) -> None:
    file = saved(tmp_path, scene(1, (960, 540)), form).rename(tmp_path / f"digest{'.png' if form == 'PNG' else '.jpg'}")
    for _ in ("drawn", "kept"):
        shown = tmp_path / "shown.jpg"
        shown.write_bytes(strip_jpeg(file, tmp_path / "house", 96, 100_000))
        with Image.open(shown) as picture:
            assert picture.size == (192, 108)
    assert file.stat().st_size > 20_000, "the picture itself is left as it is"
