"""Clips of cards and credits: words alone, exact, in house format, without sound, the same wherever they are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from storyreel.specs.language.titles import Card, Credits, Lettering
from storyreel.specs.timing import FrameRate
from storyreel.tasks.media.house_format import HouseFormat, house_signature
from storyreel.tasks.media.probe import probe
from storyreel.tasks.media.text.typefaces import STANDARD
from storyreel.tasks.providers.animatic.service import Animatic
from storyreel.tasks.providers.errors import Terminal
from storyreel.tasks.providers.request import Request, WrittenCard
from storyreel.tasks.titles.cards import draw_card
from storyreel.tasks.titles.credits import draw_roll
from tests.fonts import no_fonts, packaged_fonts  # noqa: F401
from tests.tasks.providers.animatic.drawing import board_of, difference, drawn, frames_of, request

CREDITS = {"entries": [{"Directed by": "Ana"}, {"Music": ["Tom", "Zoe"]}, {"Light": "Mira"}, "Made in Orkney"]}


def card(card: Any = None, credits: Any = None, frames: int = 8, **board: Any) -> Request:
    written = WrittenCard(
        card=Card.model_validate(card) if card else None,
        credits=Credits.model_validate(credits) if credits else None,
        lettering=Lettering(style="film"),
        drawing=1,
    )
    return request(resolution="480p", frames=frames, written=written, **board)


@pytest.mark.parametrize("fps", ["23.976", "25", "60"])
@pytest.mark.parametrize("words", [{"card": "Dawn"}, {"credits": CREDITS}, {"credits": {**CREDITS, "roll": True}}])
async def test_a_card_has_its_frames_in_house_format_and_no_sound(
    words: dict[str, Any], fps: str, tmp_path: Path
) -> None:
    ordered = card(**words, frames=13, fps=fps)
    seen = probe(await drawn(ordered, tmp_path / "card.mp4"))
    house = HouseFormat(width=ordered.width, height=ordered.height, rate=FrameRate.parse(fps))
    assert (seen.frames, seen.has_sound) == (13, False)
    assert house.matches(seen) and seen.signature == await house_signature(house)


async def test_a_card_shows_its_words_and_nothing_else(tmp_path: Path) -> None:
    ordered = card({"text": "Three years later", "line": "at dawn", "background": "#203040"})
    words = Card(text="Three years later", line="at dawn", background="#203040")
    wanted = draw_card(words, Lettering(style="film"), (ordered.width, ordered.height), STANDARD)
    for frame in frames_of(await drawn(ordered, tmp_path / "card.mp4")):
        assert difference(frame, wanted) < 1.5


async def test_a_roll_moves_by_the_same_whole_pixels_in_every_frame(tmp_path: Path) -> None:
    ordered = card(credits={**CREDITS, "roll": True}, frames=40)
    size = (ordered.width, ordered.height)
    roll = draw_roll(Credits.model_validate({**CREDITS, "roll": True}), Lettering(style="film"), size, 40, STANDARD)
    shown = frames_of(await drawn(ordered, tmp_path / "roll.mp4"))
    assert len(shown) == 40
    for number, frame in enumerate(shown):
        first = number * roll.step
        assert difference(frame, roll.strip.crop((0, first, size[0], first + size[1]))) < 1.5, number


async def test_cards_of_credits_follow_each_other_and_share_the_time(tmp_path: Path) -> None:
    many = {"entries": [{f"Role {n}": f"Name {n}"} for n in range(16)]}
    shown = frames_of(await drawn(card(credits=many, frames=48), tmp_path / "credits.mp4"))
    first, last = shown[0], shown[-1]
    assert difference(first, last) > 1
    changed = [number for number in range(48) if difference(shown[number], first) > 0.5]
    # The first card is seen whole before it begins to go, and the last one after it has come.
    assert 12 <= changed[0] <= 26 and difference(shown[40], last) < 0.5
    dark = Image.new("RGB", first.size, (10, 10, 11))
    assert min(difference(frame, dark) for frame in shown) < 0.5 < difference(first, dark)


async def test_the_same_card_is_one_take_whatever_its_slate_and_its_fonts_files(tmp_path: Path) -> None:
    one = card("Dawn")
    assert one.key == card("Dawn", slate="card-7").key
    assert len({one.key, card("Dusk").key, card("Dawn", frames=9).key, card({"text": "Dawn", "line": "x"}).key}) == 4
    clips = [await drawn(card("Dawn", slate=slate), tmp_path / f"{slate}.mp4") for slate in ("card-1", "card-2")]
    assert clips[0].read_bytes() == clips[1].read_bytes()


def test_boards_of_other_shots_have_the_keys_that_they_had_before_there_were_cards() -> None:
    form = request().canonical()
    assert "written" not in form and "display_font" not in form and '"slate":"1A"' in form


async def test_no_shot_begins_with_the_picture_of_a_card(tmp_path: Path) -> None:
    ordered = card("Dawn")
    clip = await drawn(ordered, tmp_path / "card.mp4")
    assert not await Animatic().write_last_frame(ordered, clip, tmp_path / "frame.png")


@pytest.mark.usefixtures("no_fonts")
async def test_no_card_is_stored_with_boxes_for_letters_that_there_were(tmp_path: Path) -> None:
    ordered = card("守灯人", lettering="2")
    assert board_of(ordered).texts == ("守灯人",)
    with pytest.raises(Terminal, match="there was one where the film was planned"):
        await drawn(ordered, tmp_path / "card.mp4")
