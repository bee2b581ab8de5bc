"""The clip store as a task uses it: in a thread, and what keeps it from answering is told as a service's trouble is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from storyreel.tasks.bucket import BucketUnavailable, BucketUnusable
from storyreel.tasks.providers.errors import Terminal, Transient

Result = TypeVar("Result")


async def asked(work: Callable[..., Result], *arguments: object, what: str = "", hint: str = "") -> Result:
    """What the store answers; `what` begins the message when it does not, `hint` is what then helps.

    Raises Transient when its bucket is away, and Terminal when the bucket or its settings must be changed first.
    """
    try:
        return await asyncio.to_thread(work, *arguments)
    except BucketUnavailable as error:
        raise Transient(what + error.message, hint=hint or error.hint) from error
    except BucketUnusable as error:
        raise Terminal(what + error.message, hint=error.hint or hint) from error
