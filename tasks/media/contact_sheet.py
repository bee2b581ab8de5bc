"""A contact sheet: every shot of a film as one small picture with its slate, on pages of bounded size."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from av.video.frame import VideoFrame
from PIL import Image

from storyreel.specs.cut import Cut, Event
from storyreel.specs.timing import FrameRate
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.frames import STRIP, displayed_image, frame_width, middle_frame
from storyreel.tasks.media.probe import decoded_frames, no_picture, open_clip, picture_stream
from storyreel.tasks.media.text.layout import Weight, one_line
from storyreel.tasks.media.text.typefaces import STANDARD, Fonts
from storyreel.tasks.storage.files import replacing

WIDTH = 1920
"""Pixels of a page's width."""

_GROUND = (19, 20, 23, 255)
_BRIGHT = (236, 234, 228, 255)
_DIM = (142, 145, 152, 255)
_MARGIN, _GAP, _HEADER, _CAPTION = 56, 24, 112, 58
_NARROWEST = 240
"""Pixels of a picture's width at which its caption is still legible."""
_ROWS = 12
"""Most rows of pictures on a page."""
_KEPT_QUALITY = 95
_SHORT = 12
"""Frames. In a shot this short or shorter every frame is decoded, so that the picture is certainly from this shot."""


class Grid(NamedTuple):
    """The layout of a page, in pixels."""

    columns: int
    rows: int
    width: int
    height: int

    @classmethod
    def of(cls, shots: int, ratio: float) -> Grid:
        """The largest pictures with which a page is about as high as wide, but wide enough for a legible caption."""
        inner = WIDTH - 2 * _MARGIN
        most = (inner + _GAP) // (_NARROWEST + _GAP)
        fewest = max(2, min(shots, 4 if ratio >= 1 else 6))
        columns = min(most, max(math.ceil(math.sqrt(shots / ratio)), fewest))
        width = (inner - (columns - 1) * _GAP) // columns
        return cls(columns, min(_ROWS, math.ceil(shots / columns)), width, round(width / ratio))

    @property
    def pictures(self) -> int:
        """Most pictures on a page."""
        return self.columns * self.rows

    def pages(self, cut: Cut) -> range:
        """The numbers of a film's pages, from 0."""
        return range(math.ceil(len(cut.events) / self.pictures))

    def events(self, cut: Cut, page: int) -> tuple[Event, ...]:
        """The events on a page."""
        return cut.events[page * self.pictures : (page + 1) * self.pictures]

    def place(self, number: int) -> tuple[int, int]:
        """The top left corner of a picture on its page; pictures are counted from 0."""
        row, column = divmod(number, self.columns)
        return (_MARGIN + column * (self.width + _GAP), _HEADER + row * (self.height + _CAPTION))

    def page_height(self, pictures: int) -> int:
        """The height of a page with this number of pictures."""
        return _HEADER + math.ceil(pictures / self.columns) * (self.height + _CAPTION) + _MARGIN // 2


def shot_picture(file: Path, frame: int, length: int, rate: FrameRate, size: tuple[int, int]) -> bytes:
    """A shot's picture for the sheet, as JPEG: a frame of a file, or in a long shot, of more than `_SHORT` frames, the
    next one after it that others are predicted from. Call it in a thread. Raises MediaError.
    """
    wanted = rate.seconds(frame)
    with open_clip(file) as clip:
        stream = picture_stream(clip, file)
        assert stream.time_base is not None
        stream.codec_context.skip_frame = "NONREF" if length > _SHORT else "DEFAULT"
        begin = (stream.start_time or 0) * stream.time_base
        clip.seek(int((begin + wanted) / stream.time_base), stream=stream, backward=True)
        found: VideoFrame | None = None
        for found in decoded_frames(clip, stream):
            if found.pts is not None and found.pts * stream.time_base - begin >= wanted:
                break
        if found is None:
            raise no_picture(file)
        return _drawn(displayed_image(found, stream).convert("RGB"), size)


