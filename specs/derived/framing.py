"""Warnings of the centres of shots that cannot be kept in the deliverables of their film."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

from storyreel.specs.language.finishing.deliverables import Centre, Deliverable
from storyreel.specs.problems.phrases import abridged
from storyreel.specs.storyboard import Format, Shot, Storyboard
from storyreel.specs.validation.check import FREE

Axis = Literal["x", "y"]

_SEEN = 0.005
"""Parts of a side by which two centres differ visibly."""


def framing_warnings(film: Storyboard) -> Iterator[str]:
    """A sentence for each centre that is nearer to an edge than a picture can be cut, and for those that change
    nothing."""
    cuts = {one.name: cut for one in film.deliverables if (cut := _cut(one, film.format))}
    unused: dict[str, list[str]] = {}
    beyond: dict[tuple[str, Axis, float, float], list[str]] = {}
    for one in film.deliverables:
        if "reframe" in one.model_fields_set and one.has_shape_of(film.format):
            yield f"`reframe` of {one.name} changes nothing: it has the shape of the film"
        for axis, written, nearest in _beyond(one.reframe, cuts.get(one.name)):
            beyond.setdefault((one.name, axis, written, nearest), []).append("`reframe`")
    for shot in film.all_shots:
        if shot.frame_at is None:
            continue
        where = [one for one in film.deliverables if one.name in cuts and not one.shoots(shot.shot)]
        if not {cuts[one.name][0] for one in where} & shot.frame_at.model_fields_set or _is_drawn(shot):
            unused.setdefault(_why_unused(film, shot, cuts), []).append(shot.shot)
            continue
        for one in where:
            for axis, written, nearest in _beyond(shot.frame_at, cuts[one.name]):
                beyond.setdefault((one.name, axis, written, nearest), []).append(shot.shot)
    for why, slates in unused.items():
        yield f"`frame_at` of {abridged(slates)} changes nothing: {why}"
    for (name, axis, written, nearest), slates in beyond.items():
        yield (
            f"{abridged(slates)}: the picture ends before what is kept of it in {name} has its centre at "
            f"`{axis}: {written:g}`; it is at {nearest:.3g}"
        )


def _cut(deliverable: Deliverable, film: Format) -> tuple[Axis, Fraction] | None:
    """The side of the film's pictures that a deliverable cuts, and the part of it that is kept; None if it does not."""
    if deliverable.reframe.way != "centre" or deliverable.has_shape_of(film):
        return None
    ratio, own = Fraction(*film.size), Fraction(*deliverable.size(film))
    return ("x", own / ratio) if ratio > own else ("y", ratio / own)


def _beyond(centre: Centre, cut: tuple[Axis, Fraction] | None) -> Iterator[tuple[Axis, float, float]]:
    """The side, the written centre, and the nearest one that is possible, if that differs."""
    if cut is None:
        return
    axis, kept = cut
    written: float = getattr(centre, axis)
    nearest = min(max(written, float(kept / 2)), float(1 - kept / 2))
    if abs(nearest - written) > _SEEN:
        yield axis, written, nearest


def _is_drawn(shot: Shot) -> bool:
    return shot.services == (FREE,)


def _why_unused(film: Storyboard, shot: Shot, cuts: dict[str, tuple[Axis, Fraction]]) -> str:
    if not film.deliverables:
        return "the film has no `deliverables`"
    if not cuts:
        return "no deliverable is cut from the film's pictures"
    if _is_drawn(shot):
        return "drawn shots are drawn in the shape of each deliverable"
    if all(one.shoots(shot.shot) for one in film.deliverables if one.name in cuts):
        return "they are made again in the shape of each deliverable"
    sides = {axis for axis, _ in cuts.values()}
    return f"pictures are cut at the {'sides, write `x`' if sides == {'x'} else 'top and bottom, write `y`'}"
