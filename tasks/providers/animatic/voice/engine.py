"""Finds eSpeak NG on this machine, and chooses its voice for a speaker and a language.

It is under the GPL, version 3 or later, and speaks in a process of its own; here only its version is asked for. Unlike
Piper, of the same licence, it needs no model beside it, and it speaks more than 100 languages. 2026-11-29.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import sys
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from storyreel.specs.frozen import Frozen
from storyreel.tasks.settings import GUIDE_VOICE, Settings

_NAMES = {
    "win32": ("libespeak-ng.dll",),
    "darwin": tuple(
        f"{folder}libespeak-ng.1.dylib" for folder in ("", "/opt/homebrew/lib/", "/usr/local/lib/", "/opt/local/lib/")
    ),
}
_PACKAGE = "espeakng_loader"
"""The package of `storyreel[voice]`: the library and its data, as wheels for Linux, macOS and Windows."""
_IN_PACKAGE = {"win32": "espeak-ng.dll", "darwin": "libespeak-ng.dylib"}

REMEDY = "pip install 'storyreel[voice]'"

_VARIANTS = ("m3", "f2", "m1", "f4", "m7", "f5", "m2", "f3", "m5", "f1")
"""Voices that differ well in pitch and timbre, those of men and of women in turn."""
_BY_SCRIPT = {
    "CJK": "cmn", "HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "CYRILLIC": "ru", "GREEK": "el", "ARABIC": "ar",
    "HEBREW": "he", "DEVANAGARI": "hi", "THAI": "th", "BENGALI": "bn", "TAMIL": "ta", "TELUGU": "te", "GEORGIAN": "ka",
    "ARMENIAN": "hy", "GUJARATI": "gu", "GURMUKHI": "pa", "KANNADA": "kn", "MALAYALAM": "ml", "MYANMAR": "my",
    "SINHALA": "si", "ETHIOPIC": "am",
}  # fmt: skip
"""Languages by the first word of the names of their letters, where none is written."""
_OTHER_CODES = {"zh": "cmn", "no": "nb"}


class Engine(Frozen):
    """An eSpeak NG on this machine."""

    library: str
    """Its path, or a name that the system finds it by."""
    data: str = ""
    """The folder that its data are in; empty for the library's own."""
    version: str

    @property
    def name(self) -> str:
        """Its name with its version, which is in the keys of what it speaks."""
        return f"espeak-ng {self.version}"


def engine(environment: Mapping[str, str] = os.environ) -> Engine | None:
    """The eSpeak NG of this machine, that of `storyreel[voice]` before the system's; None without one, or if it is off.

    Raises SettingsError.
    """
    return None if Settings.read({GUIDE_VOICE: environment.get(GUIDE_VOICE, "")}).guide_voice == "off" else _found()


@lru_cache(maxsize=1)
def _found() -> Engine | None:
    package = importlib.util.find_spec(_PACKAGE)
    if package and package.origin:
        folder = Path(package.origin).parent
        library = str(folder / _IN_PACKAGE.get(sys.platform, "libespeak-ng.so"))
        if version := _version(library):
            return Engine(library=library, data=str(folder / "espeak-ng-data"), version=version)
    for name in _NAMES.get(sys.platform, ("libespeak-ng.so.1",)):
        if version := _version(name):
            return Engine(library=name, version=version)
    return None


def _version(library: str) -> str:
    """Its version; empty if there is no such library here."""
    try:
        told = ctypes.CDLL(library).espeak_Info
    except (OSError, AttributeError):
        return ""
    told.restype = ctypes.c_char_p
    # `1.51 …` of a system may have the date of its build after it.
    return bytes(told(None) or b"").decode("ascii", "replace").split(maxsplit=1)[0]


def voices(speaker: str, language: str, text: str) -> tuple[str, ...]:
    """The engine's names of voices for a speaker, the best first; the same for a speaker in every shot.

    `language` is a code as `en` or `pt-BR`, or empty: then it is guessed by the letters, and English by Latin ones.
    """
    variant = _VARIANTS[hashlib.sha256(speaker.encode()).digest()[0] % len(_VARIANTS)] if speaker else _VARIANTS[0]
    code = language.lower()
    codes = [code, code.partition("-")[0]] if code else [_guessed(text)]
    spoken = dict.fromkeys([*(_OTHER_CODES.get(one, one) for one in codes), "en"])
    return tuple(f"{one}+{variant}" for one in spoken)


def _guessed(text: str) -> str:
    scripts = Counter(
        _BY_SCRIPT.get(unicodedata.name(letter, "?").split()[0].split("-")[0], "en")
        for letter in text
        if letter.isalpha()
    )
    if scripts["ja"]:
        return "ja"  # of which most letters may be Chinese
    return max(scripts, key=lambda code: (scripts[code], code)) if scripts else "en"
