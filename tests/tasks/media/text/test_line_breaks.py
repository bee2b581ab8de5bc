"""Lines end where readers of the script expect it, and never inside of what they take for one letter."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from storyreel.tasks.media.text.line_breaks import clusters, pieces
from tests.fonts import LINES

_ALPHABET = "ab é\u0301夜の、。「」ー한국ภาษาไทยวิ่งखेतक्षि👨\u200d👩👋🏽🇩🇪❤\ufe0f1\u20e3\u200b(!?“”"


@given(st.text(_ALPHABET, max_size=60))
def test_no_letter_is_lost_and_none_is_cut(text: str) -> None:
    text = " ".join(text.split())
    found = list(pieces(text))
    assert "".join(found).replace("\u200b", "") == text.replace("\u200b", "")
    if "\u200b" not in text:
        assert sum(len(clusters(piece)) for piece in found) == len(clusters(text))


@given(st.text("夜の踏切で、。！？「」『』（）ーっゃァ…", min_size=2, max_size=40))
def test_no_line_begins_with_a_closing_mark_or_ends_with_an_opening_one(text: str) -> None:
    found = list(pieces(text))
    assert not any(piece[0] in "、。！？」』）ーっゃァ…" for piece in found[1:])
    assert not any(piece[-1] in "「『（" for piece in found[:-1])


def test_chinese_may_break_after_every_character() -> None:
    assert list(pieces("路灯下地面")) == ["路", "灯", "下", "地", "面"]
    assert list(pieces("播放量37？")) == ["播", "放", "量", "37？"]


def test_thai_breaks_between_words() -> None:
    assert list(pieces("เด็กหญิงวิ่งข้ามสะพานในสายฝน")) == ["เด็ก", "หญิง", "วิ่งข้าม", "สะพาน", "ใน", "สายฝน"]


def test_korean_and_latin_break_at_spaces() -> None:
    assert list(pieces("비 오는 골목, café №5")) == ["비 ", "오는 ", "골목, ", "café ", "№5"]


@pytest.mark.parametrize("letter", ["👨‍👩‍👧", "👋🏽", "🇩🇪", "1️⃣", "क्षि", "ẍ̣", "한"])
def test_what_is_one_letter_is_one_cluster(letter: str) -> None:
    assert clusters(letter) == [letter] and clusters(letter * 3) == [letter] * 3


@pytest.mark.parametrize("script", LINES)
def test_clusters_are_those_of_unicode(script: str) -> None:
    assert clusters(LINES[script]) == regex.findall(r"\X", LINES[script])
