"""Words over the picture that would lie over each other are told with the plan, whatever their kinds."""

from __future__ import annotations

from pathlib import Path

from tests.flows.planning.histories import plan_of


def told(folder: Path, shot: str, film: str = "") -> list[str]:
    text = f"storyboard: 1\ntitle: T\ndefaults: {{duration: 6s}}\n{film}shots:\n  - {{shot: 1A, action: x, {shot}}}\n"
    return [warning for warning in plan_of(folder, text).warnings if "place" in warning]


def test_a_caption_at_the_place_of_a_lower_third_is_told(tmp_path: Path) -> None:
    words = "{lower_third: Mira Vane, line: keeper of the light, to: 5s}, {caption: 1911, from: 1s, to: 4s}"
    assert told(tmp_path, f"titles: [{words}]") == [
        "“1911” and “Mira Vane” are at one place for 3 s: write another `place` for one of them"
    ]


def test_words_that_do_not_reach_each_other_are_not_told(tmp_path: Path) -> None:
    at_sides = "{lower_third: Mira Vane, to: 5s}, {caption: 1911, from: 1s, to: 4s, place: bottom right}"
    later = "{lower_third: Mira Vane, to: 2s}, {caption: 1911, from: 2s, to: 4s}"
    with_title = "{title: The light, to: 5s}, {lower_third: Mira Vane, to: 5s}"
    assert [told(tmp_path, f"titles: [{words}]") for words in (at_sides, later, with_title)] == [[], [], []]


def test_words_below_the_burnt_in_subtitles_are_told(tmp_path: Path) -> None:
    upright = "format: {aspect_ratio: '9:16'}\ncast: {mira: {}}\nsubtitles: {burn_in: true, style: vertical}\n"
    line = "dialogue: [{mira: It has not been there for a very long time indeed.}]"
    words = "The harbour of the old town in the year of the great storm and of the fire"
    low = f"{line}, titles: [{{lower_third: {words}, line: seen from the north, to: 5s}}]"
    high = low.replace("to: 5s", "to: 5s, place: top")
    (warning,) = told(tmp_path, low, upright)
    assert warning == "the subtitles of 1A lie over “The harbour of the old town i…”: write another `place` for it"
    assert told(tmp_path, high, upright) == []
    assert told(tmp_path, low, upright.replace(", style: vertical", "")) == [], "words stand above those of their style"


def test_a_mix_of_nothing_is_told_unless_it_comes_from_the_defaults(tmp_path: Path) -> None:
    text = """\
storyboard: 1
title: T
shots:
  - {shot: 1A, action: x, native_audio: drop, mix: -6 dB}
  - {shot: 1B, action: y, mix: -6 dB}
  - {card: The end}
"""
    told = [warning for warning in plan_of(tmp_path, text).warnings if "mix" in warning]
    assert told == ["`mix` changes nothing in 1A: nothing is heard of a card, or of a clip without its sound"]
    everywhere = text.replace(", mix: -6 dB", "").replace("shots:", "defaults: {mix: -6 dB}\nshots:")
    assert not [warning for warning in plan_of(tmp_path, everywhere).warnings if "mix" in warning]
