"""Run ffmpeg as a child process, and CPU-bound Python in a thread: with progress, ended on cancellation."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import ffmpeg
from ffmpeg.nodes import OutputStream

from storyreel.tasks.cores import one_core
from storyreel.tasks.media.binary import Binary, find_ffmpeg
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.progress import Progress

Result = TypeVar("Result")

LONGEST_GRAPH = 8_000
"""Most characters of a filter graph on the command line; Windows allows 32,767 for the whole command."""

PATIENCE = 0.5
"""Seconds from SIGTERM to SIGKILL."""

_ALWAYS = "-y -hide_banner -nostdin -nostats -v error -progress pipe:1 -filter_complex_threads 1"

_FULL = tuple(os.strerror(code) for code in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)))
"""The words of ffmpeg for a full disk and a full quota."""

_KEPT_LINES, _KEPT_LETTERS = 12, 400
"""Last lines of ffmpeg's output in an error, and first characters of each: ffmpeg repeats whole filter graphs."""


async def run(
    output: OutputStream,
    *,
    frames: int | None = None,
    seconds: Fraction | None = None,
    progress: Progress | None = None,
) -> str:
    """Run an ffmpeg-python output, or several by `ffmpeg.merge_outputs`, to its end; returns its last complaints.

    At most one ffmpeg per core of the machine runs at a time, others wait. `progress` needs the length of the output,
    in `frames` of picture or `seconds` of sound. On cancellation the child has ended before this returns. Raises
    MediaError with the last lines that ffmpeg printed.
    """
    binary = await asyncio.to_thread(find_ffmpeg)
    async with one_core():
        with command_line(output, binary) as command:
            complaints = await _execute(command, frames, seconds, progress)
    if progress:
        progress(1.0)
    return complaints


@contextmanager
def command_line(output: OutputStream, binary: Binary) -> Iterator[list[str]]:
    """The command for an output. A long filter graph is in a file that exists while the context lasts."""
    command: list[str] = ffmpeg.compile(output, cmd=str(binary.path))
    command[1:1] = _ALWAYS.split()
    at = command.index("-filter_complex") if "-filter_complex" in command else None
    if at is None or len(command[at + 1]) <= LONGEST_GRAPH:
        yield command
        return
    with tempfile.TemporaryDirectory(prefix="storyreel-") as folder:
        graph = Path(folder) / "graph.txt"
        graph.write_text(command[at + 1], encoding="utf-8")
        # The older spelling left ffmpeg with 8; the newer one came with 7.
        option = "-/filter_complex" if binary.release >= (7, 0) else "-filter_complex_script"
        yield [*command[:at], option, str(graph), *command[at + 2 :]]


async def _execute(command: list[str], frames: int | None, seconds: Fraction | None, progress: Progress | None) -> str:
    # Its own process group, so that Ctrl-C in the terminal does not reach the child.
    group = {"creationflags": 0x200} if sys.platform == "win32" else {"start_new_session": True}
    # SVT-AV1 tells its settings among the errors if it is not told to be silent.
    environment = os.environ | {"SVT_LOG": "1"}
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=environment, **group
        )
    except OSError as error:
        raise MediaError(f"{command[0]} does not start: {error}", next="storyreel doctor") from error
    try:
        output, _ = await asyncio.gather(_last_lines(process), _report(process, frames, seconds, progress))
        code = await process.wait()
    finally:
        await _end(process)
    if code and (full := next((words for words in _FULL if words in output), "")):
        # Each part of ffmpeg says it once more.
        hint = "free disk space, or set STORYREEL_HOME to a folder on another disk"
        raise MediaError(f"ffmpeg could not write: {full.lower()}", hint=hint, next="storyreel doctor")
    if code:
        raise MediaError(
            f"ffmpeg failed (exit {code}) while writing {command[-1]}: {output or 'no output'}",
            hint="the file is damaged, or this ffmpeg does not work",
            next="storyreel doctor",
        )
    return output


async def _last_lines(process: Process) -> str:
    assert process.stderr is not None
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    async for line in _lines(process.stderr):
        lines.append(line[:_KEPT_LETTERS])
    return "\n".join(lines)


async def _report(process: Process, frames: int | None, seconds: Fraction | None, progress: Progress | None) -> None:
    """Read ffmpeg's `name=value` lines. Without `progress` they are read too: a full pipe blocks ffmpeg."""
    assert process.stdout is not None
    async for line in _lines(process.stdout):
        name, _, value = line.partition("=")
        if not progress or not value.strip().lstrip("-").isdigit():
            continue
        if name == "frame" and frames:
            progress(min(1.0, int(value) / frames))
        elif name == "out_time_us" and seconds:
            progress(min(1.0, max(0.0, float(int(value) / 1_000_000 / seconds))))


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Lines as text. Unlike the reader's own `readline` it has no limit on the length of a line."""
    rest = b""
    while block := await stream.read(65_536):
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace").strip()
    if rest.strip():
        yield rest.decode(errors="replace").strip()


async def _end(process: Process) -> None:
    """End the child if it still runs. It has ended when this returns, on cancellation too."""
    if process.returncode is not None:
        return
    _signal(process, gently=True)
    try:
        await asyncio.shield(asyncio.wait_for(process.wait(), PATIENCE))
    except (TimeoutError, asyncio.CancelledError):
        _signal(process, gently=False)
        await process.wait()


def _signal(process: Process, *, gently: bool) -> None:
    try:
        if sys.platform == "win32":
            process.terminate() if gently else process.kill()
        else:
            os.killpg(process.pid, signal.SIGTERM if gently else signal.SIGKILL)
    except ProcessLookupError:
        pass


async def in_thread_on_core(work: Callable[[Progress], Result], progress: Progress | None = None) -> Result:
    """`in_thread`, counted among the ffmpegs of `run`: it waits for a free core."""
    async with one_core():
        return await in_thread(work, progress)


class _Stopped(Exception):
    """The task that awaits the work was cancelled."""


async def in_thread(work: Callable[[Progress], Result], progress: Progress | None = None) -> Result:
    """Run `work` in a thread. It gets a function that it calls with its progress, 0 to 1, as often as it likes.

    On cancellation the next such call raises inside `work`, and the thread has ended before this returns.
    """
    loop = asyncio.get_running_loop()
    stopped = False

    def report(done: float) -> None:
        if stopped:
            raise _Stopped
        if progress:
            loop.call_soon_threadsafe(progress, done)

    working = asyncio.ensure_future(asyncio.to_thread(work, report))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        stopped = True
        await asyncio.wait([working])
        working.exception()
        raise
