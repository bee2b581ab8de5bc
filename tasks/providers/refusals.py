"""The refusals and failures of services: their code if they have one, and whether moderation is the reason."""

from __future__ import annotations

import re
from typing import TypeVar

from storyreel.tasks.providers.errors import Refusal

Kind = TypeVar("Kind", bound=Refusal)

CONTENT_CODES = ("DataInspectionFailed", "IPInfringementSuspect", "CustomRoleBlocked")
"""Codes of Wan's moderation, from Model Studio's page on error codes; the resellers pass them on."""
CONTENT_WORDS = ("content policy", "inappropriate content", "moderation", "sensitive content", "nsfw")
"""Words of moderation that are searched for in reasons without a code."""
_BRACKETED = re.compile(r"^\[([A-Za-z][\w.]*)\]\s*(.*)$", re.DOTALL)


def refusal(kind: type[Kind], what: str, *, service: str, code: str, reason: str) -> Kind:
    """An error of the given kind with the service's reason: `apiyi refused it: InvalidParameter: …`."""
    code, plain = split_code(code, reason)
    text = f"{code}: {plain}" if code and code not in plain else plain
    is_content = _is_content(code, plain)
    hint = "its moderation objects: change the words or the pictures of the shot" if is_content else ""
    error = kind(f"{service} {what}: {text or 'no reason given'}", service=service, hint=hint)
    error.code, error.is_content = code, is_content
    return error


def split_code(code: str, reason: str) -> tuple[str, str]:
    """Code and text of a reason. If `code` is empty, it is taken from a text of the form `[Code] text`."""
    found = _BRACKETED.match(reason)
    return (found[1], found[2]) if found and not code else (code, reason)


def _is_content(code: str, reason: str) -> bool:
    """Whether moderation is the reason. A code of Model Studio decides; without one the words of the text do.

    Its codes begin with a capital letter; those of the resellers, `fail_to_fetch_task`, do not, and tell less.
    """
    if code[:1].isupper():
        return code.startswith(CONTENT_CODES)
    return any(word in reason.lower() for word in CONTENT_WORDS)
