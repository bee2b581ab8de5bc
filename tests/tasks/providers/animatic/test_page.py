"""Words stay inside the safe area and out of each other's way; every camera move goes where it is said to."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageStat

from storyreel.specs.language.titles import Lettering, LetteringStyle, Words
from storyreel.specs.timing import FrameRate
from storyreel.tasks.media.text.typefaces import Fonts
from storyreel.tasks.providers.animatic import captions as words
from storyreel.tasks.providers.animatic.camera import Camera
from storyreel.tasks.providers.animatic.canvas import Canvas, Palette
from storyreel.tasks.providers.animatic.dialogue import cues
from storyreel.tasks.providers.animatic.page import lay_out
from storyreel.tasks.providers.animatic.window import spans
from storyreel.tasks.providers.request import Board
from storyreel.tasks.titles.words import draw_words
from tests.tasks.providers.animatic.drawing import (
    LOREM,
    attachment,
    board_of,
    difference,
    drawn,
    frames_of,
    landscape,
    request,
)

SHAPES = [(ratio, resolution) for ratio in ("16:9", "9:16", "1:1", "4:3", "3:4") for resolution in ("720p", "1080p")]
MOVES = ("push in", "pull out", "pan left", "pan right", "tilt up", "tilt down", "handheld")
LONG = (LOREM * 50)[:5000]


def board(**of: Any) -> Board:
    return board_of(request(**of))


def is_inside(layer: Image.Image, canvas: Canvas) -> bool:
    """Whether all ink is in the safe area; a letter's edge may overhang its measured width by a pixel."""
    left, top, right, bottom = layer.getbbox() or (canvas.safe.x, canvas.safe.y, canvas.safe.right, canvas.safe.bottom)
    safe = canvas.safe
    return left >= safe.x - 1 and top >= safe.y - 1 and right <= safe.right + 1 and bottom <= safe.bottom + 1


@pytest.mark.parametrize(("ratio", "resolution"), SHAPES)
def test_all_words_are_inside_the_safe_area(ratio: str, resolution: str) -> None:
    ordered = request(
        ratio=ratio, resolution=resolution, frames=48, slate="A-very-long-slate_name.2026-rev07", film=LONG[:200],
        scene=LONG, action=LONG, place=LONG, size="extreme close up", camera="pan right",
        dialogue=(("Mira" * 200, LONG), ("Tom", "w" * 60)),
    )  # fmt: skip
    canvas, written = Canvas(width=ordered.width, height=ordered.height), board_of(ordered)
    assert is_inside(words.slate(written, 1, canvas), canvas)
    assert is_inside(words.draw_caption(words.caption(written, canvas), canvas.safe.bottom, canvas), canvas)
    subtitles = cues(written, canvas)
    assert subtitles and all(is_inside(cue.drawn(canvas, Palette.of(written)), canvas) for cue in subtitles)
    place = words.timecode(canvas)
    assert place.x >= canvas.safe.x and place.y >= canvas.safe.y


@pytest.mark.parametrize("ratio", ["16:9", "9:16", "1:1", "4:3", "3:4"])
def test_a_cards_text_stands_between_the_slate_and_the_dialogue(ratio: str) -> None:
    for action in (LONG, "Mira stops.", "w" * 60):
        ordered = request(ratio=ratio, action=action, dialogue=(("Mira", "Who's there?"),))
        page = lay_out(ordered, board_of(ordered))
        canvas = page.canvas
        # The letters themselves, without their soft shadow.
        text = page.layers[1].getchannel("A").point(lambda level: 255 if level > 240 else 0).getbbox()
        assert text
        assert text[1] >= canvas.safe.y + canvas.px(44)
        assert text[3] <= canvas.safe.bottom - page.cues[0].height
        assert canvas.safe.x - 4 <= text[0] and text[2] <= canvas.safe.right + 4


def test_white_words_are_legible_on_white(tmp_path: Path) -> None:
    Image.new("RGB", (1280, 720), "white").save(tmp_path / "white.png")
    ordered = request(first=tmp_path / "white.png", dialogue=(("Mira", "Who's there?"),))
    page = lay_out(ordered, board_of(ordered))
    picture = page.panes[0].stage.convert("RGBA")
    for layer in page.layers[:-1]:
        picture = Image.alpha_composite(picture, layer)
    grey = picture.convert("L")
    # What is behind the slate and behind the words, against the white of the letters.
    for box in ((64, 36, 400, 80), (400, 620, 880, 684)):
        assert ImageStat.Stat(grey.crop(box)).mean[0] < 150
    assert grey.getpixel((640, 330)) == 255


