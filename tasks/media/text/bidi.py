"""The order in which parts of a line stand where letters that run from right to left meet others.

Raqm orders what is drawn in one font. A line in several fonts is cut into runs here, by the rules of Unicode's
bidirectional algorithm (UAX #9, revision 50, read 2026-11-29); embeddings and isolates are taken out of texts before.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")

_BRACKETS = dict(zip("([{«‹⟨（［｛「『【〈《〔", ")]}»›⟩）］｝」』】〉》〕", strict=True))
_MOST_OPEN = 63
_STRONG = {"L": "L", "R": "R", "EN": "R", "AN": "R"}
"""The direction of what is beside a neutral sign."""


def right_to_left(text: str) -> bool:
    """Whether the first letter with a direction runs from right to left, as in Arabic and Hebrew."""
    if text.isascii():
        return False
    directions = (unicodedata.bidirectional(c) for c in text)
    return next((d in ("R", "AL") for d in directions if d in ("L", "R", "AL")), False)


def has_right_to_left(text: str) -> bool:
    """Whether any letter runs from right to left."""
    return not text.isascii() and any(unicodedata.bidirectional(c) in ("R", "AL", "AN") for c in text)


def levels(line: str, rtl: bool) -> list[int]:
    """The level of each letter: an odd one runs from right to left."""
    base = 1 if rtl else 0
    edge = "R" if rtl else "L"
    kinds = _weak([unicodedata.bidirectional(c) or "L" for c in line], edge)
    _pair(line, kinds, edge)
    _neutral(kinds, edge)
    found = [base + (kind != edge if kind in "LR" else 2 - base) for kind in kinds]
    # Space at the end of the line stays at its end.
    for at in range(len(line) - 1, -1, -1):
        if not line[at].isspace():
            break
        found[at] = base
    return found


def visual_order(items: Sequence[Item], depths: Sequence[int]) -> list[Item]:
    """Runs from left to right, by their levels."""
    order = list(range(len(items)))
    for level in range(max(depths, default=0), 0, -1):
        at = 0
        while at < len(order):
            end = at
            while end < len(order) and depths[order[end]] >= level:
                end += 1
            order[at:end] = reversed(order[at:end])
            at = max(end, at + 1)
    return [items[at] for at in order]


def _weak(kinds: list[str], edge: str) -> list[str]:
    """Rules W1 to W7: numbers and the signs beside them."""
    before = strong = edge
    for at, kind in enumerate(kinds):
        if kind in ("NSM", "BN"):
            kinds[at] = before
        elif kind == "EN" and strong == "AL":
            kinds[at] = "AN"
        elif kind in ("L", "R", "AL"):
            strong = kind
        before = kinds[at]
    kinds[:] = ["R" if kind == "AL" else kind for kind in kinds]
    for at in range(1, len(kinds) - 1):
        left, kind, right = kinds[at - 1 : at + 2]
        if left == right and ((kind == "ES" and left == "EN") or (kind == "CS" and left in ("EN", "AN"))):
            kinds[at] = left
    for step in (1, -1):
        after_number = False
        for at in range(len(kinds))[::step]:
            if kinds[at] == "ET" and after_number:
                kinds[at] = "EN"
            after_number = kinds[at] == "EN"
    strong = edge
    for at, kind in enumerate(kinds):
        if kind in ("L", "R"):
            strong = kind
        elif kind == "EN" and strong == "L":
            kinds[at] = "L"
        elif kind in ("ES", "ET", "CS"):
            kinds[at] = "ON"
    return kinds


def _pair(line: str, kinds: list[str], edge: str) -> None:
    """Rule N0: both brackets of a pair run as what they enclose."""
    open_at: list[tuple[str, int]] = []
    pairs: list[tuple[int, int]] = []
    for at, sign in enumerate(line):
        if kinds[at] != "ON":
            continue
        if sign in _BRACKETS and len(open_at) < _MOST_OPEN:
            open_at.append((_BRACKETS[sign], at))
        elif any(sign == closing for closing, _ in open_at):
            while open_at:
                closing, first = open_at.pop()
                if closing == sign:
                    pairs.append((first, at))
                    break
    for first, last in sorted(pairs):
        inside = {_STRONG[kind] for kind in kinds[first + 1 : last] if kind in _STRONG}
        if not inside:
            continue
        direction = edge
        if edge not in inside:
            before = next((_STRONG[kind] for kind in reversed(kinds[:first]) if kind in _STRONG), edge)
            direction = before
        kinds[first] = kinds[last] = direction


def _neutral(kinds: list[str], edge: str) -> None:
    """Rules N1 and N2: signs without a direction take that of both sides, else the line's."""
    at = 0
    while at < len(kinds):
        if kinds[at] in _STRONG:
            at += 1
            continue
        end = at
        while end < len(kinds) and kinds[end] not in _STRONG:
            end += 1
        before = _STRONG[kinds[at - 1]] if at else edge
        after = _STRONG[kinds[end]] if end < len(kinds) else edge
        kinds[at:end] = [before if before == after else edge] * (end - at)
        at = end
