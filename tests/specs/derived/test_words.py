"""Which frames of the film words lie over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storyreel.specs.cut import build_cut
from storyreel.specs.derived.words import lettering_facts, placed_words
from storyreel.specs.storyboard import Storyboard

FILM = """\
format: {{fps: {fps}}}
titles: [{titles}]
shots:
  - {{shot: 1A, action: Ana enters., duration: 48f}}
  - {{shot: 1B, action: She sits., duration: 72f, transition: {{type: dissolve, duration: 12f}}, titles: [{of_shot}]}}
"""


@pytest.mark.parametrize(
    ("written", "start", "end", "fade"),
    [
        ("{title: A, from: 1s, to: 3s}", 24, 72, 12),
        ("{title: A, to: 3s, fade: 6f}", 0, 72, 6),
        ("{title: A, to: 3s, fade: 0s}", 0, 72, 0),
        ("{title: A, from: 10f, to: 18f}", 10, 18, 2),  # a usual fade takes at most half of it
        ("{title: A, from: 10f, to: 18f, fade: 4f}", 10, 18, 4),
        ("{title: A, from: 4s}", 96, 168, 12),  # two seconds at least and the fades, beyond the end of the film
        ("{title: A, from: 1s, fade: 0s}", 24, 72, 0),
    ],
)
def test_words_of_the_film_lie_at_its_times(
    film: Callable[..., Storyboard], written: str, start: int, end: int, fade: int
) -> None:
    (placed,) = _placed(film, titles=written)
    assert (placed.start, placed.end, placed.fade) == (start, end, fade)


@pytest.mark.parametrize(
    ("written", "start", "end"),
    [
        ("{caption: B, from: 1s, to: 2s}", 72, 96),
        ("{caption: B, from: 2s, to: 9s}", 96, 264),  # over the cut, if there were a shot behind
        ("{caption: B, from: 2s}", 96, 120),  # without `to` until the end of the shot at most
        ("{caption: B}", 48, 120),
        ("{caption: B, from: 2.97s}", 119, 120),
    ],
)
def test_words_of_a_shot_lie_at_its_times_from_the_cut_on(
    film: Callable[..., Storyboard], written: str, start: int, end: int
) -> None:
    (placed,) = _placed(film, of_shot=written)
    assert (placed.start, placed.end) == (start, end)


def test_long_words_stay_as_long_as_they_take_to_read_twice(film: Callable[..., Storyboard]) -> None:
    short, long, lined, chinese = _placed(film, titles=", ".join((
        "{caption: Off the coast}",
        "{caption: Off the coast of the last of the islands that have a light}",
        "{caption: Off the coast, line: of the last of the islands that have a light}",
        "{caption: 最后一座灯塔所在的岛屿以外的海上}",
    )))  # fmt: skip
    assert short.end < chinese.end < long.end == lined.end
    assert long.end - long.start == round(24 * 2 * len(long.words.text) / 14) + 24


def test_times_are_frames_of_the_film_at_any_rate(film: Callable[..., Storyboard]) -> None:
    (placed,) = _placed(film, fps="23.976", titles="{title: A, from: 1001ms, to: 2002ms, fade: 500ms}")
    assert (placed.start, placed.end, placed.fade) == (24, 48, 12)
    (placed,) = _placed(film, fps="60", titles='{title: A, from: "00:00:01:30", to: "00:00:02:00"}')
    assert (placed.start, placed.end, placed.fade) == (90, 120, 7)


def test_words_of_the_film_lie_below_those_of_its_shots(film: Callable[..., Storyboard]) -> None:
    placed = _placed(film, titles="{title: A, from: 4s}, {title: B}", of_shot="{caption: C}, {caption: D}")
    assert [each.words.text for each in placed] == ["A", "B", "C", "D"]


def test_what_is_laid_over_is_told_and_nothing_of_a_film_without_words(film: Callable[..., Storyboard]) -> None:
    facts = [
        lettering_facts(film(text))
        for text in (
            _text(),
            f"{_text()}lettering: film\n",
            f"{_text()}subtitles: true\n",
            _text(titles="{title: A}"),
            _text(of_shot="{title: A}"),
            f"{_text(titles='{title: A}')}lettering: film\n",
            f"{_text()}subtitles: burn_in\n",
            f"{_text()}subtitles: {{burn_in: true, style: film}}\n",
        )
    ]
    assert facts[:3] == ["", "", ""]
    assert len(set(facts[3:])) == 5 and all(facts[3:])


def _text(fps: str = "24", titles: str = "", of_shot: str = "") -> str:
    return FILM.format(fps=fps, titles=titles, of_shot=of_shot)


def _placed(film: Callable[..., Storyboard], **written: str) -> tuple:
    storyboard = film(_text(**written))
    return placed_words(storyboard, build_cut(storyboard))