@given(
    st.lists(st.tuples(st.sampled_from(["Mira", "Tom"]), st.text(max_size=400)), max_size=14),
    st.integers(1, 400),
    st.sampled_from(["12", "23.976", "30", "60"]),
)
@settings(max_examples=50, deadline=None)
def test_subtitles_follow_each_other_and_fill_the_shot(said: list[tuple[str, str]], frames: int, fps: str) -> None:
    written = board(frames=frames, fps=fps, dialogue=tuple(said))
    shown = cues(written, Canvas(width=1280, height=720))
    assert all(cue.first < cue.end for cue in shown)
    assert all(one.end == other.first for one, other in pairwise(shown))
    if shown:
        assert shown[0].first == 0 and shown[-1].end == frames


def test_twelve_lines_are_shown_one_after_another_a_longer_one_for_longer() -> None:
    lines = ["Yes."] * 5 + ["A far longer line than all the others."] + ["Yes."] * 6
    said = tuple((("Mira", "Tom")[n % 2], line) for n, line in enumerate(lines))
    shown = cues(board(frames=240, dialogue=said), Canvas(width=1280, height=720))
    assert len(shown) == 12
    times = [cue.end - cue.first for cue in shown]
    assert max(range(12), key=times.__getitem__) == 5
    assert [cue.speaker_number for cue in shown] == [0, 1] * 6


def test_a_long_line_is_parted_when_there_is_time_and_elided_when_there_is_none() -> None:
    canvas = Canvas(width=1280, height=720)
    in_time = cues(board(frames=24 * 40, dialogue=(("Mira", LONG[:900]),)), canvas)
    assert len(in_time) > 2
    assert " ".join(line for cue in in_time for line in cue.words.lines) == LONG[:900].strip()
    hurried = cues(board(frames=24, dialogue=(("Mira", LONG),)), canvas)
    assert len(hurried) == 1
    assert hurried[0].words.lines[-1].endswith("…")
    assert hurried[0].height < canvas.height * 0.3


@pytest.mark.parametrize("move", MOVES)
async def test_every_move_moves_and_ends_where_it_should(move: str, tmp_path: Path) -> None:
    ordered = request(first=landscape(tmp_path / "board.png", (1280, 720)), camera=move, frames=8)
    pictures = frames_of(await drawn(ordered, tmp_path / "clip.mp4"))
    middle = (200, 180, 1080, 640)
    first, last = pictures[0].crop(middle), pictures[-1].crop(middle)
    assert difference(first, last) > 2
    if move == "handheld":
        return
    pane = lay_out(ordered, board_of(ordered)).panes[0]
    for picture, window in ((first, pane.camera.start), (last, pane.camera.end)):
        box = (window.x, window.y, window.x + window.width, window.y + window.height)
        wanted = pane.stage.resize((1280, 720), Image.Resampling.BICUBIC, box=box).crop(middle)
        assert difference(picture, wanted) < 2.5


@pytest.mark.parametrize(
    ("move", "across", "down"), [("pan right", -1, 0), ("pan left", 1, 0), ("tilt up", 0, 1), ("tilt down", 0, -1)]
)
async def test_the_picture_goes_against_the_camera(move: str, across: int, down: int, tmp_path: Path) -> None:
    ordered = request(first=landscape(tmp_path / "board.png", (1280, 720)), camera=move, frames=13)
    pictures = [picture.convert("L") for picture in frames_of(await drawn(ordered, tmp_path / "clip.mp4"))]
    before, after = (pictures[n].resize((320, 180)) for n in (5, 6))

    def match(dx: int, dy: int) -> float:
        x, y = 60, 50
        size = (200, 80)
        one = before.crop((x, y, x + size[0], y + size[1]))
        return difference(one, after.crop((x + dx, y + dy, x + dx + size[0], y + dy + size[1])))

    shifts = [(dx, dy) for dx in range(-12, 13) for dy in range(-12, 13) if not (dx and dy)]
    dx, dy = min(shifts, key=lambda shift: match(*shift))
    assert (max(-1, min(1, dx)), max(-1, min(1, dy))) == (across, down)


