"""Draw the empty set for a shot without a picture, and the diagram of its camera move."""

from __future__ import annotations

import random
from math import atan2, cos, pi, sin

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from storyreel.tasks.media.text.layout import Colour
from storyreel.tasks.providers.animatic.canvas import Palette

HORIZON = 0.64
"""Height of the horizon, from the top."""
_LIGHT = 0.68
"""Position of the light on the horizon, from the left; the vanishing point of the floor."""

Point = tuple[float, float]


def empty_set(width: int, height: int, palette: Palette) -> Image.Image:
    """A bare stage at dusk with a light on the horizon. The lines of its floor make camera moves visible."""
    horizon = round(height * HORIZON)
    sky = _vertical_gradient(width, horizon, palette.night, palette.dusk)
    floor = _vertical_gradient(width, height - horizon, palette.dusk, palette.night)
    floor = Image.blend(floor, Image.new("RGB", floor.size, palette.night[:3]), 0.45)
    ground = Image.new("RGB", (width, height))
    ground.paste(sky, (0, 0))
    ground.paste(floor, (0, horizon))
    light = _light(width, height)
    # The floor reflects a third of the light.
    light.paste(light.crop((0, horizon, width, height)).point(lambda level: level // 3), (0, horizon))
    ground.paste(Image.new("RGB", ground.size, palette.glow[:3]), mask=light)
    ground.paste(Image.new("RGB", ground.size, palette.accent[:3]), mask=_floor_lines(width, height))
    return _grained(ground)


def camera_diagram(move: str, width: int, height: int, colour: Colour) -> Image.Image:
    """A diagram of a camera move: frames and arrows as thin lines on an empty RGBA picture."""
    scale = 4
    mask = Image.new("L", (width * scale, height * scale))
    pen = ImageDraw.Draw(mask)
    thin = max(2, round(height * scale / 60))
    w, h = width * scale, height * scale

    def frame(x: float, y: float, part: float, shade: int, lean: float = 0) -> None:
        corners = [(sx * w * part / 2, sy * h * part / 2) for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        turned = [(w * x + a * cos(lean) - b * sin(lean), h * y + a * sin(lean) + b * cos(lean)) for a, b in corners]
        pen.line([*turned, turned[0], turned[1]], fill=shade, width=thin, joint="curve")

    def arrow(tail: Point, tip: Point) -> None:
        (x0, y0), (x1, y1) = (tail[0] * w, tail[1] * h), (tip[0] * w, tip[1] * h)
        angle, head = atan2(y1 - y0, x1 - x0), h * 0.09
        pen.line((x0, y0, x1 - head * cos(angle) / 2, y1 - head * sin(angle) / 2), fill=255, width=thin)
        wings = [(x1 - head * cos(angle + turn), y1 - head * sin(angle + turn)) for turn in (-pi / 7, pi / 7)]
        pen.polygon([(x1, y1), *wings], fill=255)

    match move:
        case "push in" | "pull out":
            frame(0.5, 0.5, 0.96, 255 if move == "pull out" else 110)
            frame(0.5, 0.5, 0.46, 110 if move == "pull out" else 255)
            for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                far, near = (0.5 + x * 0.43, 0.5 + y * 0.43), (0.5 + x * 0.26, 0.5 + y * 0.26)
                arrow(near, far) if move == "pull out" else arrow(far, near)
        case "pan left" | "pan right" | "tilt up" | "tilt down":
            dx, dy = {"pan left": (-1, 0), "pan right": (1, 0), "tilt up": (0, -1), "tilt down": (0, 1)}[move]
            frame(0.5 - dx * 0.17, 0.5 - dy * 0.17, 0.62, 110)
            frame(0.5 + dx * 0.17, 0.5 + dy * 0.17, 0.62, 255)
            arrow((0.5 - dx * 0.17, 0.5 - dy * 0.17), (0.5 + dx * 0.17, 0.5 + dy * 0.17))
        case "handheld":
            frame(0.5, 0.5, 0.78, 255)
            frame(0.515, 0.49, 0.78, 120, lean=0.05)
            frame(0.485, 0.51, 0.78, 120, lean=-0.04)
        case _:
            frame(0.5, 0.5, 0.8, 255)
            for x, y in ((1, 0), (0, 1)):
                reach = h * 0.05
                pen.line((w / 2 - x * reach, h / 2 - y * reach, w / 2 + x * reach, h / 2 + y * reach), 255, thin)
    drawn = Image.new("RGBA", (width, height), (*colour[:3], 0))
    drawn.putalpha(mask.resize((width, height), Image.Resampling.LANCZOS))
    return drawn


def _floor_lines(width: int, height: int) -> Image.Image:
    """A mask of boards that run to the light, crossed by lines that get closer towards the horizon."""
    horizon, far = height * HORIZON, width * _LIGHT
    step = height * 0.27
    boards = [(far + n * step * 0.03, horizon, far + n * step, height) for n in range(-16, 17)]
    crosslines = [(0, y, width, y) for y in (horizon + (height - horizon) * 0.62**n for n in range(7))]
    lines = Image.new("L", (width, height))
    pen = ImageDraw.Draw(lines)
    for line in (*boards, *crosslines):
        pen.line(line, fill=255, width=max(2, height // 360))
    # They fade into haze towards the horizon.
    ramp = Image.linear_gradient("L").resize((width, height - round(horizon)))
    haze = ramp.point(lambda level: 4 + level * 38 // 255)
    veil = Image.new("L", lines.size)
    veil.paste(haze, (0, round(horizon)))
    return ImageChops.multiply(lines.filter(ImageFilter.GaussianBlur(0.7)), veil)


def _light(width: int, height: int) -> Image.Image:
    # Cubed, so that it has a bright core and no edge.
    fading = Image.radial_gradient("L").point(lambda level: round(165 * max(0.0, 1 - level / 181) ** 3))
    wide, high = round(max(width, height) * 2.1), round(max(width, height) * 1.25)
    mask = Image.new("L", (width, height))
    place = (round(width * _LIGHT) - wide // 2, round(height * HORIZON) - high // 2)
    mask.paste(fading.resize((wide, high), Image.Resampling.BICUBIC), place)
    return mask


def _vertical_gradient(width: int, height: int, top: Colour, bottom: Colour) -> Image.Image:
    upper, lower = (Image.new("RGB", (width, height), c[:3]) for c in (top, bottom))
    return Image.composite(lower, upper, Image.linear_gradient("L").resize((width, height)))


def _grained(ground: Image.Image) -> Image.Image:
    """The picture with a fine grain against banding; the same grain in every run."""
    width, height = ground.size
    noise = random.Random(0).randbytes(width * height)
    grain = Image.frombytes("L", ground.size, noise).point(lambda level: level % 5)
    return ImageChops.subtract(
        ImageChops.add(ground, Image.merge("RGB", [grain] * 3)), Image.new("RGB", ground.size, (2, 2, 2))
    )
