"""Subtitles read well: few letters a line and a second, not over cuts, with a pause; and whatever is said is shown."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.timing import FrameRate
from storyreel.tasks.media.text.line_breaks import clusters
from storyreel.tasks.subtitles.cues import GAP, Cue, Departure, SaidLine, make_cues

RATE = FrameRate.parse("24")
LONG = "The light has not gone out in forty years, and yet tonight nobody is there to see it turn."
SCRIPTS = {
    "Latin": LONG,
    "Chinese": "灯塔四十年来从未熄灭过，可是今晚却没有人在那里看着它转动。当最后一位守塔人离开，没有人知道会发生什么。",
    "Japanese": "東京の灯台は四十年間一度も消えたことがありません。しかし今夜は誰もいません。",
    "Korean": "등대는 사십 년 동안 한 번도 꺼진 적이 없지만 오늘 밤에는 아무도 그곳에 없습니다.",
    "Thai": "ประภาคารไม่เคยดับมาสี่สิบปีแล้วแต่คืนนี้ไม่มีใครอยู่ที่นั่นเพื่อดูมันหมุน" * 2,
    "Devanagari": "चालीस वर्षों से यह प्रकाश कभी बुझा नहीं है, फिर भी आज रात वहाँ कोई नहीं है जो इसे घूमते हुए देखे।",
    "Arabic": "لم ينطفئ الضوء منذ أربعين عامًا، ومع ذلك لا يوجد أحد هناك الليلة ليراه وهو يدور حول نفسه.",
    "emoji": "🌊" * 40 + " " + "👩‍🚀" * 12,
}


def weight(text: str, narrow: int, wide: int) -> Fraction:
    """Letters of a text as a part of what may be in a line, or read in a second."""
    parts = (Fraction(1, wide if unicodedata.east_asian_width(c[0]) in "WF" else narrow) for c in clusters(text))
    return sum(parts, Fraction(0))


def solid(text: str) -> str:
    return "".join(text.split())


@st.composite
def films(draw: st.DrawFn) -> tuple[list[SaidLine], list[int], int]:
    """Lines in a film: some follow each other, some are said at the same time, some go on over cuts."""
    cuts = [0, *accumulate(draw(st.lists(st.integers(1, 200), min_size=1, max_size=6)))]
    frames = cuts.pop()
    letters = st.sampled_from(
        ["a", "of", "light,", "keeper.", "x" * 60, "灯塔，", "の", "등대", "👩‍🚀", "ไม่มีใคร", "الضوء"]
    )
    texts = st.lists(letters, min_size=1, max_size=40).map(" ".join)
    lines = [
        SaidLine(str(number), draw(texts), first := draw(st.integers(0, frames - 1)), draw(st.integers(first, frames)))
        for number in range(draw(st.integers(1, 6)))
    ]
    return lines, cuts, frames


def broken(cues: Sequence[Cue], cuts: Sequence[int]) -> set[tuple[str, Cue]]:
    """The rules that cues do not keep, found by looking at them alone."""
    fast = {("fast", cue) for cue in cues if weight(cue.text, 17, 9) > Fraction(cue.frames) / RATE.exact}
    over = {("cut", cue) for cue in cues if any(cue.first < cut < cue.end for cut in cuts)}
    return fast | over | {("gap", cue) for cue, after in pairwise(cues) if after.first - cue.end < GAP}


@given(films())
def test_rules_are_kept_or_told_and_every_word_is_shown_in_its_order(
    film: tuple[list[SaidLine], list[int], int],
) -> None:
    lines, cuts, frames = film
    cues, departures = make_cues(lines, cuts, frames, RATE)
    assert all(1 <= len(cue.lines) <= 2 and all(cue.lines) for cue in cues)
    assert all(weight(line, 42, 16) <= 1 for cue in cues for line in cue.lines)
    assert all(0 <= cue.first < cue.end <= frames for cue in cues)
    assert all(before.end <= after.first for before, after in pairwise(cues)), "two are shown at once"
    assert {(each.rule, each.cue) for each in departures if each.rule != "lost"} == broken(cues, cuts)
    for line in lines:
        parts = [
            cue for cue in (*cues, *(each.cue for each in departures if each.rule == "lost")) if cue.shot == line.shot
        ]
        assert sorted(solid("".join(cue.text for cue in parts))) == sorted(solid(line.text))
        shown = [cue for cue in cues if cue.shot == line.shot]
        if len(shown) == len(parts):
            assert solid("".join(cue.text for cue in shown)) == solid(line.text)


@given(
    st.lists(st.sampled_from(["sea", "light", "keeper", "forty years,", "tonight."]), min_size=12, max_size=40),
    st.lists(st.integers(60, 200), min_size=1, max_size=4),
)
def test_a_line_at_the_pace_of_speech_is_over_no_cut(words: list[str], shots: list[int]) -> None:
    """Its words are never more than half a second from a cut, so it can be parted at each."""
    text = " ".join(words)
    *cuts, frames = [0, *accumulate(shots)]
    end = min(-(-24 * len(text) // 12), frames)
    _, departures = make_cues([SaidLine("1", text[: 12 * end // 24], 0, end)], cuts, frames, RATE)
    assert not [each for each in departures if each.rule in ("cut", "lost")]


@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)
def test_every_script_is_broken_into_lines_of_its_measure(text: str) -> None:
    cues, _ = make_cues([SaidLine("1", text, 0, 480)], [0], 480, RATE)
    assert solid("".join(cue.text for cue in cues)) == solid(text)
    assert all(weight(line, 42, 16) <= 1 and len(cue.lines) <= 2 for cue in cues for line in cue.lines)
    assert all(cluster in clusters(text) for cue in cues for line in cue.lines for cluster in clusters(line))


def texts(cues: Sequence[Cue]) -> list[tuple[int, int, tuple[str, ...]]]:
    return [(cue.first, cue.end, cue.lines) for cue in cues]


def rules(departures: Sequence[Departure]) -> list[str]:
    return [each.rule for each in departures]


def test_a_long_line_is_parted_where_it_pauses() -> None:
    cues, departures = make_cues([SaidLine("1", f"{LONG} Then it is dark.", 0, 240)], [0], 240, RATE)
    assert [cue.lines for cue in cues] == [
        ("The light has not gone out in forty years,",),
        ("and yet tonight nobody is there", "to see it turn. Then it is dark."),
    ]
    assert not departures


def test_a_line_is_parted_at_the_cut_that_it_is_heard_over() -> None:
    cues, departures = make_cues([SaidLine("1", LONG, 0, 180)], [0, 90], 200, RATE)
    assert [(cue.first, cue.end) for cue in cues] == [(0, 88), (90, 180)]
    assert cues[0].lines == ("The light has not gone out in forty years,",) and not departures


def test_a_phrase_of_a_script_without_spaces_is_not_parted_for_a_cut() -> None:
    cues, departures = make_cues([SaidLine("1", "一枚だけの画面。", 0, 96)], [0, 24, 48, 72], 96, RATE, language="ja")

    assert texts(cues) == [(0, 46, ("一枚だけの",)), (48, 96, ("画面。",))]
    assert rules(departures) == ["cut", "cut"]


def test_a_line_that_reaches_over_a_cut_by_a_moment_ends_with_the_shot() -> None:
    cues, departures = make_cues([SaidLine("1", "Who is there?", 100, 158)], [0, 150], 300, RATE)
    assert texts(cues) == [(100, 150, ("Who is there?",))] and not departures
    cues, departures = make_cues([SaidLine("1", "Who is there?", 140, 200)], [0, 150], 300, RATE)
    assert texts(cues) == [(150, 200, ("Who is there?",))] and not departures


def test_what_cannot_be_parted_is_told() -> None:
    cues, departures = make_cues([SaidLine("1", "Nobody.", 30, 90)], [0, 60], 120, RATE)
    assert texts(cues) == [(30, 90, ("Nobody.",))] and rules(departures) == ["cut"]


def test_a_short_line_is_shown_as_long_as_it_is_read_in_up_to_the_next_and_to_the_cut() -> None:
    said = [SaidLine("1", "Who's there?", 10, 14), SaidLine("1", "Only me.", 24, 28), SaidLine("1", "Oh!", 90, 94)]
    cues, departures = make_cues(said, [0, 100], 200, RATE)
    assert texts(cues) == [(10, 22, ("Who's there?",)), (24, 44, ("Only me.",)), (90, 100, ("Oh!",))]
    assert rules(departures) == ["fast"] and departures[0].letters_a_second == 24


def test_lines_at_the_same_time_follow_each_other() -> None:
    said = [SaidLine("1", "Come back here at once!", 0, 72), SaidLine("2", "I am not going anywhere.", 12, 60)]
    cues, departures = make_cues(said, [0], 200, RATE)
    assert [cue.lines for cue in cues] == [("Come back here at once!",), ("I am not going anywhere.",)]
    assert cues[0].end + GAP == cues[1].first and not departures


def test_what_has_no_time_is_told_and_not_shown() -> None:
    cues, departures = make_cues([SaidLine("1", f"line {n}", 0, 1) for n in range(3)], [0, 1], 1, RATE)
    assert len(cues) == 1 and rules(departures).count("lost") == 2


def test_signs_without_a_width_are_no_subtitle() -> None:
    assert make_cues([SaidLine("1", "\u200b", 0, 24)], [0], 48, RATE) == ((), ())


def test_without_adjustment_a_line_is_shown_just_while_it_is_heard() -> None:
    said = [SaidLine("1", "Who's there?", 10, 14), SaidLine("1", "Only me.", 14, 28)]
    assert texts(make_cues(said, [0], 200, RATE, is_adjusted=False)[0]) == [
        (10, 14, ("Who's there?",)), (14, 28, ("Only me.",)),
    ]  # fmt: skip
