"""Qwen's speech, which Model Studio sells: its voices and languages, the body of an order, and the answer, which has
the link to the sound.

Sources, read 2026-11-29: Model Studio's reference "Speech synthesis (Qwen-TTS)"
(alibabacloud.com/help/en/model-studio/qwen-tts-api, of 2026-03-15 and 2026-10-12) for the body and the answer, and its
guide (help.aliyun.com/model-studio/qwen-tts) for the languages, the 600 characters and how they are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.capability import Capability, Model, model_of
from storyreel.tasks.providers.http.response import text_at
from storyreel.tasks.providers.request import Request

PATH = "/api/v1/services/aigc/multimodal-generation/generation"
CHARACTERS = ("usage", "characters")
"""The path of the billed characters in an answer."""

_LANGUAGES: Mapping[str, str] = MappingProxyType(
    {
        "zh": "Chinese",
        "en": "English",
        "de": "German",
        "it": "Italian",
        "pt": "Portuguese",
        "es": "Spanish",
        "ja": "Japanese",
        "ko": "Korean",
        "fr": "French",
        "ru": "Russian",
    }
)
"""Its names of the languages by our codes."""
_VOICES = (
    *("Cherry", "Serena", "Ethan", "Chelsie", "Momo", "Vivian", "Moon", "Maia", "Kai", "Nofish", "Bella", "Jennifer"),
    *("Ryan", "Katerina", "Aiden", "Eldric Sage", "Mia", "Mochi", "Bellona", "Vincent", "Bunny", "Neil", "Elias"),
    *("Arthur", "Nini", "Ebona", "Seren", "Pip", "Stella", "Bodega", "Sonrisa", "Alek", "Dolce", "Sohee", "Ono Anna"),
    *("Lenn", "Emilien", "Andre", "Radio Gol", "Jada", "Dylan", "Li", "Marcus", "Roy", "Peter", "Sunny", "Eric"),
    *("Rocky", "Kiki"),
)
"""The 49 that the guide counts, by the names in its SDK for Java, `AudioParameters.Voice`; read 2026-11-29."""
INSTRUCTED_VOICES = tuple(
    voice
    for voice in _VOICES[: _VOICES.index("Bodega")]
    if voice not in ("Jennifer", "Ryan", "Katerina", "Aiden", "Ebona")
)
"""The voices of `qwen3-tts-instruct-flash`: powower.mintlify.app/cn/zmodelAudio/ali/qwen3-tts-instruct-flash."""


def qwen_speech(model: str, **differing: Any) -> Model:
    """A model that speaks. A Chinese character counts as two for the price; that it does for the 600 characters as well
    is not said, and assumed, as a text that is too long might be cut."""
    return model_of(
        Capability(
            **{
                "mode": Mode.SPEECH,
                "model": model,
                "ratios": (),
                "resolutions": (),
                "images": 0,
                "videos": 0,
                "first_frame": False,
                "negative_prompt": False,
                "prompt_length": 600,
                "han_counts": 2,
                "speakers": _VOICES,
                "languages": tuple(_LANGUAGES),
                "answers_at_once": True,
                **differing,
            }
        )
    )


def speech_body(request: Request) -> dict[str, Any]:
    """The order of a spoken line. A direction is sent as it is written: its model may not rewrite it."""
    spoken = {"text": request.prompt, "voice": request.voice, "language_type": _LANGUAGES.get(request.language, "Auto")}
    if request.delivery:
        return {
            "model": request.model,
            "input": {**spoken, "instructions": request.delivery, "optimize_instructions": False},
        }
    return {"model": request.model, "input": spoken}


def speech_link(answer: Any) -> str:
    """The link to the sound in an answer, which lives for 24 hours; empty if it has none."""
    return text_at(answer, "output", "audio", "url")
