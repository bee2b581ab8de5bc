"""A still shows what the clip of its shot begins or ends with, and no words of a shot that has pictures; a sheet shows
whom or what it is of."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.animatic.page import lay_out
from storyreel.tasks.providers.animatic.pictures import CARD, PICTURE, mark_of
from storyreel.tasks.providers.animatic.still import still_of
from storyreel.tasks.providers.request import Attachment, Request
from tests.tasks.generated_clips import make_clip
from tests.tasks.providers.animatic.drawing import (
    attachment,
    board_of,
    difference,
    drawn,
    frames_of,
    landscape,
    request,
)

MIDDLE = (200, 200, 1000, 560)
"""A part of the frame in 720p that no slate and no caption is on."""


def still(slate: str = "1A@still", **of: Any) -> Request:
    asked = request(slate=slate, frames=1, **of)
    return asked.model_copy(update={"mode": Mode.STILL, "seconds": Fraction(0)})


def shown(of: Request) -> Image.Image:
    return still_of(of, board_of(of)).image


def made(picture: Path, subject: str = "") -> Attachment:
    """The picture of another take, as it is when it is sent."""
    as_it_is = attachment(picture, subject=subject)
    return as_it_is.model_copy(update={"digest": "still:1", "frame_digest": as_it_is.content_digest})


def over(picture: Path, **of: Any) -> Request:
    """A clip that begins with a still."""
    return request(**of).model_copy(update={"first_frame": made(picture)})


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return landscape(tmp_path / "place.png", (1280, 720))


@pytest.fixture
def face(tmp_path: Path) -> Path:
    return landscape(tmp_path / "face.png", (400, 600))


@pytest.mark.parametrize(
    ("slate", "ratio"), [("1A@still", "9:16"), ("1A@last-still", "1:1"), ("mira@sheet", "16:9"), ("mira@sheet", "3:4")]
)
async def test_a_still_is_a_picture_of_the_size_that_is_asked_for_and_the_same_each_time(
    ratio: str, slate: str, face: Path, tmp_path: Path
) -> None:
    asked = still(slate, ratio=ratio, resolution="1080p", references=[attachment(face)], camera="push in")
    files = [await drawn(asked, tmp_path / name) for name in ("one.jpg", "other.jpg")]
    assert files[0].read_bytes() == files[1].read_bytes()
    with Image.open(files[0]) as picture:
        assert picture.size == (asked.width, asked.height)
        assert picture.format == "JPEG"


@pytest.mark.parametrize("move", ["static", "push in", "pan left"])
async def test_the_stills_of_a_shot_are_what_its_clip_begins_and_ends_with(
    move: str, place: Path, tmp_path: Path
) -> None:
    clip = frames_of(await drawn(request(references=[attachment(place)], camera=move), tmp_path / "clip.mp4"))
    for slate, frame in (("1A@still", clip[0]), ("1A@last-still", clip[-1])):
        picture = shown(still(slate, references=[attachment(place)], camera=move))
        assert difference(picture.crop(MIDDLE), frame.crop(MIDDLE)) < 4


async def test_a_clip_moves_over_its_still_and_says_what_happens_if_the_animatic_drew_it(
    place: Path, tmp_path: Path
) -> None:
    own = await drawn(still(references=[attachment(place)]), tmp_path / "own.jpg")
    assert mark_of(own) == PICTURE
    with Image.open(own) as picture:
        picture.save(tmp_path / "bought.png")
    going_on = over(tmp_path / "bought.png", continues=True)
    pages = [lay_out(asked, board_of(asked)) for asked in (over(own), over(tmp_path / "bought.png"), going_on)]
    words = (64, 560, 1216, 690)
    assert difference(*(page.panes[0].stage for page in pages[:2])) == 0
    written = [page.layers[-2].crop(words).getchannel("A").getbbox() for page in pages]
    assert written[0] and not written[1]
    assert written[2], "the end of the shot before does not show what happens in this one"
    frames = frames_of(await drawn(over(own, camera="pan right"), tmp_path / "clip.mp4"))
    assert difference(frames[0].crop(MIDDLE), frames[-1].crop(MIDDLE)) > 2


async def test_a_still_without_pictures_is_a_card_which_its_clip_draws_with_its_own_camera(tmp_path: Path) -> None:
    card = await drawn(still(camera="push in"), tmp_path / "card.jpg")
    assert mark_of(card) == CARD
    silent = shown(still(camera="push in", action="", place=""))
    assert difference(shown(still(camera="push in")), silent) > 0.1, "it tells what happens"
    clips = [await drawn(asked, tmp_path / f"{number}.mp4")
             for number, asked in enumerate((over(card, camera="push in"), request(camera="push in")))]  # fmt: skip
    assert clips[0].read_bytes() == clips[1].read_bytes()


def test_what_is_said_in_a_shot_is_not_in_its_still(place: Path) -> None:
    for references in ([], [attachment(place)]):
        silent, spoken = (
            still(references=references),
            still(references=references, dialogue=(("Mira", "Who's there?"),)),
        )
        assert difference(shown(silent), shown(spoken)) == 0


def test_of_several_people_each_is_seen_whole_and_the_place_is_behind_them(face: Path, place: Path) -> None:
    people = [attachment(face, subject=name) for name in ("mira", "tom")]
    picture = shown(still(references=[*people, attachment(place, subject="room")], size="close up"))
    with Image.open(face) as whole:
        faces = whole.convert("RGB")
    scale = picture.height * 0.9 / faces.height
    wide = round(faces.width * scale)
    gap = round(22 * picture.height / 720)
    left = (picture.width - 2 * wide - gap) // 2
    for x in (left, left + wide + gap):
        seen = picture.crop((x, 36, x + wide, 36 + round(faces.height * scale)))
        assert difference(seen, faces.resize(seen.size)) < 14
    edge = (0, 0, 200, 720)
    with Image.open(place) as behind:
        darker = behind.convert("RGB").point(lambda level: int(level * 0.72))
    assert difference(picture.crop(edge), darker.crop(edge)) < 6
    assert difference(picture.crop(edge), darker.transpose(Image.Transpose.ROTATE_180).crop(edge)) > 20
    wide = shown(still(references=[*people, attachment(place, subject="room")], size="wide"))
    above = (250, 40, 1030, 190)
    assert difference(wide.crop(above), darker.crop(above)) < 6, "smaller, the wider the shot"
    assert difference(picture.crop(above), darker.crop(above)) > 12


def test_a_sheet_tells_the_name_and_the_description_beside_every_picture(
    face: Path, place: Path, tmp_path: Path
) -> None:
    walk = make_clip(tmp_path / "walk.mp4", frames=6, size="640x360", picture="smptebars")
    pictures = [attachment(face, subject="mira"), attachment(place, subject="mira"),
                attachment(walk, "video", subject="mira")]  # fmt: skip
    sheet = still("mira@sheet", references=pictures, place="Mira", action="grey braid")
    whole = shown(sheet)
    for number in range(3):
        fewer = sheet.model_copy(update={"references": tuple(pictures[:number] + pictures[number + 1 :])})
        assert difference(whole, shown(fewer)) > 4
    words = (64, 36, 400, 684)
    for changed in ({"place": "Tom"}, {"action": "knitted cap"}):
        other = shown(still("mira@sheet", references=pictures, **{"place": "Mira", "action": "grey braid", **changed}))
        assert difference(whole.crop(words), other.crop(words)) > 0.1
        assert difference(whole.crop((560, 0, 1280, 720)), other.crop((560, 0, 1280, 720))) == 0


async def test_a_sheet_never_fills_a_frame_and_one_of_words_is_no_picture(
    place: Path, face: Path, tmp_path: Path
) -> None:
    described = await drawn(still("mira@sheet", place="Mira", action="grey braid"), tmp_path / "words.jpg")
    assert mark_of(described) == CARD
    asked = request(references=[made(described, "mira")])
    page, card = (lay_out(each, board_of(each)) for each in (asked, request()))
    assert difference(page.panes[0].stage, card.panes[0].stage) == 0 and len(page.panes) == 1
    asked = request(references=[made(place, "mira")])
    page = lay_out(asked, board_of(asked))
    assert page.view is None and len(page.panes) == 2, "beside the action"
    both = asked.model_copy(update={"references": (made(place, "mira"), attachment(face, subject="mira"))})
    shown = lay_out(both, board_of(both)).panes[-1].picture
    assert shown and shown.path == face, "the picture that the sheet is made of is as good"
    # As a first frame it is what the clip begins with.
    assert lay_out(over(place), board_of(over(place))).view is not None


async def test_a_shot_that_continues_one_with_a_card_has_no_picture_to_begin_with(tmp_path: Path) -> None:
    from storyreel.tasks.providers.animatic.film import end_of

    card = await drawn(still(), tmp_path / "card.jpg")
    ordered = over(card)
    assert end_of(lay_out(ordered, board_of(ordered)), board_of(ordered)) is None


async def test_the_camera_comes_to_the_end_that_was_drawn_instead_of_mixing_into_it(
    place: Path, tmp_path: Path
) -> None:
    files = [await drawn(still(slate, references=[attachment(place)], camera="push in"), tmp_path / f"{slate}.jpg")
             for slate in ("1A@still", "1A@last-still")]  # fmt: skip
    asked = over(files[0], camera="push in").model_copy(update={"last_frame": made(files[1])})
    assert lay_out(asked, board_of(asked)).end is None
    with Image.open(files[1]) as picture:
        picture.save(tmp_path / "bought.png")
    asked = asked.model_copy(update={"last_frame": made(tmp_path / "bought.png")})
    assert lay_out(asked, board_of(asked)).end


@pytest.mark.parametrize("sizes", [[(60, 1200), *[(400, 400)] * 3], [(1600, 200)] * 4, [(20, 2000)] * 4])
def test_pictures_of_any_shape_have_a_place_on_a_sheet(sizes: list[tuple[int, int]], tmp_path: Path) -> None:
    pictures = []
    for number, size in enumerate(sizes):
        Image.new("RGB", size, "white").save(tmp_path / f"{number}.png")
        pictures.append(attachment(tmp_path / f"{number}.png", subject="mira"))
    white = shown(still("mira@sheet", references=pictures, place="", action="")).convert("L")
    seen = white.point(lambda level: 255 if level > 245 else 0)
    left, top, right, bottom = seen.getbbox() or (0, 0, 0, 0)
    assert left > 400 and top >= 36 and right <= 1216 and bottom <= 684
    assert sum(level > 245 for level in white.getdata()) > 10_000
