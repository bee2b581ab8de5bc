"""The embedded service: it draws a shot instead of buying it, for nothing, on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, ParamSpec, TypeVar

from storyreel.specs.storyboard import Mode
from storyreel.tasks.files import replacing
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.progress import Progress
from storyreel.tasks.providers.animatic.film import clip_of, end_of
from storyreel.tasks.providers.animatic.page import lay_out
from storyreel.tasks.providers.capability import Capability
from storyreel.tasks.providers.errors import Terminal
from storyreel.tasks.providers.provider import Provider, Submission, TaskStatus
from storyreel.tasks.providers.request import Board, Request

P = ParamSpec("P")
T = TypeVar("T")


class Animatic(Provider):
    """Draws timed boards: a still under a moving camera, or a card, with slate, timecode and dialogue burnt in."""

    name = "animatic"
    capabilities: ClassVar[Mapping[Mode, Capability]] = {
        mode: Capability(mode=mode, model="animatic", last_frame=True, draws_board=True) for mode in Mode
    }
    paid = False

    async def submit(self, request: Request) -> Submission:
        """Submission at once: the drawing is done when the clip is fetched."""
        return Submission(task=request.key)

    async def poll(self, task: str) -> TaskStatus:
        """Always ready."""
        return TaskStatus(state="finished")

    async def fetch(self, request: Request, status: TaskStatus, into: Path, progress: Progress) -> None:
        """Draw the clip into a file that is complete or absent: the board's frames in house format, and its sound.

        The same request gives the same bytes. Raises Terminal, which names the file, for a picture or video that
        cannot be used.
        """
        board = _board(request)
        try:
            with replacing(into) as clip:
                house = HouseFormat(width=request.width, height=request.height, rate=board.rate)
                page = await _in_thread(lay_out, request, board)
                output = await _in_thread(clip_of, page, board, house, clip.parent, clip)
                await run(output, frames=board.frames, progress=progress)
        except MediaError as error:
            raise _refused(board, error) from error
        except OSError as error:
            raise Terminal(
                f"{board.slate}: the clip cannot be written to {into.parent}: {error.strerror or error}",
                service=self.name,
                hint="make room on that disk, or set STORYREEL_HOME to a folder on another",
            ) from error

    async def write_last_frame(self, request: Request, clip: Path, into: Path) -> bool:
        """What the camera sees at the end, without a word on it. A card has no picture that a shot could begin with."""
        board = _board(request)
        try:
            picture = await _in_thread(end_of, await _in_thread(lay_out, request, board), board)
        except MediaError as error:
            raise _refused(board, error) from error
        if picture is None:
            return False
        with replacing(into) as drawn:
            await _in_thread(lambda: picture.save(drawn, "PNG", compress_level=1))
        return True


async def _in_thread(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Do the work in a thread. A cancellation waits for its end: nothing is written into a folder that is gone."""
    thread = asyncio.ensure_future(asyncio.to_thread(work, *arguments, **named))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.gather(thread, return_exceptions=True)
        raise


def _board(request: Request) -> Board:
    if request.board is None:
        raise Terminal("the animatic was given no board to draw", service=Animatic.name, hint="storyreel plan")
    return request.board


def _refused(board: Board, error: MediaError) -> Terminal:
    return Terminal(f"{board.slate}: {error.message}", service=Animatic.name, hint=error.hint)
