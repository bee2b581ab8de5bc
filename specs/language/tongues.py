"""Languages by their tags: which there are, their names in themselves, and their codes in an MP4.

A tag is that of BCP 47, as far as subtitles need one: a language, and where it matters a script and a region.
`languages.txt` has every language of ISO 639-1 with its code of ISO 639-2/T and its name in CLDR (pycountry 24.6,
Babel 2.19, read 2026-11-29). A language of three letters is any of ISO 639-3.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, StringConstraints, WithJsonSchema

from storyreel.specs.language.values import LANGUAGE_TAG

_NAMES = {
    "es-419": "Español (Latinoamérica)",
    "pt-BR": "Português (Brasil)",
    "pt-PT": "Português (Portugal)",
    "zh-Hans": "简体中文",
    "zh-Hant": "繁體中文",
}
"""Names that a region or a script gives in the language itself."""
UNKNOWN = "und"
"""The code in an MP4 of a language that is not named."""


def _canonical(value: object) -> object:
    return canonical_tag(value.strip()) if isinstance(value, str) else value


def canonical_tag(text: str) -> str:
    """A tag with its letters in their usual case: `pt-BR`, `zh-Hant`. What is no tag is left as it is."""
    if not is_tag(text):
        return text
    language, *rest = re.split("[-_]", text)
    return "-".join((language.lower(), *(part.title() if len(part) == 4 else part.upper() for part in rest)))


Language = Annotated[
    str,
    StringConstraints(pattern=LANGUAGE_TAG),
    BeforeValidator(_canonical),
    WithJsonSchema({"type": "string", "pattern": LANGUAGE_TAG}),
]
"""The tag of a language: `en`, `pt-BR`, `zh-Hant`."""


_MISTAKEN = {"cn": "zh", "cz": "cs", "dk": "da", "gr": "el", "jp": "ja", "ua": "uk"}
"""Countries that are taken for languages."""


def unknown_language(tag: str) -> str:
    """Advice on a tag whose language does not exist; empty if it does."""
    language = tag.partition("-")[0]
    if len(language) > 2 or language in _languages():
        return ""
    return f"`{_MISTAKEN[language]}` is the language" if language in _MISTAKEN else "tags are those of ISO 639-1"


def language_name(tag: str) -> str:
    """The name of a language in itself, for menus; empty for no tag."""
    if tag in _NAMES or not tag:
        return _NAMES.get(tag, "")
    language, _, more = tag.partition("-")
    name = _languages()[language][1] if language in _languages() else language
    return f"{name} ({more})" if more else name


def language_code(tag: str) -> str:
    """The code of ISO 639-2/T or 639-3 of a tag, by which an MP4 names a language."""
    language = tag.partition("-")[0]
    return _languages()[language][0] if language in _languages() else language or UNKNOWN


def is_tag(text: str) -> bool:
    """Whether a text has the form of a language's tag."""
    return re.fullmatch(LANGUAGE_TAG, text) is not None


@cache
def _languages() -> dict[str, tuple[str, str]]:
    """Code and name of each language of two letters."""
    lines = Path(__file__).with_name("languages.txt").read_text(encoding="utf-8").splitlines()
    return {tag: (code, name) for tag, code, name in (line.split(" ", 2) for line in lines)}
