"""Orders that a service has accepted and that the ledger may not have yet, on the disk of the host that sent them.

The ledger may be locked by another program, or its server away, and the process be killed meanwhile: without a note
the service's id of what was bought would be lost with it.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money
from storyreel.tasks.storage.files import write_whole


class Acceptance(Frozen):
    """An order that a service has accepted."""

    key: str
    """The take's key."""
    task: str
    """The service's id of the order."""
    cost: Money | None = None
    at: datetime
    """When the answer came, by this host's clock."""


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


def discard_acceptance(folder: Path, acceptance: Acceptance) -> None:
    """Delete an acceptance: the ledger has it."""
    with suppress(OSError):
        _file(folder, acceptance).unlink()


def _file(folder: Path, acceptance: Acceptance) -> Path:
    # A service's id may have letters that no file name has.
    order = hashlib.sha256(acceptance.task.encode(errors="surrogatepass")).hexdigest()[:16]
    return folder / f"{acceptance.key}-{order}.json"
