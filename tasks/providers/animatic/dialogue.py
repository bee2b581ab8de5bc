"""The dialogue of an animatic as subtitles: which words are shown, and in which frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from PIL import Image

from storyreel.tasks.media.text import Block, Weight, fit, one_line, rows
from storyreel.tasks.providers.animatic.canvas import WHITE, Canvas, Palette
from storyreel.tasks.providers.request import Board

READING = 0.9
"""Seconds that a subtitle stands at least, where the shot is long enough."""

_SETTINGS = ((33, 2), (29, 3), (25, 4))
"""Letter size and most rows of a subtitle: more words are set smaller before they are shown for less time."""

_GAP = 12
"""Added to a subtitle's length in letters before time is shared out, as finding the line takes time too."""


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle."""

    speaker: Block
    words: Block
    speaker_number: int
    """Counts the shot's speakers in the order they speak in, from 0."""
    first: int
    end: int
    """It is shown from frame `first` to the one before `end`."""

    @property
    def height(self) -> int:
        """Pixels."""
        return self.speaker.height + self.words.height

    def drawn(self, canvas: Canvas, palette: Palette) -> Image.Image:
        """The subtitle on an empty layer: the speaker's name over the words, at the foot of the safe area."""
        layer = canvas.layer()
        middle, top = canvas.width // 2, canvas.safe.bottom - self.height
        self.speaker.draw(layer, middle, top, palette.accent, "centre")
        self.words.draw(layer, middle, top + self.speaker.height, WHITE, "centre")
        return layer


def cues(board: Board, canvas: Canvas) -> tuple[Cue, ...]:
    """The subtitles of a shot, one after another over its whole length, each for a time that fits its length.

    A long line is parted into several; what cannot be read in the time there is ends with an ellipsis.
    """
    speakers = list(dict.fromkeys(who for who, _ in board.dialogue))
    pages = [(who, page) for who, page in _pages(board, canvas) if page.lines]
    weights = [sum(map(len, page.lines)) + _GAP for _, page in pages]
    shown, before = [], 0
    for (who, page), weight in zip(pages, weights, strict=True):
        first = board.frames * before // sum(weights)
        before += weight
        end = board.frames * before // sum(weights)
        # More subtitles than frames: some have no time at all.
        if first < end:
            name = one_line(who.upper(), canvas.safe.width, canvas.px(17), Weight.BOLD)
            shown.append(Cue(name, page, speakers.index(who), first, end))
    return tuple(shown)


def _pages(board: Board, canvas: Canvas) -> list[tuple[str, Block]]:
    lines = [(who, line) for who, line in board.dialogue if line.strip()]
    room = max(len(lines), int(float(board.rate.seconds(board.frames)) / READING))
    width = round(canvas.safe.width * (0.8 if canvas.is_wide else 1))
    for size, most in _SETTINGS:
        pages = [(who, page) for who, line in lines for page in _parted(rows(line, width, canvas.px(size)), most)]
        if len(pages) <= room:
            return pages
    share = room // max(1, len(lines))
    pages = []
    for who, line in lines:
        whole = rows(line, width, canvas.px(size))
        shown = fit(line, width, whole.leading * share * most, (canvas.px(size),))
        pages += [(who, page) for page in _parted(shown, most)]
    return pages


def _parted(block: Block, most: int) -> list[Block]:
    """A block in pages of as equal lengths as can be, of at most so many lines."""
    count = -(-len(block.lines) // most)
    ends = [len(block.lines) * n // count for n in range(count + 1)] if count else []
    return [replace(block, lines=block.lines[a:b]) for a, b in pairwise(ends)]
