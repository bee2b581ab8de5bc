"""The languages of a film and its subtitles are understood however they are written, and a mistake is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storyreel.specs.language.finishing.subtitles import Subtitles, translations_name
from storyreel.specs.language.tongues import language_code, language_name
from storyreel.specs.storyboard import Storyboard

Films = Callable[..., Storyboard]


def test_subtitles_are_written_bare_or_with_keys(film: Films) -> None:
    assert film("").subtitles is None and not film("").has_subtitle_tracks
    assert film("subtitles: true\n").subtitles == Subtitles() and film("subtitles: true\n").has_subtitle_tracks
    burnt = film("subtitles: burn_in\n")
    assert burnt.subtitles == Subtitles(burn_in=True) and burnt.burnt_in_language == ""
    other = film("languages: [EN, fr, zh_hant]\nsubtitles: {burn_in: true, language: ZH-hant}\n")
    assert other.languages == ("en", "fr", "zh-Hant") and other.burnt_in_language == "zh-Hant"
    assert film("languages: [en, fr]\nsubtitles: true\n").burnt_in_language is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("languages: [en, jp]\n", "3:17: there is no language `jp` (`ja` is the language)"),
        ("languages: [en, EN]\n", "3:17: `en` is named twice (once is enough)"),
        ("languages: [english]\n", "3:13: entry 1 of `languages` is `english`, but must be a language's tag"),
        (
            "languages: [en]\nsubtitles: {burn_in: true, language: fr}\n",
            "4:38: `fr` is not among the film's `languages`",
        ),
        ("subtitles: {style: film}\n", "3:20: `style` is that of subtitles in the picture, and none are"),
        ("subtitles: fr\n", "3:12: `subtitles` must have keys of its own"),
    ],
)
def test_a_mistake_is_told_at_its_place(wrong: Callable[..., list[str]], text: str, told: str) -> None:
    assert any(one.startswith(told) for one in wrong(text))


def test_a_language_has_its_own_name_and_the_code_of_an_mp4() -> None:
    tags = ("en", "fr", "zh-Hant", "pt-BR", "de-AT", "yue", "")
    assert [language_name(tag) for tag in tags] == [
        "English", "Français", "繁體中文", "Português (Brasil)", "Deutsch (AT)", "yue", "",
    ]  # fmt: skip
    assert [language_code(tag) for tag in tags] == ["eng", "fra", "zho", "por", "deu", "yue", "und"]


def test_the_translations_are_named_as_their_storyboard() -> None:
    assert translations_name("my.film.yaml") == "my.film.translations.yaml"
