"""The answers of services to orders that could not be used, kept as they came, so that a person can read them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from storyreel.tasks.storage.files import keep_private, make_private_folder

_MOST_BYTES = 256 << 10


def keep_answer(folder: Path, key: str, answer: bytes) -> Path | None:
    """Write an answer to an order into the folder, readable for this user alone; its path, None if that failed.

    The folder is made if necessary. An earlier answer to an order of the same key stays.
    """
    path = folder / f"{key[:12]}-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}.txt"
    try:
        make_private_folder(folder)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(answer[:_MOST_BYTES])
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return None
    keep_private(path)
    return path
