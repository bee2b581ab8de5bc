"""Callbacks that a service signs: whether one is genuine and fresh, and what it says.

Source: Freepik's page on webhooks. `webhook-signature` is a space-separated list of `v1,<base64>`, each an
HMAC-SHA256 of `{webhook-id}.{webhook-timestamp}.{raw body}`. Its samples disagree about the secret (three take its
characters, one decodes it from base64), so both are tried. It says nothing about a window, order or repetition.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections import OrderedDict
from collections.abc import Mapping

from storyreel.specs.frozen import Frozen

WINDOW = 300
"""Seconds by which a callback's own time may differ from ours; beyond it somebody may be replaying it."""

LARGEST = 64 << 10
"""Bytes of a callback's body; a true one has a few hundred."""

_SIGNATURES = 10
"""That are compared at most; after a change of secrets there are two."""

_TASK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class Forged(Exception):
    """Not signed by the service, or not now. The message says which, and nothing about the signature it should have."""


class Malformed(Exception):
    """Signed, but not what a callback looks like."""


class Callback(Frozen):
    """What a service says of a task, before anybody has asked whether it is so."""

    id: str
    """The message's own id: the same when it is sent again."""
    task: str
    """As the service calls it."""
    status: str
    """The service's own word, may be empty."""


class Signed:
    """Reads callbacks that are signed with a secret, which it never shows."""

    def __init__(self, secret: str) -> None:
        self._keys = _keys(secret)

    def __repr__(self) -> str:
        return "Signed(secret=…)"

    def read(self, headers: Mapping[str, str], body: bytes, now: float) -> Callback:
        """The callback in a POST. `headers` are by lower-case name, `now` is in seconds since 1970.

        Raises Forged when it is unsigned, stale or signed by somebody else, Malformed when it says no task.
        """
        id, written = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        given = headers.get("webhook-signature", "")
        if not (id and written and given):
            raise Forged("it is not signed")
        if not re.fullmatch(r"[0-9]{1,12}", written) or abs(now - int(written)) > WINDOW:
            raise Forged(f"its time is more than {WINDOW // 60} minutes away from ours")
        if not self._is_genuine(f"{id}.{written}.".encode() + body, given):
            raise Forged("its signature is not made with the secret that we have")
        return _said(id, body)

    def _is_genuine(self, message: bytes, given: str) -> bool:
        """In constant time: every signature is compared with every key, whatever the others gave."""
        true = ["v1," + base64.b64encode(hmac.digest(key, message, hashlib.sha256)).decode() for key in self._keys]
        signatures = given.split()[:_SIGNATURES]
        return sum(hmac.compare_digest(one.encode(), each.encode()) for one in signatures for each in true) > 0


class Seen:
    """Which messages were dealt with, as far back as a repetition would still be taken for fresh."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._times: OrderedDict[str, float] = OrderedDict()

    def __contains__(self, id: str) -> bool:
        return id in self._times

    def __len__(self) -> int:
        return len(self._times)

    def add(self, id: str, now: float) -> None:
        """Remember a message; the oldest are forgotten, those first that nobody could send again."""
        self._times[id] = now
        self._times.move_to_end(id)
        while len(self._times) > self._most or next(iter(self._times.values())) < now - 2 * WINDOW:
            self._times.popitem(last=False)


def _keys(secret: str) -> tuple[bytes, ...]:
    try:
        return secret.encode(), base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        return (secret.encode(),)


def _said(id: str, body: bytes) -> Callback:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed("its body is no JSON") from error
    task = said.get("task_id") if isinstance(said, dict) else None
    # The task becomes part of an address that we ask at.
    if not isinstance(task, str) or not _TASK.fullmatch(task):
        raise Malformed("it names no task")
    status = said.get("status")
    return Callback(id=id[:200], task=task, status=status if isinstance(status, str) else "")
