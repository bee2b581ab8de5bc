"""Draw the people of a shot without a picture: simple figures in their own colours, as large as its size says."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import hypot
from typing import NamedTuple

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from storyreel.tasks.media.text.layout import Box, Colour
from storyreel.tasks.providers.animatic.canvas import Palette
from storyreel.tasks.providers.request import Board

Point = tuple[float, float]

_FINE = 2
"""Drawn at so many times the size, and then made smaller: the edges are smooth."""

TALL = 7.5
"""Height of a figure. This and all measures of one are in heights of a head, from the top of the head down."""
_EYES = 0.52
_HUES = (0.02, 0.08, 0.125, 0.24, 0.4, 0.47, 0.53, 0.58, 0.64, 0.74, 0.88, 0.94)
"""Around the circle; each twice, the second time darker: as many as a board has colours."""


class _Framing(NamedTuple):
    """The size and place of a figure, in heights of the frame."""

    head: float
    """Height of the head."""
    line: float
    """Place of the feet, if they are seen, else of the eyes; from the top."""
    room: float
    """Width that a figure has at least, in heads; what is beside it may be out of the frame."""
    stands: bool = False
    """Whether the feet are seen."""


_FRAMINGS = {
    "extreme wide": _Framing(0.018, 0.735, 3.2, stands=True),
    "wide": _Framing(0.05, 0.80, 2.7, stands=True),
    "full": _Framing(0.088, 0.83, 2.5, stands=True),
    "medium wide": _Framing(0.15, 0.27, 2.4),
    "medium": _Framing(0.22, 0.31, 2.3),
    "medium close up": _Framing(0.34, 0.37, 1.8),
    "close up": _Framing(0.5, 0.44, 1.25),
    "extreme close up": _Framing(1.12, 0.47, 0.86),
}
_USUAL = _FRAMINGS["medium wide"]
"""Of a shot that has no size."""
_SOFT = 0.035
"""Blur of the place behind people, in heads."""
_FLOOR = 0.83
_MOST_IN_ROW = 5
_MOST_ROWS = 4
_LIFT = 0.95
"""Height of each row above the one in front of it, in heads."""
_BEHIND = 0.9
"""Size of a row of figures, in those of the row in front of it."""


class Person(NamedTuple):
    """A person who is drawn."""

    number: int
    """Which of the colours is theirs."""
    has_long_hair: bool = False


def people_of(board: Board) -> tuple[Person, ...]:
    """The people whom a board shows."""
    return tuple(Person(number, has_long_hair) for _, number, has_long_hair in board.cast)


class Figure(NamedTuple):
    """A person in a picture."""

    person: Person
    x: float
    """Place of the middle, in pixels."""
    top: float
    """Place of the top of the head, in pixels."""
    head: float
    """Height of the head, in pixels."""
    turn: float
    """The direction in which they look, from -1, left, to 1, right."""


def colour_of(number: int) -> Colour:
    """The colour of a person's name."""
    return _shade(number, 0.74, 0.62)


def draw_figures(ground: Image.Image, people: Sequence[Person], size: str, frame: Box, palette: Palette) -> None:
    """Draw people on a ground; `frame` is the part of it that they are placed in.

    Of an insert their hands are drawn, of any other shot as much of them as its size shows.
    """
    if not people:
        return
    drawn = Image.new("RGBA", (ground.width * _FINE, ground.height * _FINE))
    pen = _Pen(drawn)
    if size == "insert":
        unit = min(frame.height * 0.34, frame.width * 0.36)
        for place, person in enumerate(people[:2]):
            _hand(pen, person.number, frame, unit, from_right=place == 0)
    else:
        placed = tuple(place_figures(people, size, frame))
        unit = max(figure.head for figure in placed)
        if not _FRAMINGS.get(size, _USUAL).stands:
            # Nearer than the place.
            ground.paste(_blurred(ground, unit * _SOFT))
        _shadows(ground, placed)
        for figure in placed:
            _person(pen, figure)
    layer = drawn.reduce(_FINE)
    _light(layer, unit, palette)
    ground.paste(layer, mask=layer.getchannel("A"))


