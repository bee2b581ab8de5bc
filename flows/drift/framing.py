"""The parts of a shot that deliverables of another shape keep, and where more of what happens would be kept."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from PIL import Image, ImageDraw

from storyreel.specs.frozen import Frozen
from storyreel.specs.storyboard import Shot, Storyboard
from storyreel.tasks.inspection.interest import Axis, Interest
from storyreel.tasks.media.shape.framing import Framing

_MORE, _ELSEWHERE = 0.1, 0.04
"""The least parts, of the action and of the picture's side, by which a proposal differs from what is written."""
_BRIGHT, _ACCENT = (255, 255, 255), (217, 164, 65)
_LIGHT = 0.35
"""Of what is not kept, in a picture."""


class KeptSide(Frozen):
    """The part of the width or the height of a shot that is kept, in the deliverable that keeps the least of it."""

    axis: Axis
    deliverable: str
    kept: float
    """As a part of the side."""
    centre: float
    share: float
    """The part of what happens that is kept now."""
    best: float
    best_share: float
    """The same around the centre where most is kept."""

    @property
    def is_better(self) -> bool:
        """Whether the other centre is proposed."""
        return self.best_share - self.share >= _MORE and abs(self.best - self.centre) >= _ELSEWHERE

    @property
    def in_words(self) -> str:
        """`41 % of the action in tall`."""
        return f"{100 * self.share:.0f} % of the action in {self.deliverable}"


class ShotFraming(Frozen):
    """The part of a shot that is kept."""

    sides: tuple[KeptSide, ...]
    written: dict[Axis, float]
    """Its own `frame_at`."""

    @property
    def proposal(self) -> dict[Axis, float] | None:
        """The `frame_at` that keeps more; None if none keeps much more."""
        better = {side.axis: round(side.best, 2) for side in self.sides if side.is_better}
        return {**self.written, **better} if better else None

    @property
    def in_words(self) -> str:
        """`41 % of the action in tall`."""
        return ", ".join(side.in_words for side in self.sides)

    @property
    def proposed_in_words(self) -> str:
        """`x 0.31: 82 %`; empty if nothing is proposed."""
        return ", ".join(
            f"{side.axis} {side.best:.2f}: {100 * side.best_share:.0f} %" for side in self.sides if side.is_better
        )

    def as_json(self) -> dict[str, Any]:
        """The framing of a shot in `inspect --json`."""
        sides = [
            {
                "axis": side.axis,
                "deliverable": side.deliverable,
                "kept": round(side.kept, 4),
                "centre": round(side.centre, 3),
                "share": round(side.share, 3),
                "best": round(side.best, 3),
                "best_share": round(side.best_share, 3),
            }
            for side in self.sides
        ]
        return {"sides": sides, "proposal": self.proposal}


def framing_of(film: Storyboard, shot: Shot, size: tuple[int, int], interest: Interest) -> ShotFraming | None:
    """The part that is kept of a shot with pictures of this size; None if no deliverable cuts it."""
    least: dict[Axis, KeptSide] = {}
    for side in _sides(film, shot, Fraction(*size), interest):
        if side.axis not in least or side.kept < least[side.axis].kept:
            least[side.axis] = side
    if not least:
        return None
    return ShotFraming(sides=tuple(least.values()), written=_written(shot))


def _written(shot: Shot) -> dict[Axis, float]:
    if shot.frame_at is None:
        return {}
    both: dict[Axis, float] = {"x": shot.frame_at.x, "y": shot.frame_at.y}
    return {axis: at for axis, at in both.items() if axis in shot.frame_at.model_fields_set}


def _sides(film: Storyboard, shot: Shot, ratio: Fraction, interest: Interest) -> Iterator[KeptSide]:
    for one in film.deliverables:
        framing, own = Framing.of(one, film.format, shot.frame_at), Fraction(*one.size(film.format))
        if one.shoots(shot.shot) or framing.kept((10_000, 10_000), ratio, own) is None:
            continue
        axis: Axis = "x" if ratio > own else "y"
        kept = float(min(own / ratio, ratio / own))
        centre = min(max(framing.x if axis == "x" else framing.y, kept / 2), 1 - kept / 2)
        best = interest.centre(axis, kept)
        yield KeptSide(
            axis=axis,
            deliverable=one.name,
            kept=kept,
            centre=centre,
            share=interest.share(axis, centre, kept),
            best=best,
            best_share=interest.share(axis, best, kept),
        )


def framed_frame(frame: bytes, framing: ShotFraming) -> bytes:
    """A frame of a shot, as JPEG, with what is kept drawn into it; where more would be kept, in another colour."""
    with Image.open(io.BytesIO(frame)) as opened:
        picture = opened.convert("RGB")
    boxes = [(_box(side, side.centre, picture.size), _BRIGHT) for side in framing.sides]
    boxes += [(_box(side, side.best, picture.size), _ACCENT) for side in framing.sides if side.is_better]
    shown = picture.point(lambda level: int(level * _LIGHT))
    for box in _brightest(boxes, framing):
        shown.paste(picture.crop(box), box[:2])
    draw = ImageDraw.Draw(shown)
    for (left, top, right, bottom), colour in boxes:
        draw.rectangle((left, top, right - 1, bottom - 1), outline=colour, width=3 if colour == _ACCENT else 1)
    content = io.BytesIO()
    shown.save(content, "JPEG", quality=95, subsampling=0)
    return content.getvalue()


_Box = tuple[int, int, int, int]


def _brightest(boxes: Sequence[tuple[_Box, tuple[int, int, int]]], framing: ShotFraming) -> Iterable[_Box]:
    """The boxes that are bright: those that are proposed, else those of today."""
    colour = _ACCENT if framing.proposal else _BRIGHT
    return [box for box, its in boxes if its == colour]


def _box(side: KeptSide, centre: float, size: tuple[int, int]) -> _Box:
    width, height = size
    start, end = centre - side.kept / 2, centre + side.kept / 2
    if side.axis == "x":
        return round(start * width), 0, round(end * width), height
    return 0, round(start * height), width, round(end * height)
