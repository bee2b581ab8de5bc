"""Files of subtitles are what other programs read: pysubs2 and webvtt-py judge them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pysubs2
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from storyreel.tasks.subtitles.formats import TimedText, subrip
from storyreel.tasks.subtitles.formats import webvtt as written_webvtt
from tests.properties import one_in

LINES = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="{}<>\\"), min_size=1, max_size=20
).filter(lambda line: not line.strip().isdigit() and line.strip() != "")


@st.composite
def subtitles(draw: st.DrawFn) -> list[TimedText]:
    frame, found = 0, []
    for _ in range(draw(st.integers(1, 5))):
        begin = frame + draw(st.integers(0, 10**5))
        frame = begin + draw(st.integers(1, 10**5))
        times = Fraction(begin * 1001, 24000), Fraction(frame * 1001, 24000)
        found.append(TimedText(*times, tuple(draw(st.lists(LINES, min_size=1, max_size=2)))))
    return found


@one_in(3)
@given(subtitles())
def test_subrip_is_read_as_it_was_meant(texts: list[TimedText]) -> None:
    found = pysubs2.SSAFile.from_string(subrip(texts), format_="srt")
    assert [(int(each.begin * 1000), int(each.end * 1000)) for each in texts] == [(one.start, one.end) for one in found]
    assert ["\n".join(each.lines) for each in texts] == [one.plaintext for one in found]


def test_webvtt_is_read_as_it_was_meant(tmp_path: Path) -> None:
    texts = [
        TimedText(Fraction(3700), Fraction(3701), ("Who's <there> & <b>what</b>?", "--> 1")),
        TimedText(Fraction(3702), Fraction(3703), ("{\\an8} not markup",)),
    ]
    file = tmp_path / "film.vtt"
    file.write_text(written_webvtt(texts))
    found = webvtt.read(str(file))
    assert [(one.start[6:], one.end[6:]) for one in found] == [("40.000", "41.000"), ("42.000", "43.000")]
    written = [one.raw_text for one in found]
    assert written == ["Who's &lt;there&gt; &amp; &lt;b&gt;what&lt;/b&gt;?\n--&gt; 1", "{\\an8} not markup"]


def test_an_arrow_in_a_text_is_no_line_of_times() -> None:
    text = subrip([TimedText(Fraction(1), Fraction(2), ("00:00:01,000 --> 00:00:02,000",))])
    assert text.count("-->") == 1