def place_figures(people: Sequence[Person], size: str, frame: Box) -> Iterator[Figure]:
    """The places of people side by side, those behind first, as large as the size says and as there is room."""
    framing, count = _FRAMINGS.get(size, _USUAL), len(people)
    # In a wide frame words are at the left.
    left = (0.36 if count < 4 else 0.3) if _is_wide(frame) else 0.0
    room, middle = frame.width * (1 - left), frame.x + frame.width * (1 + left) / 2
    most = max(_MOST_IN_ROW if _is_wide(frame) else 3, -(-count // _MOST_ROWS))
    rows = -(-count // most)
    columns = -(-count // rows) + (0.5 if rows > 1 else 0)
    above = (TALL if framing.stands else _EYES) + _LIFT * (rows - 1)
    head = min(framing.head * frame.height, room / framing.room / columns, framing.line * frame.height * 0.9 / above)
    line = frame.y + framing.line * frame.height
    # A figure that has become so small that its feet are seen stands on the floor.
    top = (
        line - TALL * head
        if framing.stands
        else max(line - _EYES * head, frame.y + _FLOOR * frame.height - TALL * head)
    )
    # Close together, so that they belong together; never wider than the room.
    step = min(room / columns, head * framing.room * 1.06)
    for row in reversed(range(rows)):
        members = people[count * row // rows : count * (row + 1) // rows]
        size_of_row = head * _BEHIND**row
        for place, person in enumerate(members):
            # Those in the next row are seen between them.
            off = place - (columns - 1) / 2 + (0.5 if row % 2 else 0)
            # Several look at each other, one looks into the light.
            turn = 0.5 if count == 1 else max(-1.0, min(1.0, -off * 1.4))
            tall = 1 + (person.number * 7 % 5 - 2) * 0.014
            lifted = top - _LIFT * head * row + size_of_row * (1 - tall) * (TALL if framing.stands else 3)
            yield Figure(person, middle + step * off, lifted, size_of_row * tall, turn)


def _is_wide(frame: Box) -> bool:
    return frame.width > 1.2 * frame.height


def _shade(number: int, light: float, saturation: float) -> Colour:
    darker = number // len(_HUES) % 2
    hue = _HUES[number % len(_HUES)]
    red, green, blue = colorsys.hls_to_rgb(hue, light * (0.8 if darker else 1), saturation)
    return round(red * 255), round(green * 255), round(blue * 255), 255


class _Pen:
    """Draws shapes whose places are in pixels of the ground."""

    def __init__(self, drawn: Image.Image) -> None:
        self._pen = ImageDraw.Draw(drawn)

    def shape(self, points: Sequence[Point], colour: Colour) -> None:
        """A smooth closed shape through points."""
        self._pen.polygon([(x * _FINE, y * _FINE) for x, y in _smooth(points)], fill=colour)

    def oval(self, x: float, y: float, wide: float, high: float, colour: Colour) -> None:
        """An ellipse around a point, by half its width and height."""
        box = ((x - wide) * _FINE, (y - high) * _FINE, (x + wide) * _FINE, (y + high) * _FINE)
        self._pen.ellipse(box, fill=colour)

    def limb(self, joints: Sequence[tuple[float, float, float]], colour: Colour) -> None:
        """A limb through joints, each with its half width."""
        for (x0, y0, r0), (x1, y1, r1) in pairwise(joints):
            far = hypot(x1 - x0, y1 - y0) or 1
            across, along = (y0 - y1) / far, (x1 - x0) / far
            sides = [
                (x0 + across * r0, y0 + along * r0), (x1 + across * r1, y1 + along * r1),
                (x1 - across * r1, y1 - along * r1), (x0 - across * r0, y0 - along * r0),
            ]  # fmt: skip
            self._pen.polygon([(x * _FINE, y * _FINE) for x, y in sides], fill=colour)
        for x, y, r in joints:
            self.oval(x, y, r, r, colour)


def _smooth(points: Sequence[Point]) -> Iterator[Point]:
    """A closed curve through points (Catmull-Rom)."""
    count, steps = len(points), 10
    for n in range(count):
        a, b, c, d = (points[(n + k) % count] for k in (-1, 0, 1, 2))
        for step in range(steps):
            t = step / steps
            x, y = (
                0.5 * (2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - s) * t**2 + (3 * q - p - 3 * r + s) * t**3)
                for p, q, r, s in zip(a, b, c, d, strict=True)
            )
            yield x, y


# The right halves of shapes, from the top to the foot.
_TORSO = (
    *((0.0, 1.2), (0.27, 1.27), (0.66, 1.42), (0.93, 1.66), (0.9, 2.1)),
    *((0.72, 2.9), (0.8, 3.7), (0.74, 4.15), (0.0, 4.25)),
)
_HEAD = ((0.0, 0.0), (0.2, 0.04), (0.34, 0.2), (0.375, 0.42), (0.345, 0.64), (0.25, 0.84), (0.12, 0.97), (0.0, 1.0))
_HAIR = (
    *((0.0, -0.055), (0.22, -0.015), (0.38, 0.15), (0.415, 0.38), (0.395, 0.52)),
    *((0.345, 0.46), (0.3, 0.31), (0.16, 0.235), (0.0, 0.25)),
)
_LONG_HAIR = (
    *((0.0, -0.055), (0.24, 0.0), (0.41, 0.2), (0.45, 0.5)),
    *((0.47, 0.85), (0.4, 1.12), (0.2, 1.16), (0.0, 1.1)),
)
_COLLAR = ((0.0, 1.2), (0.24, 1.24), (0.3, 1.31), (0.16, 1.47), (0.0, 1.53))
_CURVE = (-1.0, -0.67, -0.33, 0.0, 0.33, 0.67, 1.0)


def _person(pen: _Pen, figure: Figure) -> None:
    number, head, turn = figure.person.number, figure.head, figure.turn
    skin, shadow = _shade(number, 0.83, 0.36), _shade(number, 0.7, 0.3)
    body, arm, leg = _shade(number, 0.52, 0.36), _shade(number, 0.45, 0.36), _shade(number, 0.26, 0.28)
    hair, line = _shade(number, 0.19, 0.28), _shade(number, 0.3, 0.32)

    def at(x: float, y: float) -> Point:
        return figure.x + x * head, figure.top + y * head

    def both(half: Sequence[Point], lean: float = 0) -> list[Point]:
        """A shape of which the right half is given."""
        right = [at(x + lean, y) for x, y in half]
        return right + [at(lean - x, y) for x, y in reversed(half) if x]

    def limb(side: int, colour: Colour, *joints: tuple[float, float, float]) -> None:
        pen.limb([(*at(side * x, y), r * head) for x, y, r in joints], colour)

    for side in (-1, 1):
        foot_x, foot_y = at(side * 0.36 + turn * 0.05, 7.37)
        pen.oval(foot_x, foot_y, 0.24 * head, 0.12 * head, hair)
        limb(side, leg, (0.37, 4.0, 0.36), (0.36, 5.5, 0.255), (0.32, 7.2, 0.155))
    for side in (-1, 1):
        limb(side, skin, (1.06, 3.75, 0.12), (1.04, 4.12, 0.15))
        limb(side, arm, (0.74, 1.8, 0.23), (0.98, 2.85, 0.19), (1.05, 3.72, 0.15))
    pen.shape(both(_TORSO), body)
    lean = turn * 0.05
    if figure.person.has_long_hair:
        pen.shape(both(_LONG_HAIR, lean * 0.1), hair)
    pen.limb([(*at(lean * 0.5, 0.8), 0.2 * head), (*at(0, 1.36), 0.22 * head)], shadow)
    pen.shape(both(_COLLAR), shadow)
    for side in (-1, 1):
        # The ear that is turned away is hidden.
        if side * turn < 0.7:
            ear_x, ear_y = at(side * 0.375 - lean * 0.2, 0.53)
            pen.oval(ear_x, ear_y, 0.055 * head, 0.095 * head, shadow)
    pen.shape(both(_HEAD, lean * 0.4), skin)
    pen.shape(both(_HAIR, lean * 0.1), hair)
    _face(pen, figure, line, shadow)


def _face(pen: _Pen, figure: Figure, line: Colour, shadow: Colour) -> None:
    """Brows, eyes, nose and mouth. In a small figure they are smaller than a pixel."""
    head, turn = figure.head, figure.turn

    def at(x: float, y: float) -> Point:
        return figure.x + (x + turn * 0.085) * head, figure.top + y * head

    for side in (-1, 1):
        x = side * (0.155 - 0.025 * (side * turn))
        pen.oval(*at(x, _EYES), 0.03 * head, 0.038 * head, line)
        pen.limb([(*at(x + d * 0.065, 0.395 + 0.02 * d * d), 0.011 * head) for d in _CURVE], line)
    pen.limb([(*at(turn * 0.04 + d * 0.035, 0.665 - 0.014 * d * d), 0.011 * head) for d in _CURVE], shadow)
    pen.limb([(*at(d * 0.085, 0.8 - 0.012 * d * d), 0.011 * head) for d in _CURVE], line)


def _hand(pen: _Pen, number: int, frame: Box, unit: float, *, from_right: bool) -> None:
    """A hand that comes in from a side of the frame; `unit` is the length of its palm and fingers."""
    skin, shadow = _shade(number, 0.83, 0.36), _shade(number, 0.7, 0.3)
    sleeve, cuff = _shade(number, 0.5, 0.36), _shade(number, 0.42, 0.36)
    side = 1 if from_right else -1
    # In a wide frame words are below the hand from the left, which comes from above.
    is_above = not from_right and _is_wide(frame)
    x, y = (0.68 if _is_wide(frame) else 0.53, 0.5) if from_right else (0.42, 0.38) if is_above else (0.3, 0.6)
    middle, level = frame.x + frame.width * x, frame.y + frame.height * y
    slope = -0.42 if is_above else 0.42

    def limb(colour: Colour, *joints: tuple[float, float, float]) -> None:
        pen.limb([(middle + side * (x + y * 0.3) * unit, level + (y + x * slope) * unit, r * unit)
                  for x, y, r in joints], colour)  # fmt: skip

    limb(sleeve, (0.95, 0.0, 0.27), (4.0, 0.2, 0.45))
    limb(cuff, (0.78, 0.0, 0.255), (0.9, 0.0, 0.265))
    limb(skin, (0.3, 0.0, 0.24), (0.7, 0.0, 0.17))
    for finger, (reach, y) in enumerate(((-0.33, -0.19), (-0.45, -0.065), (-0.43, 0.06), (-0.31, 0.18))):
        limb(skin if finger % 2 else shadow, (0.28, y, 0.075), (-0.05, y * 1.12, 0.07), (reach, y * 1.2, 0.055))
    limb(skin, (0.3, 0.0, 0.2))
    limb(shadow, (0.5, -0.16, 0.09), (0.2, -0.33, 0.078), (0.0, -0.36, 0.06))


def _shadows(ground: Image.Image, placed: Sequence[Figure]) -> None:
    """Darken the floor under the feet, away from the light at the right."""
    mask = Image.new("L", ground.size)
    pen = ImageDraw.Draw(mask)
    for figure in placed:
        head, foot = figure.head, figure.top + TALL * figure.head
        pen.ellipse((figure.x - 2.2 * head, foot - 0.24 * head, figure.x + 0.9 * head, foot + 0.2 * head), fill=150)
    soft = max(1.0, min(figure.head for figure in placed) * 0.12)
    ground.paste((0, 0, 0), mask=_blurred(mask, soft))


def _light(layer: Image.Image, unit: float, palette: Palette) -> None:
    """Light the right edges, and darken the left ones and what is near the foot of the picture."""
    if not (box := layer.getbbox()):
        return
    whole = layer.crop(box)
    mask = whole.getchannel("A")
    for shift, colour, part in ((-0.055, palette.accent, 0.55), (0.16, palette.night, 0.5)):
        edge = ImageChops.subtract(mask, _moved(mask, round(shift * unit) or (1 if shift > 0 else -1)))
        soft = _blurred(edge, max(0.6, abs(shift) * unit * 0.45))
        lit = ImageChops.multiply(soft, mask).point([round(level * part) for level in range(256)])
        whole.paste((*colour[:3], 255), mask=lit)
    whole.putalpha(mask)
    layer.paste(whole, box)


def _blurred(picture: Image.Image, radius: float) -> Image.Image:
    """A picture out of focus; by a large radius in a smaller size, which takes less time and looks the same."""
    less = max(1, int(radius / 3))
    blurred = picture.reduce(less).filter(ImageFilter.GaussianBlur(radius / less))
    return blurred.resize(picture.size, Image.Resampling.BICUBIC) if less > 1 else blurred


def _moved(mask: Image.Image, by: int) -> Image.Image:
    """A mask moved to the right, or to the left if negative; its last column is repeated: what is cut has no edge."""
    wide, high = mask.size
    by = max(-wide, min(wide, by))
    moved = ImageChops.offset(mask, by, 0)
    edge = mask.crop((0, 0, 1, high) if by > 0 else (wide - 1, 0, wide, high))
    moved.paste(edge.resize((abs(by), high)), (0 if by > 0 else wide + by, 0))
    return moved
