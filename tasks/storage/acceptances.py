"""Orders that a service has accepted and that the ledger may not have yet, on the disk of the host that sent them.

The ledger may be locked by another program, or its server away, and the process be killed meanwhile: without a note
the service's id of what was bought would be lost with it. Where the answer to an order is the product itself, its link
is kept here until the product is in the store: the service does not tell it again.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money
from storyreel.tasks.storage.bucket import Bucket, BucketError
from storyreel.tasks.storage.files import write_whole

_SHARED = "accepted"
"""Folder in the bucket."""
_MOST_BYTES = 256 << 10


class Acceptance(Frozen):
    """An order that a service has accepted."""

    key: str
    """The take's key."""
    task: str
    """The service's id of the order."""
    cost: Money | None = None
    at: datetime
    """The time at which the answer came, by this host's clock."""
    answer: str = ""
    """The product, as JSON, of an order that was answered with it; else empty."""


def keep_acceptance(folder: Path, acceptance: Acceptance) -> bool:
    """Write an acceptance into the folder, flushed to the disk; False if that failed. It stays until `discard`."""
    try:
        write_whole(_file(folder, acceptance), acceptance.model_dump_json(), durable=True, private=True)
    except (OSError, ValueError):  # ValueError: an id that UTF-8 cannot hold, which the ledger escapes
        return False
    return True


def acceptances(folder: Path, key: str = "") -> list[Acceptance]:
    """The acceptances of a take, or all. Raises no error."""
    found = []
    with suppress(OSError):
        for file in sorted(folder.glob(f"{key}*.json")):
            with suppress(OSError, ValidationError):
                found.append(Acceptance.model_validate_json(file.read_bytes()))
    return found


def discard_acceptance(folder: Path, acceptance: Acceptance, *, with_answer: bool = False) -> None:
    """Delete an acceptance: the ledger has it. One with the product only `with_answer`, when that is stored, or of an
    order that is over."""
    if acceptance.answer and not with_answer:
        return
    with suppress(OSError):
        _file(folder, acceptance).unlink()


def share_acceptance(bucket: Bucket, acceptance: Acceptance) -> None:
    """Put an acceptance with its product where other hosts find it. Raises no error: this host has it."""
    with suppress(BucketError, ValueError):
        name = _name(acceptance.key, acceptance.task)
        bucket.write(f"{_SHARED}/{name}", acceptance.model_dump_json().encode())


def shared_acceptance(bucket: Bucket, key: str, task: str) -> Acceptance | None:
    """The acceptance of an order that another host has shared; None if there is none. Raises BucketError."""
    content = bucket.read(f"{_SHARED}/{_name(key, task)}", _MOST_BYTES)
    with suppress(ValidationError):
        return Acceptance.model_validate_json(content) if content else None
    return None


def discard_shared(bucket: Bucket, key: str, task: str) -> None:
    """Delete a shared acceptance: its product is in the store. Raises no error."""
    with suppress(BucketError):
        bucket.remove(f"{_SHARED}/{_name(key, task)}")


def _file(folder: Path, acceptance: Acceptance) -> Path:
    return folder / _name(acceptance.key, acceptance.task)


def _name(key: str, task: str) -> str:
    # A service's id may have letters that no file name has.
    order = hashlib.sha256(task.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{key}-{order}.json"
