"""A file that is read while another process still writes it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

_PAUSE = 0.01
"""Seconds between two looks at whether there is more."""


class Growing:
    """Reads like a pipe: waits where nothing is left to read, and ends after `finish` was called."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._finished = threading.Event()

    def finish(self) -> None:
        """Nothing more will be written. From any thread."""
        self._finished.set()

    def read(self, size: int) -> bytes:
        """At most so many bytes, at least one; none at the end. Waits, so call it in a thread."""
        while True:
            # Looked at before reading: what was written until then is not missed.
            finished = self._finished.is_set()
            content = self._read(size)
            if content or finished:
                return content
            time.sleep(_PAUSE)

    def _read(self, size: int) -> bytes:
        if self._file is None:
            if not self._path.exists():
                return b""
            self._file = self._path.open("rb")
        return self._file.read(size)

    def __enter__(self) -> Growing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()
