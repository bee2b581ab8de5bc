"""Foreign text can be stored and shown: nothing in it is obeyed, nothing is unseen, and an id is given back exactly."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.foreign_text import exact, kept, printable, storable

ANY = st.text(st.characters(exclude_categories=()) | st.sampled_from("\\xuU01bd8\0\r\n\u200d\u202e\ud83d\x1b"))


@given(ANY)
def test_what_is_stored_is_utf_8_without_nul(text: str) -> None:
    for stored in (storable(text), printable(text), kept(text)):
        assert "\0" not in stored
        stored.encode()


@given(ANY)
def test_nothing_printed_is_a_command_to_a_terminal_or_turns_the_direction_of_what_follows(text: str) -> None:
    for sign in printable(text).replace("\r\n", ""):
        assert sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cs", "Zl", "Zp")
        assert sign not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2060\ufeff"


@given(ANY)
def test_what_was_kept_is_given_back_exactly(text: str) -> None:
    assert exact(kept(text)) == text


@given(ANY)
def test_to_make_a_text_storable_or_printable_once_more_changes_nothing(text: str) -> None:
    assert storable(storable(text)) == storable(text)
    assert printable(printable(text)) == printable(text)


@pytest.mark.parametrize(
    "text",
    [
        "می‌خواهم",  # Persian: a non-joiner inside a word
        "क्‍ष",  # Devanagari: a joiner after a virama
        "ක්‍රියා",  # Sinhala
        "👩🏽‍🚀 ❤️‍🔥 🏳️‍🌈 🙂‍↔️ 1️⃣ ☂︎",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "葛\U000e0100城",
        "ភាសា\u200bខ្មែរ",
        "שלום\u200f!",
        "日本語 中文 한국어 ไทย हिन्दी Ünïcödé",
        "two\nlines\r\nand\ta tab",
        r"C:\users\x41 \u4e2d",
    ],
)
def test_what_the_scripts_of_the_world_need_stays(text: str) -> None:
    assert printable(text) == text
    assert kept(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cut \ud83d", r"cut \ud83d"),
        ("a\0b", r"a\x00b"),
        ("\x1b[31mred\x9b0m", r"\x1b[31mred\x9b0m"),
        ("over\rwritten", r"over\x0dwritten"),
        ("film\u202egnp.exe", r"film\u202egnp.exe"),
        ("pay\u200bpal \u200cx\u200d", r"pay\u200bpal \u200cx\u200d"),
        ("a\ufe0f\ufe0f", "a\ufe0f\\ufe0f"),
        ("hi\U000e0041\U000e0042", r"hi\U000e0041\U000e0042"),
        ("line\u2028break", r"line\u2028break"),
        ("latin\u200f", r"latin\u200f"),
    ],
)
def test_what_hides_or_commands_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_text_that_looks_like_an_escape_is_told_from_one() -> None:
    assert kept(r"\ud83d") == r"\x5cud83d"
    assert kept("\ud83d") == r"\ud83d"