async def test_a_push_in_enlarges_by_an_eighth(tmp_path: Path) -> None:
    spots = Image.new("RGB", (1280, 720), "black")
    for x in (400, 880):
        spots.paste("white", (x - 5, 200, x + 5, 500))
    spots.save(tmp_path / "spots.png")
    pictures = frames_of(await drawn(request(first=tmp_path / "spots.png", camera="push in"), tmp_path / "clip.mp4"))

    def apart(picture: Image.Image) -> int:
        row = picture.convert("L").crop((0, 350, 1280, 351)).point(lambda level: 255 if level > 128 else 0)
        box = row.getbbox()
        assert box
        return box[2] - box[0]

    assert 1.10 < apart(pictures[-1]) / apart(pictures[0]) < 1.16


async def test_a_static_camera_stands_still(tmp_path: Path) -> None:
    ordered = request(first=landscape(tmp_path / "board.png", (1280, 720)), frames=8)
    pictures = frames_of(await drawn(ordered, tmp_path / "clip.mp4"))
    middle = (100, 160, 1180, 700)
    assert difference(pictures[0].crop(middle), pictures[-1].crop(middle)) < 0.7


async def test_the_moves_are_smooth_from_frame_to_frame(tmp_path: Path) -> None:
    ordered = request(first=landscape(tmp_path / "board.png", (1280, 720)), camera="pan right", frames=25)
    clip = await drawn(ordered, tmp_path / "clip.mp4")
    steps = [difference(a, b) for a, b in pairwise(frame.crop((200, 180, 1080, 640)) for frame in frames_of(clip))]
    assert steps[0] < max(steps) / 3 and steps[-1] < max(steps) / 3  # eased at both ends
    assert min(steps[6:18]) > max(steps) / 2  # and never halting between


@pytest.mark.parametrize("ratio", [None, 0.2, 0.56, 1.0, 1.78, 9.0])
@pytest.mark.parametrize("move", ["static", *MOVES])
@pytest.mark.parametrize("size", [(1280, 720), (832, 1104), (300, 500)])
def test_a_camera_never_looks_beside_its_stage(move: str, size: tuple[int, int], ratio: float | None) -> None:
    for detail in (1.27, 0.63):
        camera = Camera.of(move, Canvas(width=size[0], height=size[1]), ratio, detail)
        assert camera.width % 2 == 0 and camera.height % 2 == 0
        for window in camera.windows(board(frames=240)):
            assert window.x >= 0 and window.y >= 0
            assert window.x + window.width <= camera.width and window.y + window.height <= camera.height
            assert abs(window.width / window.height / (size[0] / size[1]) - 1) < 0.01


@pytest.mark.parametrize("detail", [1.27, 0.63])
@pytest.mark.parametrize("size", [(1280, 720), (832, 1104), (480, 270)])
@pytest.mark.parametrize("move", MOVES)
def test_a_move_is_met_to_a_small_part_of_a_pixel_in_every_frame(
    move: str, size: tuple[int, int], detail: float
) -> None:
    frame = Canvas(width=size[0], height=size[1])
    camera = Camera.of(move, frame, detail=detail)
    stage, written = Canvas(width=camera.width, height=camera.height), board(frames=180)
    beside = []
    for window, (across, down) in zip(
        camera.windows(written), spans(camera.windows(written), frame, stage), strict=True
    ):
        for span, begin, length, shown, whole in (
            (across, window.x, window.width, frame.width, stage.width),
            (down, window.y, window.height, frame.height, stage.height),
        ):
            assert all(number % 2 == 0 for number in span)
            assert span.first >= 0 and span.first + span.taken <= whole
            assert 0 <= span.skipped <= span.scaled - shown
            first, last = span.edges(shown)
            beside += [abs(first - begin), abs(last - begin - length)]
    assert max(beside) < 0.4 and sum(beside) / len(beside) < 0.1  # pixels of the stage


def test_every_place_has_its_own_colour_and_keeps_it() -> None:
    here, again = (Palette.of(board(place="Lamp room", scene=scene)) for scene in ("1", "2"))
    assert here == again
    assert len({Palette.of(board(place=f"Place {n}")) for n in range(30)}) > 6


