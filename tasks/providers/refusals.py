"""Reading a service's reasons: its code where it has one, and whether it is its moderation that objects."""

from __future__ import annotations

import re
from typing import TypeVar

from storyreel.tasks.providers.errors import Refusal

Kind = TypeVar("Kind", bound=Refusal)

_CONTENT_CODES = ("DataInspectionFailed", "IPInfringementSuspect", "CustomRoleBlocked")
"""Of Wan's moderation, from Model Studio's page on error codes; the resellers pass them on."""
_CONTENT_WORDS = ("content policy", "inappropriate content", "moderation", "sensitive content", "nsfw")
"""Looked for where no code is given at all."""
_BRACKETED = re.compile(r"^\[([A-Za-z][\w.]*)\]\s*(.*)$", re.DOTALL)


def verdict(kind: type[Kind], what: str, *, service: str, code: str, reason: str, hint: str = "") -> Kind:
    """A refusal or failure in the service's words: `apiyi refused it: [InvalidParameter] …`."""
    code, plain = unbracketed(code, reason)
    said = f"{code}: {plain}" if code and code not in plain else plain
    error = kind(f"{service} {what}: {said or 'no reason given'}", service=service, hint=hint)
    error.code, error.is_content = code, _is_content(code, plain)
    if error.is_content and not hint:
        error.hint = "its moderation objects: change the words or the pictures of the shot"
    return error


def unbracketed(code: str, reason: str) -> tuple[str, str]:
    """A reason's code and its text, where a gateway has written `[Code] text`."""
    found = _BRACKETED.match(reason)
    return (found[1], found[2]) if found and not code else (code, reason)


def _is_content(code: str, reason: str) -> bool:
    """By the code. Free text is a guess, made only where there is no code."""
    if code:
        return code.startswith(_CONTENT_CODES)
    return any(word in reason.lower() for word in _CONTENT_WORDS)
