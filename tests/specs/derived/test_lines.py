"""Where each line is heard, and how long shots are that last as their lines do."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.cut import build_cut
from storyreel.specs.derived.lines import (
    PlacedLine,
    estimated_seconds,
    line_warnings,
    lines_of,
    placed_lines,
    spoken_frames,
)
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Storyboard
from tests.properties import one_in

FILM = """\
format: {fps: 25}
cast: {mira: {}}
shots:
  - {shot: 1A, action: x, duration: speech, pad: 0.2s, narration: One., dialogue: [{mira: Two.}]}
  - {shot: 1B, action: x, duration: 2s, narration: [Three., {line: Four., from: 1s, through: 1D, speaker: mira}]}
  - {shot: 1C, action: x, duration: speech}
  - {shot: 1D, action: x, duration: speech, narration: Five.}
"""
LENGTHS = {
    "1A@line-1": Fraction(1),
    "1A@narration-1": Fraction(101, 100),
    "1B@narration-1": Fraction(1, 2),
    "1B@narration-2": Fraction(4),
    "1D@narration-1": Fraction(1),
}


def frames(placed: tuple[PlacedLine, ...]) -> dict[str, tuple[int, int]]:
    return {one.line.slate: (one.first_frame, one.end_frame) for one in placed}


def test_a_shot_lasts_as_its_dialogue_then_its_narration_and_what_goes_on_is_shared(
    film: Callable[[str], Storyboard],
) -> None:
    storyboard = film(FILM)
    spoken = spoken_frames(storyboard, LENGTHS)
    # 5 before, 25 of dialogue, 26 in which 1.01 s are heard, 5 after. Of 1B's 4 s 25 frames are in 1B, and 75 are
    # shared; then 1D has a line of its own.
    assert spoken == {"1A": 5 + 25 + 26 + 5, "1C": 38, "1D": 37 + 25}
    cut = build_cut(storyboard, spoken)
    assert frames(placed_lines(storyboard, cut, LENGTHS)) == {
        "1A@line-1": (5, 30), "1A@narration-1": (30, 55), "1B@narration-1": (61, 74), "1B@narration-2": (86, 186),
        "1D@narration-1": (186, 211),
    }  # fmt: skip
    assert cut.frames == 211 and not list(line_warnings(storyboard, cut, LENGTHS))


def test_what_has_no_length_is_estimated_and_a_line_that_does_not_fit_is_told(
    film: Callable[[str], Storyboard],
) -> None:
    storyboard = film(
        "format: {fps: 25}\ncast: {mira: {}}\nshots:\n"
        "  - {shot: 1A, action: x, duration: 1s, narration: The light has not gone out in forty years.}\n"
        "  - {shot: 1B, action: x, duration: 1s, dialogue: [{mira: Hello}]}\n"
    )
    told = list(line_warnings(storyboard, build_cut(storyboard), {}))
    assert len(told) == 1 and told[0].startswith("the narration of 1A ends about 2.3 s after shot 1A")
    known = list(
        line_warnings(storyboard, build_cut(storyboard), {"1A@narration-1": Fraction(1), "1B@line-1": Fraction(2)})
    )
    assert known == ["the dialogue of 1B ends 1 s after shot 1B: make it longer, or write `duration: speech`"]


def test_chinese_is_read_slower_by_letter_than_english() -> None:
    assert 3 < estimated_seconds("The light has not gone out in forty years.") < 4
    assert 3 < estimated_seconds("这盏灯四十年来从未熄灭过。") < 4
    assert estimated_seconds("") == Fraction(1, 2)


@pytest.mark.parametrize(
    ("shot", "message"),
    [
        ("duration: speech", "shot 1A lasts as long as what is said in it, and nothing is"),
        ("pad: 1s, narration: x", "`pad` has no effect: shot 1A lasts 5s, not as long as what is said in it"),
        ("narration: {line: x, through: 9Z}", "there is no shot `9Z` to speak through"),
        ("narration: {line: x, speaker: bob}", "unknown speaker `bob`"),
        ("narration: {line: x, from: 00:00:00:39}", "names frame 39"),
        ("narration: {speaker: narrator}", "`line` is missing"),
        ("duration: spech, narration: x", "`duration` is `spech`: this is not a duration"),
        ("narration: {line: x, sound: none.wav}", "`none.wav` does not exist"),
    ],
)
def test_a_mistake_in_what_is_said_is_told_at_its_place(write: Callable[[str], Path], shot: str, message: str) -> None:
    with pytest.raises(StoryboardError) as refused:
        read(write(f"shots: [{{shot: 1A, action: x, {shot}}}]\n"))
    assert message in str(refused.value) and ":3:" in str(refused.value)


@pytest.mark.parametrize("duration", ["speech", "2s"])
def test_a_default_pad_is_for_the_shots_that_last_as_speech_and_is_told_where_none_does(
    film: Callable[[str], Storyboard], duration: str
) -> None:
    storyboard = film(
        "defaults: {pad: 1s}\nscenes:\n  - scene: 1\n    defaults: {pad: 2s}\n    shots:\n"
        "      - {shot: 1A, action: x, narration: Hi}\n"
        f"  - {{scene: 2, shots: [{{shot: 2A, action: x, duration: {duration}, narration: Hi}}]}}\n"
    )
    why = "`pad` in the defaults of {} changes nothing: no shot of it has `duration: speech`"
    told = [why.format(whose) for whose in (["scene 1"] if duration == "speech" else ["the film", "scene 1"])]
    assert list(line_warnings(storyboard, build_cut(storyboard, spoken_frames(storyboard, {})), {})) == told


def test_a_shot_for_which_nothing_of_what_is_said_is_left_is_refused(film: Callable[[str], Storyboard]) -> None:
    storyboard = film(
        "shots:\n  - {shot: 1A, action: x, narration: {line: x, through: 1B}}\n"
        "  - {shot: 1B, action: x, duration: speech}\n"
    )
    with pytest.raises(StoryboardError, match="nothing of what is said is left for shot 1B"):
        build_cut(storyboard, spoken_frames(storyboard, {}))


_LINES = st.lists(
    st.tuples(st.text("abc .,你好", min_size=1, max_size=40).filter(str.strip), st.integers(1, 9000)), max_size=4
)


@one_in(2)
@given(shots=st.lists(st.tuples(_LINES, st.booleans(), st.integers(0, 9)), min_size=1, max_size=5))
def test_every_line_is_in_its_shot_that_lasts_as_speech_and_lines_of_one_kind_never_overlap(
    tmp_path_factory: pytest.TempPathFactory, shots: list[tuple[list[tuple[str, int]], bool, int]]
) -> None:
    file = tmp_path_factory.mktemp("film") / "film.yaml"
    lines, lengths = [], {}
    for number, (said, lasts, pad) in enumerate(shots):
        quoted = ", ".join(f'"{text}"' for text, _ in said)
        duration = f"duration: speech, pad: {pad}f" if lasts and said else "duration: 20s"
        lines.append(f"  - {{shot: S{number}, action: x, {duration}, narration: [{quoted}]}}")
        lengths |= {f"S{number}@narration-{n}": Fraction(ms, 1000) for n, (_, ms) in enumerate(said, 1)}
    file.write_text("storyboard: 1\ntitle: x\nformat: {fps: 23.976}\nshots:\n" + "\n".join(lines), encoding="utf-8")
    film = read(file)
    spoken = spoken_frames(film, lengths)
    cut = build_cut(film, spoken)
    placed = placed_lines(film, cut, lengths)
    assert [one.line for one in placed] == list(lines_of(film)) or cut.frames < 9 * 24 * len(placed)
    for before, after in pairwise(placed):
        assert before.end <= after.begin
    events = {event.shot: event for event in cut.events}
    rate = cut.rate
    for number, (said, lasts, pad) in enumerate(shots):
        mine = [one for one in placed if one.line.shot == f"S{number}"]
        if not (lasts and said):
            continue
        event = events[f"S{number}"]
        assert event.frames == 2 * pad + sum(math.ceil(Fraction(ms, 1000) * rate.exact) for _, ms in said)
        for one in mine:
            assert one.end - one.begin == lengths[one.line.slate], "never cut off"


def test_the_lines_that_a_service_speaks_count_among_the_takes_of_a_film(write: Callable[[str], Path]) -> None:
    said = ", ".join(["x"] * 50)
    shots = "".join(f"- {{shot: {n}, action: x, narration: [{said}]}}\n" for n in range(600))
    with pytest.raises(StoryboardError, match="the film asks for 30600 takes, each service counted, at most 30000"):
        read(write(f"shots:\n{shots}"))