def examined_picture(clip: Path, size: tuple[int, int]) -> bytes:
    """The picture of a shot that is all of an examined clip: the middle frame of the strip beside it, without
    decoding the clip. Empty if there is no strip, or its frames are smaller."""
    beside = clip.with_suffix(STRIP)
    if beside == clip:  # A service has sent a picture in place of a clip.
        return b""
    try:
        with Image.open(beside, formats=["JPEG"]) as strip:
            if frame_width(strip) < size[0] or strip.height < size[1]:
                return b""
            return _drawn(middle_frame(strip), size)
    except (OSError, SyntaxError, ValueError):
        return b""


def _drawn(picture: Image.Image, size: tuple[int, int]) -> bytes:
    drawn = io.BytesIO()
    small = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2)
    small.save(drawn, "JPEG", quality=_KEPT_QUALITY, subsampling=0)
    return drawn.getvalue()


def draw_page(
    number: int, pictures: Sequence[bytes], cut: Cut, ratio: float, *, title: str, fonts: Fonts = STANDARD
) -> bytes:
    """Draw a page of a film's contact sheet as JPEG: for each shot its picture, slate, timecode and length.

    Pages are counted from 0. `pictures` are by `shot_picture` or `examined_picture`, one for each of the page's
    `Grid.events`, in the size of `Grid.of`; `ratio` is the film's. Call it in a thread.
    """
    grid = Grid.of(len(cut.events), ratio)
    page = _page(cut, grid.events(cut, number), grid, title, fonts, number=number + 1)
    for at, picture in enumerate(pictures):
        with Image.open(io.BytesIO(picture)) as drawn:
            page.paste(drawn, grid.place(at))
    content = io.BytesIO()
    page.convert("RGB").save(content, "JPEG", quality=88, subsampling=0, optimize=True)
    return content.getvalue()


def write_pages(pages: Sequence[bytes], into: Path) -> list[Path]:
    """Write the pages of a contact sheet; returns their files. Raises MediaError.

    The first is `into`; further ones, from some 80 shots on, are numbered: `name-2.jpg`. A file is complete or absent.
    """
    files = [into, *(into.with_stem(f"{into.stem}-{number}") for number in range(2, len(pages) + 1))]
    for file, page in zip(files, pages, strict=True):
        try:
            with replacing(file) as fresh:
                fresh.write_bytes(page)
        except OSError as error:
            raise MediaError(
                f"{file} cannot be written: {error.strerror}", hint="check the free space on the disk"
            ) from error
    return files


def _page(cut: Cut, events: Sequence[Event], grid: Grid, title: str, fonts: Fonts, number: int) -> Image.Image:
    page = Image.new("RGBA", (WIDTH, grid.page_height(len(events))), _GROUND)
    right = WIDTH - _MARGIN
    facts = f"{len(cut.events)} shots  ·  {cut.rate.timecode(cut.frames)}  ·  {cut.rate} fps"
    if len(cut.events) > grid.pictures:
        facts += f"  ·  page {number} of {math.ceil(len(cut.events) / grid.pictures)}"
    stated = one_line(facts, WIDTH // 2, 22)
    stated.draw(page, right, 52, _DIM, "right")
    head = one_line(title, WIDTH - 3 * _MARGIN - stated.width, 34, Weight.BOLD, fonts)
    head.draw(page, _MARGIN, 40, _BRIGHT)
    for at, event in enumerate(events):
        x, y = grid.place(at)
        y += grid.height + 9
        length = one_line(f"{float(cut.rate.seconds(event.frames)):.2f} s", grid.width // 3, 15)
        when = one_line(cut.rate.timecode(event.start), grid.width // 2, 15)
        slate = one_line(event.shot, grid.width - when.width - length.width - 28, 18, Weight.BOLD, fonts)
        slate.draw(page, x, y, _BRIGHT)
        when.draw(page, x + grid.width - length.width - 14, y + 2, _DIM, "right")
        length.draw(page, x + grid.width, y + 2, _DIM, "right")
    return page
