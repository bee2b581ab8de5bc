from __future__ import annotations

import asyncio
from pathlib import Path

from storyreel.tasks.join.mux import GrowingFile


async def test_all_that_is_written_is_read_and_then_the_end(tmp_path: Path) -> None:
    path, read = tmp_path / "growing", bytearray()

    def reader(file: GrowingFile) -> None:
        with file:
            while content := file.read(7):
                read.extend(content)

    growing = GrowingFile(path)
    reading = asyncio.create_task(asyncio.to_thread(reader, growing))
    await asyncio.sleep(0.03)  # it waits for a file that is not there yet
    with path.open("wb") as file:
        for part in (b"first, ", b"second and ", b"third"):
            file.write(part)
            file.flush()
            await asyncio.sleep(0.02)
    growing.finish()
    await reading
    assert read == b"first, second and third"


async def test_a_file_that_never_comes_ends_too(tmp_path: Path) -> None:
    growing = GrowingFile(tmp_path / "nothing")
    growing.finish()
    assert await asyncio.to_thread(growing.read, 10) == b""