def test_a_shot_of_one_frame_is_drawn() -> None:
    written = board(frames=1, camera="push in", dialogue=(("Mira", "a"), ("Tom", "b")))
    shown = cues(written, Canvas(width=1280, height=720))
    assert [(cue.first, cue.end) for cue in shown] == [(0, 1)]
    assert FrameRate.parse("24") == written.rate


@pytest.mark.parametrize("ratio", ["16:9", "9:16", "1:1"])
async def test_the_foot_is_free_for_what_the_film_lays_over_it(ratio: str, tmp_path: Path) -> None:
    said = (("Mira", "Who's there?"),)
    titled, subtitled = {"titled": True}, {"subtitled": True}
    for over, dialogue, free in ((titled, (), 230), (subtitled, (), 120), (subtitled, said, 120)):
        for cast in ((), (("Mira", 3, True),)):
            ordered = request(ratio=ratio, resolution="480p", cast=cast, dialogue=dialogue, action=LONG[:300], **over)
            page = lay_out(ordered, board_of(ordered))
            text = page.layers[-2].getchannel("A").point(lambda level: 255 if level > 240 else 0).getbbox()
            assert text and text[3] <= page.canvas.safe.bottom - page.canvas.px(free)
    clips = [
        await drawn(request(resolution="480p", dialogue=dialogue, frames=2, **over), tmp_path / f"{number}.mp4")
        for number, (over, dialogue) in enumerate(((subtitled, said), (subtitled, ()), (titled, said)))
    ]
    without, never, with_words = (frames_of(clip)[0].crop((0, 380, 832, 470)) for clip in clips)
    assert difference(without, never) < 1 < difference(with_words, never), "subtitles are not drawn twice"


@pytest.mark.parametrize("ratio", ["16:9", "9:16", "1:1"])
@pytest.mark.parametrize("over", [{}, {"titled": True}, {"dialogue": (("Mira", "Who's there?"),)}], ids=str)
def test_words_in_the_middle_lie_over_none_of_the_board(tmp_path: Path, ratio: str, over: dict[str, Any]) -> None:
    of = {"ratio": ratio, "resolution": "480p", "action": LONG[:90], "crossed": "large", **over}
    place, size = attachment(landscape(tmp_path / "place.png")), (request(**of).width, request(**of).height)
    title = Words(title="The Keeper of the Light", line="a film", place="middle")
    placed = [draw_words(title, Lettering(style=style), size, Fonts()) for style in get_args(LetteringStyle)]
    first, end = min(one.at[1] for one in placed), max(one.at[1] + one.image.height for one in placed)
    for references, cast in (((), ()), ((), (("Mira", 3, True),)), ((place,), ())):
        ordered = request(references=references, cast=cast, **of)
        page = lay_out(ordered, board_of(ordered))
        text = page.layers[-2].getchannel("A").point(lambda level: 255 if level > 240 else 0).getbbox()
        assert text and page.canvas.safe.y < text[1] and text[3] <= page.canvas.safe.bottom
        assert text[3] <= first or text[1] >= end


@pytest.mark.parametrize("ratio", ["16:9", "9:16", "1:1"])
@pytest.mark.parametrize("style", get_args(LetteringStyle))
def test_what_the_film_lays_over_the_head_does_not_reach_the_slate(ratio: str, style: LetteringStyle) -> None:
    caption = Words(caption="The old town, a harbour in the north", line="6 o'clock in winter", place="top left")
    for over in (caption, Words(title="The Keeper", line="a film", place="top")):
        headed = "large" if over.title or style == "vertical" else "small"
        ordered = request(ratio=ratio, cast=(("Mira", 3, True),), action=LONG[:200], headed=headed)
        page = lay_out(ordered, board_of(ordered))
        written = [layer.getchannel("A").point(lambda level: 255 if level > 240 else 0) for layer in page.layers[-2:]]
        highest = min(box[1] for layer in written if (box := layer.getbbox()))
        placed = draw_words(over, Lettering(style=style), (ordered.width, ordered.height), Fonts())
        assert placed.at[1] + placed.image.height <= min(highest, words.timecode(page.canvas).y)
