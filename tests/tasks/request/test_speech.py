"""A spoken line becomes one request, the same wherever it is spoken, or is refused before anything is bought."""

from __future__ import annotations

import pytest

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.aimlapi import Aimlapi
from storyreel.tasks.providers.dashscope import DashScope
from storyreel.tasks.providers.request import Request
from storyreel.tasks.request.speech import build_speech
from storyreel.tasks.request.unsupported import Unsupported


def spoken(line: str = "The light is out.", **more: object) -> Request:
    voice, model = more.pop("voice", "Ethan"), more.pop("model", None)
    return next(build_speech(DashScope, model, line, voice=voice, **more))  # type: ignore[arg-type]


def test_a_line_is_a_request_of_its_words_voice_and_language() -> None:
    request = spoken(language="en", takes=1)
    assert (request.mode, request.model, request.prompt) == (Mode.SPEECH, "qwen3-tts-flash", "The light is out.")
    assert (request.voice, request.language, request.seconds, request.seed) == ("Ethan", "en", 0, 0)
    assert request.key == spoken(language="en").key
    others = (spoken("The light is on.", language="en"), spoken(language="en", voice="Cherry"), spoken(language="fr"))
    assert len({request.key, *(each.key for each in others)}) == 4


def test_takes_of_a_line_are_orders_of_their_own() -> None:
    takes = list(build_speech(DashScope, None, "Rain.", voice="Ethan", takes=3))
    assert [one.take for one in takes] == [1, 2, 3] and len({one.key for one in takes}) == 3
    assert takes[0].key == spoken("Rain.").key


@pytest.mark.parametrize(("written", "meant"), [("cherry", "Cherry"), ("ELDRIC SAGE", "Eldric Sage"), (None, "Cherry")])
def test_a_voice_is_found_however_it_is_written(written: str | None, meant: str) -> None:
    assert spoken(voice=written).voice == meant
    assert spoken(voice=written).key == spoken(voice=meant).key


@pytest.mark.parametrize(("written", "meant"), [("zh-Hant", "zh"), ("EN", "en"), ("pt-BR", "pt"), ("", "")])
def test_a_language_is_that_of_the_service(written: str, meant: str) -> None:
    assert spoken(language=written).language == meant


def test_a_direction_counts_only_where_the_model_takes_it() -> None:
    assert spoken(delivery="whispered").key == spoken().key
    directed = spoken(model="qwen3-tts-instruct-flash", delivery="whispered")
    assert directed.delivery == "whispered" != spoken(model="qwen3-tts-instruct-flash").delivery


@pytest.mark.parametrize(
    ("more", "field", "message", "hint"),
    [
        ({"voice": "Ethn"}, "voice", "has no voice `Ethn`", "Ethan"),
        ({"voice": "Jennifer", "model": "qwen3-tts-instruct-flash"}, "voice", "has no voice `Jennifer`", "Cherry"),
        ({"language": "th"}, "language", "does not speak `th`", "sound:"),
        ({"model": "wan2.7"}, "model", "speaks no lines with `wan2.7`", "qwen3-tts-flash"),
        ({"model": "qwen3-tts"}, "model", "has no model `qwen3-tts`", "qwen3-tts-flash"),
        ({"line": "a" * 601}, "line", "has 601 characters; .* at most 600", "two lines"),
        ({"line": "…"}, "line", "no words that qwen3-tts-flash at dashscope could speak", "sound:"),
        ({"line": "\u200b 👋"}, "line", "no words", "sound:"),
        ({"line": "海" * 301}, "line", "has 602 characters, of which a Chinese one counts as 2", "two lines"),
    ],
)
def test_what_a_service_cannot_speak_is_refused_with_what_helps(
    more: dict[str, object], field: str, message: str, hint: str
) -> None:
    with pytest.raises(Unsupported, match=message) as no:
        spoken(**more)  # type: ignore[arg-type]
    assert no.value.field == field and hint in no.value.hint


@pytest.mark.parametrize("line", ["a" * 600, "海" * 300, "の" * 600, "한" * 600])
def test_the_longest_line_is_spoken(line: str) -> None:
    assert spoken(line).prompt == line


def test_a_service_without_speech_names_those_that_have_it() -> None:
    with pytest.raises(Unsupported, match="aimlapi speaks no lines") as no:
        next(build_speech(Aimlapi, None, "Rain.", voice=None))
    assert no.value.field == "provider" and "dashscope" in no.value.hint
