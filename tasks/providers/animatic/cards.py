"""The clips of cards and credits: words alone, without slate, timecode or sound."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import ffmpeg
from ffmpeg.nodes import FilterableStream, OutputStream
from PIL import Image

from storyreel.specs.language.titles import Credits
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.media.text.typefaces import Fonts
from storyreel.tasks.providers.request import Board, WrittenCard
from storyreel.tasks.titles.cards import draw_card
from storyreel.tasks.titles.credits import Page, draw_pages, draw_roll

_FADE = 8
"""Frames in which a card of the credits comes or goes, at most a quarter of its time."""


def card_clip_of(
    written: WrittenCard, board: Board, fonts: Fonts, house: HouseFormat, workshop: Path, out: Path
) -> OutputStream:
    """The ffmpeg output that makes the clip; its inputs are drawn into the folder `workshop`. Raises MediaError."""
    picture = _Clip(board, fonts, house, workshop).of(written)
    return ffmpeg.output(house.tagged(picture), str(out.absolute()), **house.drawn_options())


class _Clip:
    def __init__(self, board: Board, fonts: Fonts, house: HouseFormat, workshop: Path) -> None:
        self._frames, self._fonts, self._house, self._workshop = board.frames, fonts, house, workshop
        self._size = (house.width, house.height)

    def of(self, written: WrittenCard) -> FilterableStream:
        if written.card:
            return self._still(
                "card", draw_card(written.card, written.lettering, self._size, self._fonts), self._frames
            )
        assert written.credits
        return self._roll(written) if written.credits.roll else self._pages(written, written.credits)

    def _roll(self, written: WrittenCard) -> FilterableStream:
        assert written.credits
        roll = draw_roll(written.credits, written.lettering, self._size, self._frames, self._fonts)
        width, height = self._size
        # In RGB, as a picture in 4:2:0 can only be cropped at every second row.
        strip = self._repeated("strip", roll.strip, self._frames)
        return _in_house(strip.filter("crop", width, height, 0, f"n*{roll.step}"))

    def _pages(self, written: WrittenCard, credits: Credits) -> FilterableStream:
        pages = draw_pages(credits, written.lettering, self._size, self._fonts)
        shown = list(_timed(pages, self._frames))
        clips = []
        for number, (page, frames) in enumerate(shown):
            clip, fade = self._still(f"page{number}", page.image, frames), min(_FADE, frames // 4)
            colour = "0x" + page.image.crop((0, 0, 1, 1)).tobytes().hex()
            if number and fade:
                clip = clip.filter("fade", t="in", start_frame=0, nb_frames=fade, color=colour)
            if number < len(shown) - 1 and fade:
                clip = clip.filter("fade", t="out", start_frame=frames - fade, nb_frames=fade, color=colour)
            clips.append(clip)
        return ffmpeg.concat(*clips, v=1, a=0) if len(clips) > 1 else clips[0]

    def _still(self, name: str, picture: Image.Image, frames: int) -> FilterableStream:
        return _in_house(self._repeated(name, picture, frames))

    def _repeated(self, name: str, picture: Image.Image, frames: int) -> FilterableStream:
        """A picture as so many frames in RGB."""
        path, rate = self._workshop / f"{name}.bmp", self._house.rate.exact
        picture.save(path)
        # Without a pattern, as the name of a folder may contain a per cent sign.
        still = ffmpeg.input(str(path.absolute()), f="image2", pattern_type="none", framerate=str(rate))
        repeated = still.filter("loop", loop=-1, size=1).filter("setpts", f"N/({rate})/TB")
        return repeated.filter("trim", end_frame=frames)


def _in_house(picture: FilterableStream) -> FilterableStream:
    """A picture in RGB in the colours of house format."""
    colours = {"out_color_matrix": "bt709", "out_range": "tv", "flags": "bicubic+accurate_rnd+full_chroma_int"}
    return picture.filter("scale", **colours).filter("format", "yuv420p")


def _timed(pages: list[Page], frames: int) -> list[tuple[Page, int]]:
    """Each card with its frames, by its share; of more cards than frames, some are not shown."""
    whole, ends, sofar = sum(page.share for page in pages), [0], 0
    for page in pages:
        sofar += page.share
        ends.append(frames * sofar // whole)
    lengths = (end - first for first, end in pairwise(ends))
    return [(page, length) for page, length in zip(pages, lengths, strict=True) if length]
