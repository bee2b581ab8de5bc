"""Secrets in text: keys, passwords and signatures are replaced by `…` before a text is shown, stored or sent."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus, unquote

MARK = "…"
"""The sign in place of a secret."""

_VARIABLE = re.compile(r"(?:KEY|SECRET|TOKEN|PASSWORD|PASSWD|AUTH_STRING|CREDENTIALS)$")
"""Names of environment variables that hold a secret."""
_SHORTEST = 8
"""Characters of a variable's value from which on it is looked for: `true` and `1` stand everywhere."""

# Most texts have neither an address nor a parameter, so that those two are compiled by the first that has one.
# Repetitions are bounded, so that no text takes longer than its length.
_USER = (
    # `user:password@` is the example that messages give. A password may hold a slash and, wrongly written, an @.
    r"(?<=://)(?!user:password@)(?:[^\s:/@\"'<>]{0,200}:(?!\d+[/?#])[^\s@\"]{0,400}|[^\s/?#@\"'<>]{1,400})@"
    r"(?:[^\s/?#@\"]{0,200}@){0,5}"
)
_WORDS = (
    r"(?:[\w.-]{0,40}(?:pass(?:word|wd|phrase)|pwd|secret|token|signature|credential|api[_-]?key"
    r"|access[_-]?key(?:[_-]?id)?)s?)"
)
_IN_QUERIES = (
    rf"(?:{_WORDS}|key|pass|auth|sig|sign|hmac|policy|key-pair-id|x-(?:amz|goog|oss|cos|ms|bce|tos)-[\w-]{{1,40}})"
)
_PARAMETER = rf"(?i)((?:[?&;#]{_IN_QUERIES}|(?<![\w-]){_WORDS})=)(?!…)[^\s&;#\"'<>]+"
_HEADER = re.compile(r"\b(Bearer|Basic)(\s+)[\w.~+/=-]{8,}")


def hidden(text: str, secrets: Iterable[str] = (), environment: Mapping[str, str] = os.environ) -> str:
    """The text without secrets: `secrets`, those of the environment's variables, and those of addresses and headers.

    A secret is also found in an address's or a header's encoding of it.
    """
    # The environment is read anew each time, which takes longer than to print what most cells of a table hold.
    of_variables = _of_variables(environment) if len(text) >= _SHORTEST else ()
    for secret in (*secrets, *of_variables):
        for form in _forms(secret):
            text = text.replace(form, MARK)
    text = re.sub(_USER, f"{MARK}@", text) if "://" in text else text
    text = re.sub(_PARAMETER, rf"\1{MARK}", text) if "=" in text else text
    return _HEADER.sub(rf"\1\2{MARK}", text)


def passwords(url: str) -> list[str]:
    """The password of an address, as it is written there and as it is meant; empty if it has none.

    Of a password with a slash, also what a library that takes the slash for the host's end shows of it.
    """
    user = url.partition("://")[2].rpartition("@")[0]
    written = user.partition(":")[2]
    cut = user.partition("/")[0] if "/" in written else ""
    return list(dict.fromkeys(filter(None, (unquote(written), written, cut))))


def _of_variables(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        if _VARIABLE.search(name):
            secrets = [value.strip()]
        elif "://" in value and "@" in value:
            secrets = passwords(value)
        else:
            continue
        # A password that is a plain word, such as `postgres`, stands in texts for what it means.
        for found in secrets:
            if len(found) >= _SHORTEST and not (found.isalpha() and found.islower() and len(found) < 2 * _SHORTEST):
                yield found


def _forms(secret: str) -> Iterator[str]:
    if secret:
        coded = base64.b64encode(secret.encode(errors="surrogateescape")).decode().rstrip("=")
        yield from dict.fromkeys((secret, quote(secret, safe=""), quote(secret), quote_plus(secret), coded))
