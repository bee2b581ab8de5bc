"""An order of speech in Model Studio's form, for qwen3-tts-flash and qwen3-tts-instruct-flash, and its answer, which is
the sound.

Sources, read 2026-11-29: Model Studio's reference "Speech synthesis (Qwen-TTS)" and its guide; the answer also as
agicto.com/docs/api-reference/audio/qwen-tts shows it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from tests.services.checking import Field, Violation
from tests.services.sales import Order

VOICES: Mapping[str, tuple[str, ...]] = {
    "qwen3-tts-flash": (
        *("Cherry", "Serena", "Ethan", "Chelsie", "Dylan", "Jada", "Sunny", "Nofish", "Jennifer", "Li", "Marcus"),
        *("Roy", "Peter", "Eric", "Rocky", "Kiki", "Ryan", "Katerina", "Elias", "Momo", "Moon", "Maia", "Kai", "Bella"),
        *("Aiden", "Eldric Sage", "Mia", "Mochi", "Bellona", "Vincent", "Bunny", "Neil", "Arthur", "Nini", "Ebona"),
        *("Seren", "Pip", "Stella", "Bodega", "Sonrisa", "Alek", "Dolce", "Sohee", "Ono Anna", "Lenn", "Emilien"),
        *("Andre", "Radio Gol", "Vivian"),
    ),
    "qwen3-tts-instruct-flash": (
        *("Cherry", "Serena", "Ethan", "Chelsie", "Momo", "Vivian", "Moon", "Maia", "Kai", "Nofish", "Bella"),
        *("Eldric Sage", "Mia", "Mochi", "Bellona", "Vincent", "Bunny", "Neil", "Elias", "Arthur", "Nini", "Seren"),
        *("Pip", "Stella"),
    ),
}
"""By model."""
LANGUAGES = (
    *("Auto", "Chinese", "English", "German", "Italian", "Portuguese", "Spanish", "Japanese", "Korean", "French"),
    "Russian",
)
MOST = 600
"""Characters of a text, counted as they are billed."""


def fields(model: str) -> dict[str, Field]:
    """The table of a model."""
    spoken = {
        "text": Field("text", needed=True, least=1),
        "voice": Field("text", needed=True),
        "language_type": Field("text", choices=LANGUAGES),
    }
    if model == "qwen3-tts-instruct-flash":
        spoken |= {"instructions": Field("text", least=1), "optimize_instructions": Field("boolean")}
    return {
        "model": Field("text", needed=True, choices=tuple(VOICES)),
        "input": Field("object", needed=True, fields=spoken),
        # The `dashscope` package sends it, empty.
        "parameters": Field("object", fields={}),
    }


def combinations(body: Mapping[str, Any]) -> list[Violation]:
    """Errors in values that are each of the right kind."""
    text, voice, wrong = body["input"]["text"], body["input"]["voice"], []
    if voice not in VOICES[body["model"]]:
        wrong.append(Violation(("input", "voice"), "choice", "a voice of the model", voice))
    if (has := billed(text)) > MOST:
        wrong.append(Violation(("input", "text"), "long", f"at most {MOST}", str(has)))
    return wrong


def order(body: Mapping[str, Any]) -> Order:
    """The order."""
    return Order(body["model"], body["input"]["text"], 0, "", "", 0, 0, voice=body["input"]["voice"])


def billed(text: str) -> int:
    """The characters of a text that are billed: a Chinese one as two, in Japanese and Korean text too."""
    return sum(2 if unicodedata.name(letter, "").startswith("CJK ") else 1 for letter in text)


def answer(request_id: str, text: str, link: str, expires: float) -> dict[str, object]:
    """The answer to an order."""
    sound = {"data": "", "url": link, "id": f"audio_{request_id}", "expires_at": int(expires)}
    return {
        "output": {"finish_reason": "stop", "audio": sound},
        "usage": {"characters": billed(text)},
        "request_id": request_id,
    }
