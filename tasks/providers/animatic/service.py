"""The provider `animatic`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from storyreel.specs.storyboard import Mode
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.providers.capability import Capability
from storyreel.tasks.providers.errors import Terminal
from storyreel.tasks.providers.provider import Provider, Submission, TaskStatus
from storyreel.tasks.providers.request import Board, Request, WrittenCard
from storyreel.tasks.providers.sent_file import check_planned
from storyreel.tasks.storage.files import replacing
from storyreel.tasks.threads import in_threads

if TYPE_CHECKING:
    from storyreel.tasks.media.house_format import HouseFormat
    from storyreel.tasks.media.text.typefaces import Fonts
    from storyreel.tasks.progress import Progress


class Animatic(Provider):
    """Draws timed boards: a still under a moving camera, or a card, with burnt-in slate, timecode and dialogue."""

    name = "animatic"
    capabilities: ClassVar[Mapping[Mode, Capability]] = {
        mode: Capability(
            mode=mode, model="animatic", last_frame=True, draws_board=True, resolutions=("480p", "720p", "1080p")
        )
        for mode in Mode
        if mode is not Mode.SPEECH
    } | {
        Mode.SPEECH: Capability(
            mode=Mode.SPEECH, model="animatic", ratios=(), resolutions=(), first_frame=False, negative_prompt=False
        )
    }
    paid = False

    @classmethod
    def model_now(cls, capability: Capability) -> str:
        """Of speech the engine of this machine with its version, so that another one speaks the line anew."""
        if capability.mode is not Mode.SPEECH:
            return capability.model
        from storyreel.tasks.providers.animatic.voice.engine import engine

        found = engine()
        return found.name if found else capability.model

    async def submit(self, request: Request) -> Submission:
        """Accept every request: the clip is drawn in `fetch`."""
        return Submission(task=request.key)

    async def poll(self, task: str) -> TaskStatus:
        """Report every task as finished."""
        return TaskStatus(state="finished")

    async def fetch(self, request: Request, status: TaskStatus, into: Path, progress: Progress) -> None:
        """Draw the clip: the board's frames in house format, and guide sound; of a still the picture, as a JPEG; of a
        line the speech, as WAV.

        The file is complete or absent. Equal requests give equal bytes.
        Raises Terminal, which names the file, if a picture or video cannot be used.
        """
        from storyreel.tasks.media.ffmpeg import in_thread

        if request.mode is Mode.SPEECH:
            await self._speak(request, into)
            progress(1)
            return
        board = _board(request)
        try:
            async with in_threads(replacing(into)) as fresh:
                await (_draw_still if request.mode is Mode.STILL else _draw_clip)(request, board, fresh, progress)
                # After they were drawn: what changes meanwhile is noticed too, and the clip is not kept.
                await in_thread(lambda _: check_planned(each for _, each in request.attachments))
        except MediaError as error:
            raise _refused(board, error) from error
        except OSError as error:
            raise _not_written(board.slate, into, error) from error

    async def _speak(self, request: Request, into: Path) -> None:
        from storyreel.tasks.media.ffmpeg import in_thread, run
        from storyreel.tasks.providers.animatic.guide_sound import murmured
        from storyreel.tasks.providers.animatic.voice.speak import Line, speak

        line = Line(text=request.prompt, speaker=request.voice, language=request.language)
        try:
            async with in_threads(replacing(into)) as fresh:
                if request.model == self.capabilities[Mode.SPEECH].model:
                    await run(murmured(line.text, line.speaker, fresh))
                else:
                    await in_thread(lambda _: speak(request.model, [line], [fresh]))
        except MediaError as error:
            raise Terminal(error.message, service=self.name, hint=error.hint, next=error.next) from error
        except OSError as error:
            raise _not_written("the line", into, error) from error

    async def write_last_frame(self, request: Request, clip: Path, into: Path) -> bool:
        """Write what the camera shows at the end, without text. Returns False for a card, which has no picture."""
        from storyreel.tasks.media.ffmpeg import in_thread
        from storyreel.tasks.providers.animatic.film import end_of
        from storyreel.tasks.providers.animatic.page import lay_out

        board = _board(request)
        if board.written:
            return False
        try:
            picture = await in_thread(lambda _: end_of(lay_out(request, board), board))
            await in_thread(lambda _: check_planned(each for _, each in request.attachments))
        except MediaError as error:
            raise _refused(board, error) from error
        if picture is None:
            return False
        with replacing(into) as drawn:
            await in_thread(lambda _: picture.save(drawn, "PNG", compress_level=1))
        return True


async def _draw_clip(request: Request, board: Board, into: Path, progress: Progress) -> None:
    from storyreel.tasks.media.ffmpeg import in_thread, run
    from storyreel.tasks.media.house_format import HouseFormat
    from storyreel.tasks.providers.animatic.film import clip_of
    from storyreel.tasks.providers.animatic.page import lay_out

    house = HouseFormat(width=request.width, height=request.height, rate=board.rate)
    if board.written:
        await _draw_card(board.written, request, board, house, into, progress)
        return
    page = await in_thread(lambda _: lay_out(request, board))
    _check_letters(board, page.canvas.fonts)
    output = await in_thread(lambda _: clip_of(page, board, house, into.parent, into))
    await run(output, frames=board.frames, progress=progress)


async def _draw_card(
    written: WrittenCard, request: Request, board: Board, house: HouseFormat, into: Path, progress: Progress
) -> None:
    from storyreel.tasks.media.ffmpeg import in_thread, run
    from storyreel.tasks.providers.animatic.canvas import canvas_of
    from storyreel.tasks.providers.animatic.cards import card_clip_of

    fonts = canvas_of(request, board).fonts
    _check_letters(board, fonts)
    output = await in_thread(lambda _: card_clip_of(written, board, fonts, house, into.parent, into))
    await run(output, frames=board.frames, progress=progress)


async def _draw_still(request: Request, board: Board, into: Path, progress: Progress) -> None:
    from storyreel.tasks.media.ffmpeg import in_thread
    from storyreel.tasks.providers.animatic.canvas import canvas_of
    from storyreel.tasks.providers.animatic.still import still_of

    _check_letters(board, canvas_of(request, board).fonts)
    await in_thread(lambda _: still_of(request, board).save(into))
    progress(1)


def _not_written(what: str, into: Path, error: OSError) -> Terminal:
    return Terminal(
        f"{what}: it cannot be written to {into.parent}: {error.strerror or error}",
        service=Animatic.name,
        hint="make room on that disk, or set STORYREEL_HOME to a folder on another",
    )


def _board(request: Request) -> Board:
    if request.board is None:
        raise Terminal("the animatic was given no board to draw", service=Animatic.name, next="storyreel plan")
    return request.board


def _check_letters(board: Board, fonts: Fonts) -> None:
    """Raise Terminal for letters that were there when the film was planned: no clip is stored with boxes for them."""
    if not board.lettering:
        return
    import platform

    from storyreel.tasks.media.text.layout import missing_letters
    from storyreel.tasks.media.text.typefaces import remedy

    missing = {letter for text in board.texts for letter in missing_letters(text, fonts)} - set(board.missing)
    if missing:
        raise Terminal(
            f"{board.slate}: no font on {platform.node() or 'this host'} has "
            f"{' '.join(sorted(missing)[:12])}; there was one where the film was planned",
            service=Animatic.name,
            hint=remedy(),
        )


def _refused(board: Board, error: MediaError) -> Terminal:
    return Terminal(f"{board.slate}: {error.message}", service=Animatic.name, hint=error.hint, next=error.next)
