"""The words over the picture of a film: drawn and laid over each clip and dissolve as soon as that is there."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from storyreel.flows.production.text.words import DrawnWords
from storyreel.tasks.join.mux import PictureRange
from storyreel.tasks.join.overlay import OverlaidClip, Overlay, Stretch, place_overlay, stretches
from storyreel.tasks.join.pieces import PicturePiece
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.overlay import overlay
from storyreel.tasks.studio import Studio

Result = TypeVar("Result")

_BLOCK = 256
"""Frames of a block, by which words are found."""


class PieceMaker(Protocol):
    """Makes the pieces of a film, each once."""

    house: HouseFormat
    task_runs: int
    """Task runs started so far."""

    def once(self, name: Hashable, make: Callable[[], Coroutine[Any, Any, Result]]) -> asyncio.Future[Result]:
        """The future of a name, started by its first caller."""


class FilmOverlays:
    """The pieces of one film that have words over them. Of words that meet, the later in `words` lie above."""

    def __init__(
        self, words: Sequence[DrawnWords], takes: PieceMaker, studio: Studio, *, is_draft: bool = False
    ) -> None:
        self._words, self._takes, self._studio, self._is_draft = words, takes, studio, is_draft
        self._in_block: dict[int, list[int]] = defaultdict(list)
        """The numbers of the words that lie over each block of frames, as a film may have thousands of them."""
        for number, each in enumerate(words):
            for block in _blocks(each.start, each.end):
                self._in_block[block].append(number)

    def begin(
        self, source: PicturePiece, part: PictureRange, name: str
    ) -> list[asyncio.Future[dict[int, OverlaidClip]]]:
        """Begin the pieces of a range of the film that a clip or dissolve fills; none if no words lie over it."""
        begin, end = part.at, part.at + part.last - part.first
        near = sorted({number for block in _blocks(begin, end) for number in self._in_block.get(block, ())})
        above = [number for number in near if self._words[number].start < end and self._words[number].end > begin]
        if not above:
            return []
        make = partial(self._make, source, part, above, name)
        return [self._takes.once(("overlaid", begin, source.picture_digest), make)]

    async def of(self, parts: Sequence[tuple[PicturePiece, PictureRange, str]]) -> Mapping[int, OverlaidClip]:
        """The pieces of these ranges, each by the frame of the film at which it begins. Raises MediaError."""
        found = await asyncio.gather(*(piece for part in parts for piece in self.begin(*part)))
        return {at: piece for pieces in found for at, piece in pieces.items()}

    async def _make(
        self, source: PicturePiece, part: PictureRange, above: Sequence[int], name: str
    ) -> dict[int, OverlaidClip]:
        drawn = await asyncio.gather(*map(self._drawn, above))
        found = await asyncio.to_thread(stretches, source, part, list(filter(None, drawn)))
        pieces = await asyncio.gather(*(self._overlay(stretch, name) for stretch in found))
        return {stretch.at: piece for stretch, piece in zip(found, pieces, strict=True)}

    async def _overlay(self, stretch: Stretch, name: str) -> OverlaidClip:
        self._takes.task_runs += 1
        return await overlay(stretch, self._takes.house, self._studio, is_draft=self._is_draft, name=name)

    def _drawn(self, number: int) -> asyncio.Future[Overlay | None]:
        words = self._words[number]

        def draw() -> Overlay | None:
            picture, at = words.draw()
            return place_overlay(picture, at, (words.start, words.end), words.fades)

        async def drawn() -> Overlay | None:
            return await self._studio.drawing.start(draw)

        return self._takes.once(("words", number), drawn)


def _blocks(start: int, end: int) -> range:
    """The numbers of the blocks that frames `[start, end)` are in; none of an empty span."""
    return range(start // _BLOCK, (end - 1) // _BLOCK + 1) if start < end else range(0)
