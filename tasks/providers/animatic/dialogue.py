"""Subtitles for the dialogue of a shot: their text, and the frames in which each is shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from PIL import Image

from storyreel.tasks.media.text.layout import Block, Colour, Weight, fit, one_line, rows
from storyreel.tasks.providers.animatic.canvas import WHITE, Canvas, Palette
from storyreel.tasks.providers.animatic.figures import colour_of
from storyreel.tasks.providers.request import Board

READING = 0.9
"""Shortest time of a subtitle in seconds, if the shot is long enough."""

_SETTINGS = ((33, 2), (29, 3), (25, 4))
"""Font size and most rows of a subtitle. A longer text is set smaller before it is shown for less time."""

_GAP = 12
"""Letters added to each subtitle when time is divided, for the time that it takes to find the line."""


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle."""

    speaker: Block
    words: Block
    line: int
    """Index of the line of dialogue that it is of, or a part of."""
    speaker_number: int
    """Index of the speaker, in the order in which the speakers of the shot begin."""
    first: int
    end: int
    """Shown in frames `[first, end)`."""
    colour: Colour | None = None
    """The colour of the speaker's figure; None without one."""

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.speaker.height + self.words.height

    def drawn(self, canvas: Canvas, palette: Palette) -> Image.Image:
        """The subtitle on an empty layer: the speaker's name over the words, at the foot of the safe area."""
        layer = canvas.layer()
        middle, top = canvas.width // 2, canvas.safe.bottom - self.height
        self.speaker.draw(layer, middle, top, self.colour or palette.accent, "centre")
        self.words.draw(layer, middle, top + self.speaker.height, WHITE, "centre")
        return layer


def cues(board: Board, canvas: Canvas) -> tuple[Cue, ...]:
    """The subtitles of a shot, one after the other while its dialogue is heard, each for a time in proportion to its
    text.

    A long line is split into several subtitles. Text for which there is no time ends with an ellipsis.
    """
    speakers = list(dict.fromkeys(who for who, _ in board.dialogue))
    pages = [(line, page) for line, page in _pages(board, canvas) if page.lines]
    weights = [sum(map(len, page.lines)) + _GAP for _, page in pages]
    colours = {who: colour_of(number) for who, number, _ in board.cast}
    start, stop = board.spoken or (0, board.frames)
    shown, before = [], 0
    for (line, page), weight in zip(pages, weights, strict=True):
        who = board.dialogue[line][0]
        first = start + (stop - start) * before // sum(weights)
        before += weight
        end = start + (stop - start) * before // sum(weights)
        # With more subtitles than frames, some are not shown.
        if first < end:
            name = one_line(who.upper(), canvas.safe.width, canvas.px(17), Weight.BOLD, canvas.fonts)
            shown.append(Cue(name, page, line, speakers.index(who), first, end, colours.get(who)))
    return tuple(shown)


def _pages(board: Board, canvas: Canvas) -> list[tuple[int, Block]]:
    """The subtitles, each with the index of its line."""
    lines = [(number, line) for number, (_, line) in enumerate(board.dialogue) if line.strip()]
    start, stop = board.spoken or (0, board.frames)
    room = max(len(lines), int(float(board.rate.seconds(stop - start)) / READING))
    width = round(canvas.safe.width * (0.8 if canvas.is_wide else 1))
    for size, most in _SETTINGS:
        pages = [
            (number, page)
            for number, line in lines
            for page in _split(rows(line, width, canvas.px(size), canvas.fonts), most)
        ]
        if len(pages) <= room:
            return pages
    share = room // max(1, len(lines))
    pages = []
    for number, line in lines:
        whole = rows(line, width, canvas.px(size), canvas.fonts)
        shown = fit(line, width, whole.leading * share * most, (canvas.px(size),), fonts=canvas.fonts)
        pages += [(number, page) for page in _split(shown, most)]
    return pages


def _split(block: Block, most: int) -> list[Block]:
    """A block in parts of at most `most` lines, as equal as possible."""
    count = -(-len(block.lines) // most)
    ends = [len(block.lines) * n // count for n in range(count + 1)] if count else []
    return [replace(block, lines=block.lines[a:b]) for a, b in pairwise(ends)]
