"""Signed callbacks of a service: checks that one is genuine and recent, and reads the task that it names.

Source: Freepik's page on webhooks. `webhook-signature` is a space-separated list of `v1,<base64>`, each an
HMAC-SHA256 of `{webhook-id}.{webhook-timestamp}.{raw body}`. Its samples disagree about the secret (three take its
characters, one decodes it from base64), so both are tried. It does not document a time window, order or repetition.
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

from storyreel.specs.errors import StoryreelError
from storyreel.specs.frozen import Frozen

TOLERANCE_SECONDS = 300
"""Greatest difference of a callback's own time from this clock; beyond it, the callback may be a replay."""

MAX_BODY_BYTES = 64 << 10
"""Greatest size of a callback's body; a genuine one has a few hundred bytes."""

_MAX_SIGNATURES = 10
"""Number of signatures that are compared; after a change of the secret a callback has two."""

_TASK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class InvalidSignature(StoryreelError):
    """A callback is not signed with the secret, or not recently. The message never holds the right signature."""


class InvalidCallback(StoryreelError):
    """A callback is signed, but its body names no task."""


class Callback(Frozen):
    """A service's message about a task. The task must be polled before it is believed."""

    id: str
    """The id of the message, the same for each repetition."""
    task: str
    """The service's id of the task."""
    status: str
    """The service's word for the task's status, may be empty."""


class CallbackReader:
    """Verifies and reads callbacks that are signed with a secret. The secret is not shown by `repr`."""

    def __init__(self, secret: str) -> None:
        self._keys = _keys(secret)

    def __repr__(self) -> str:
        return "CallbackReader(secret=…)"

    def read(self, headers: Mapping[str, str], body: bytes, now: float) -> Callback:
        """The callback in a POST. `headers` have lower-case names, `now` is in seconds since 1970.

        Raises InvalidSignature if it is unsigned, too old or signed with another secret, InvalidCallback if it names no
        task.
        """
        id, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        signatures = headers.get("webhook-signature", "")
        if not (id and sent and signatures):
            raise InvalidSignature("it is not signed")
        if not re.fullmatch(r"[0-9]{1,12}", sent) or abs(now - int(sent)) > TOLERANCE_SECONDS:
            raise InvalidSignature(f"its time is more than {TOLERANCE_SECONDS // 60} minutes from this machine's")
        if not self._is_genuine(f"{id}.{sent}.".encode() + body, signatures):
            raise InvalidSignature("it is signed with another secret")
        return _callback(id, body)

    def _is_genuine(self, message: bytes, signatures: str) -> bool:
        """Whether one of the signatures is right. Compares every signature with every key, in constant time."""
        right = ["v1," + base64.b64encode(hmac.digest(key, message, hashlib.sha256)).decode() for key in self._keys]
        given = signatures.split()[:_MAX_SIGNATURES]
        return sum(hmac.compare_digest(one.encode(), each.encode()) for one in given for each in right) > 0


class SeenMessages:
    """The ids of handled messages, kept for as long as a repetition would still be accepted as recent."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._times: OrderedDict[str, float] = OrderedDict()

    def __contains__(self, id: str) -> bool:
        return id in self._times

    def __len__(self) -> int:
        return len(self._times)

    def add(self, id: str, now: float) -> None:
        """Add a message's id, and drop those that are too old to be repeated, or the oldest if there are too many."""
        self._times[id] = now
        self._times.move_to_end(id)
        while len(self._times) > self._most or next(iter(self._times.values())) < now - 2 * TOLERANCE_SECONDS:
            self._times.popitem(last=False)


def _keys(secret: str) -> tuple[bytes, ...]:
    try:
        return secret.encode(), base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        return (secret.encode(),)


def _callback(id: str, body: bytes) -> Callback:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidCallback("its body is not JSON") from error
    task = content.get("task_id") if isinstance(content, dict) else None
    # The id becomes part of an address that is polled.
    if not isinstance(task, str) or not _TASK.fullmatch(task):
        raise InvalidCallback("it names no task")
    status = content.get("status")
    return Callback(id=id[:200], task=task, status=status if isinstance(status, str) else "")
