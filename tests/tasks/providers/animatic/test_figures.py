"""Who is in a shot without a picture is drawn: in her own colour, as large as its size says, inside the frame."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from storyreel.specs.language.models import Format
from storyreel.specs.language.shots import ShotSize
from storyreel.specs.reading import read
from storyreel.tasks.media.text.layout import Box
from storyreel.tasks.providers.animatic.canvas import Canvas, Palette
from storyreel.tasks.providers.animatic.captions import story
from storyreel.tasks.providers.animatic.figures import TALL, Person, colour_of, draw_figures, place_figures
from storyreel.tasks.providers.animatic.film import end_of
from storyreel.tasks.providers.animatic.page import lay_out
from storyreel.tasks.providers.animatic.panes import flat
from storyreel.tasks.providers.animatic.scenery import empty_set
from storyreel.tasks.providers.animatic.still import still_of
from storyreel.tasks.providers.request import COLOURS
from storyreel.tasks.request.board import board_of as board_from
from storyreel.tasks.request.board import cast_colours
from storyreel.tasks.storage.digests import file_digest
from tests.tasks.providers.animatic.drawing import attachment, board_of, difference, landscape, request

SIZES: tuple[str, ...] = ShotSize.__args__[:-1]  # type: ignore[attr-defined]  # an insert shows hands
RATIOS = ("16:9", "9:16", "1:1")
MIRA, TOM = ("Mira", 3, True), ("Tom", 9, False)


def frame_of(ratio: str) -> Box:
    width, height = Format(aspect_ratio=ratio, resolution="480p").size  # type: ignore[arg-type]
    return Box(x=0, y=0, width=width, height=height)


@pytest.mark.parametrize("ratio", RATIOS)
def test_the_nearer_the_shot_the_larger_the_figure_and_its_eyes_are_in_the_frame(ratio: str) -> None:
    frame = frame_of(ratio)
    figures = [next(place_figures([Person(0)], size, frame)) for size in SIZES]
    assert all(one.head < other.head for one, other in pairwise(figures))
    assert all(0.2 * frame.height < each.top + each.head / 2 < 0.75 * frame.height for each in figures)
    feet = {size: (each.top + TALL * each.head) / frame.height for size, each in zip(SIZES, figures, strict=True)}
    assert all((feet[size] < 0.9) == (size in ("extreme wide", "wide", "full")) for size in SIZES)


@given(st.lists(st.integers(0, COLOURS - 1), min_size=1, max_size=20), st.sampled_from(SIZES), st.sampled_from(RATIOS))
@settings(max_examples=60, deadline=None)
def test_everybody_is_seen(numbers: list[int], size: str, ratio: str) -> None:
    frame = frame_of(ratio)
    figures = list(place_figures(list(map(Person, numbers)), size, frame))
    assert sorted(each.person.number for each in figures) == sorted(numbers)
    for each in figures:
        assert 0 <= each.x <= frame.width and 0 < each.top + each.head / 2 < frame.height
    heads = [(each.x, each.top, each.head) for each in figures]
    # No head is behind another one: faces are half a head wide on each side at the most.
    for place, (x, top, head) in enumerate(heads):
        for other_x, other_top, other in heads[:place]:
            assert abs(x - other_x) > 0.3 * min(head, other) or abs(top - other_top) > 0.5 * min(head, other)


def test_a_figure_has_its_own_colour_and_stays_where_it_is_when_another_joins_the_cast() -> None:
    cast = tuple(f"person{number}" for number in range(COLOURS))
    colours = cast_colours(cast)
    assert sorted(colours.values()) == list(range(COLOURS))
    assert all(dict(cast_colours(cast[:count])) == {key: colours[key] for key in cast[:count]} for count in range(24))
    assert len({colour_of(number) for number in range(COLOURS)}) == COLOURS
    assert len(cast_colours((*cast, "one more", "and another"))) == COLOURS + 2


@pytest.mark.parametrize(
    ("description", "is_long"),
    [
        ("woman in her sixties, long grey braid", True), ("boy of twelve, knitted cap", False), ("bald woman", False),
        ("man with a ponytail", True), ("Postwoman of thirty, navy coat", True), ("his long grey hair", True),
    ],
)  # fmt: skip
def test_the_hair_of_a_figure_is_as_its_description_says(description: str, is_long: bool, tmp_path: Path) -> None:
    written = f'{{mira: {{description: "{description}"}}, x: {{}}}}'
    (tmp_path / "film.yaml").write_text(
        f"storyboard: 1\ntitle: T\ncast: {written}\nshots: [{{shot: 1A, action: Rain., cast: [mira, x]}}]\n"
    )
    film = read(tmp_path / "film.yaml")
    first, other = (board_from(film, film.all_shots[0], 24, None, file_digest) for _ in range(2))
    assert first.cast[0][2] == is_long and first == other


@pytest.mark.parametrize("size", ["wide", "medium", "extreme close up", "insert"])
@pytest.mark.parametrize("ratio", RATIOS)
def test_figures_are_drawn_in_their_colours_on_the_set(size: str, ratio: str) -> None:
    frame, palette = frame_of(ratio), Palette(hue=0.6)
    empty = empty_set(frame.width, frame.height, palette)
    seen = [empty.copy() for _ in range(3)]
    for ground, numbers in zip(seen, ([3], [9], [3, 9]), strict=True):
        draw_figures(ground, list(map(Person, numbers)), size, frame, palette)
    assert all(difference(empty, ground) > 0.2 for ground in seen)
    assert seen[0].tobytes() != seen[1].tobytes() and difference(seen[0], seen[2]) > 0.1


def test_a_first_frame_shows_the_shot_itself_and_no_figures(tmp_path: Path) -> None:
    picture = landscape(tmp_path / "board.png")
    pages = [lay_out(each, board_of(each)) for each in (request(first=picture), request(first=picture, cast=(MIRA,)))]
    assert pages[0].panes[-1].stage.tobytes() == pages[1].panes[-1].stage.tobytes()
    card = lay_out(request(cast=(MIRA,)), board_of(request(cast=(MIRA,))))
    assert card.view is None, "a drawn figure is no picture that another shot begins with"
    assert card.panes[0].stage.tobytes() != lay_out(request(), board_of(request())).panes[0].stage.tobytes()


@pytest.mark.parametrize("ratio", ["16:9", "9:16"])
def test_figures_are_in_the_picture_of_the_place_and_what_continues_the_shot_gets_the_place_alone(
    ratio: str, tmp_path: Path
) -> None:
    place = attachment(landscape(tmp_path / "place.png"), subject="lamp_room")
    asked = [request(ratio=ratio, resolution="480p", references=[place], cast=cast) for cast in ((), (MIRA,))]
    without, with_her = (lay_out(each, board_of(each)) for each in asked)
    assert difference(flat(without.panes, without.canvas), flat(with_her.panes, with_her.canvas)) > 0.5
    ends = [end_of(page, board_of(each)) for page, each in zip((without, with_her), asked, strict=True)]
    if ratio == "16:9":
        assert ends[0] and ends[1] and ends[0].tobytes() == ends[1].tobytes()
    else:
        assert ends == [None, None], "a picture of another shape is behind them, out of focus"


@pytest.mark.parametrize("shape", [(640, 360), (300, 400)])
def test_who_has_no_picture_is_drawn_beside_those_who_have_one(shape: tuple[int, int], tmp_path: Path) -> None:
    tom = attachment(landscape(tmp_path / "tom.png", shape), subject="tom")
    asked = [
        request(resolution="480p", references=[tom], cast=cast, pictured=bool(cast))
        for cast in ((), (MIRA,), tuple(("Many", number, False) for number in range(9)))
    ]
    pages = [lay_out(each, board_of(each)) for each in asked]
    fills = shape == (640, 360)
    assert [len(page.panes) for page in pages] == ([1, 3, 4] if fills else [2, 3, 4])
    ends = [end_of(page, board_of(each)) for page, each in zip(pages, asked, strict=True)]
    assert [end is not None for end in ends] == [fills] * 3
    assert not fills or len({end.tobytes() for end in ends if end}) == 1


@pytest.mark.parametrize("ratio", RATIOS)
def test_the_camera_moves_over_the_figures(ratio: str) -> None:
    ordered = request(ratio=ratio, resolution="480p", camera="push in", size="medium", cast=(MIRA,))
    pane = lay_out(ordered, board_of(ordered)).panes[0]
    still = request(ratio=ratio, resolution="480p", size="medium", cast=(MIRA,))
    whole = lay_out(still, board_of(still)).panes[0]
    assert difference(pane.seen(pane.camera.start), whole.seen(whole.camera.start)) < 2
    assert difference(pane.seen(pane.camera.start), pane.seen(pane.camera.end)) > 2


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("people", [1, 20])
def test_what_happens_and_who_is_seen_is_told_inside_the_safe_area(ratio: str, people: int) -> None:
    cast = tuple((f"Somebody with a name {number}", number, False) for number in range(people))
    ordered = request(ratio=ratio, cast=cast, action="She waits. " * 80, dialogue=(("Mira", "Who's there?"),))
    page = lay_out(ordered, board_of(ordered))
    safe, foot = page.canvas.safe, page.canvas.safe.bottom - page.cues[0].height
    letters = page.layers[-2].getchannel("A").point(lambda level: 255 if level > 240 else 0).getbbox()
    assert letters and safe.x - 4 <= letters[0] and letters[2] <= safe.right + 4
    assert safe.y + page.canvas.px(60) <= letters[1] and letters[3] <= foot


def test_each_name_has_the_colour_of_its_figure_and_so_has_the_one_who_speaks() -> None:
    ordered = request(cast=(MIRA, TOM), dialogue=(("Tom", "Me."), ("Ana", "And I.")))
    canvas, palette = Canvas(width=1280, height=720), Palette(hue=0.1)
    written = story(board_of(ordered), (), Box(x=64, y=200, width=400, height=300), canvas, palette)
    colours = {colour for _, colour in written.getcolors(1 << 20) or ()}
    assert {colour_of(3), colour_of(9)} <= colours
    first, other = lay_out(ordered, board_of(ordered)).cues
    assert (first.colour, other.colour) == (colour_of(9), None)


@pytest.mark.parametrize("ratio", RATIOS)
def test_angle_lens_and_heading_are_on_the_board(ratio: str) -> None:
    def strip(**board: str) -> Image.Image:
        ordered = request(ratio=ratio, resolution="480p", size="extreme close up", camera="pan right", **board)
        return lay_out(ordered, board_of(ordered)).layers[-1]

    plain = strip()
    seen = [plain, strip(angle="low angle"), strip(lens="35mm"), strip(scene="2 EXT. SEA - DAY")]
    assert len({layer.tobytes() for layer in seen}) == 4
    safe = Canvas(width=plain.width, height=plain.height).safe
    for layer in seen:
        box = layer.getchannel("A").point(lambda level: 255 if level > 240 else 0).getbbox()
        assert box and safe.x - 4 <= box[0] and box[2] <= safe.right + 4


def test_a_sheet_without_pictures_shows_the_figure_of_its_person() -> None:
    of = {"slate": "mira@sheet", "film": "", "place": "Mira", "action": "woman in her sixties"}
    with_her, without = request(**of, cast=(MIRA,)), request(**of)
    pictures = [still_of(each, board_of(each)) for each in (with_her, without)]
    assert pictures[0].mark == pictures[1].mark, "it is no picture of her"
    assert difference(pictures[0].image, pictures[1].image) > 1
