"""Words that are seen for too short a time are told before anything is made."""

from __future__ import annotations

from pathlib import Path

from storyreel.specs.cut import build_cut
from storyreel.specs.derived.reading import reading_warnings
from storyreel.specs.reading import read


def _warnings(folder: Path, text: str) -> list[str]:
    (folder / "film.yaml").write_text("storyboard: 1\ntitle: Film\n" + text, encoding="utf-8")
    film = read(folder / "film.yaml")
    return list(reading_warnings(film, build_cut(film)))


def test_words_cards_and_credits_that_pass_too_fast_are_told(tmp_path: Path) -> None:
    found = _warnings(
        tmp_path,
        """\
titles: [{title: The keeper of the light of Start Point, from: 1s, to: 1.2s}, {title: Late, from: 5s, to: 9s}]
shots:
  - {card: Three years later on the island of Sanday, duration: 500ms}
  - {shot: 1A, action: x, duration: 5s, titles: [{caption: 一九一一年起的守灯人, to: 200ms}]}
  - {credits: [{Directed by: Ana}, {Written by: Ana}], duration: 1s}
  - {credits: {roll: true, entries: [{Cast: [A, B, C, D, E, F]}]}, duration: 2s}
""",
    )
    told = [(warning.split(" is ")[0], warning.endswith("make it longer")) for warning in found]
    assert told == [
        ("“The keeper of the light of St…”", True),
        ("“Late” ends 0.5 s after the film", False),
        ("“一九一一年起的守灯人”", True),
        ("card-1", True),
        ("credits-1", True),
        ("each line of credits-2 rolls through the picture in 1.4 s: make it longer", True),
    ]


def test_nothing_is_told_of_words_that_can_be_read(tmp_path: Path) -> None:
    text = """\
titles: [{title: The keeper, line: a film by Ana}, {caption: 1911, from: 4s}]
shots:
  - {card: Three years later}
  - {shot: 1A, action: x, titles: [{lower_third: Mira, line: keeper of the light}]}
  - {credits: [{Directed by: Ana}, {Written by: Ana}]}
  - {credits: {roll: true, entries: [{Cast: [A, B, C, D, E, F]}]}, duration: 8s}
"""
    assert not _warnings(tmp_path, text)


def test_words_in_the_place_of_others_are_told_and_those_that_follow_them_are_not(tmp_path: Path) -> None:
    text = """\
titles:
  - {title: The keeper, to: 3s}
  - {title: of the light, from: 2s, to: 4s}
  - {title: under it, from: 2s, to: 4s, place: bottom}
  - {title: as the first one goes, from: 3.5s, to: 6s}
  - {lower_third: Mira, from: 1s, to: 4s}
  - {lower_third: ميرا, from: 1s, to: 4s}
shots:
  - {shot: 1A, action: x, duration: 6s, titles: [{caption: 1911, to: 3s}, {lower_third: Tom, from: 2s, to: 5s}]}
"""
    assert _warnings(tmp_path, text) == [
        f"“{one}” stands over “{other}” for {seconds} s: write a `place`, or an earlier `to` for “{other}”"
        for one, other, seconds in (("of the light", "The keeper", 1), ("Tom", "Mira", 2))
    ]
