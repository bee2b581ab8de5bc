"""Pictures with detail at every scale, like those of a camera, and clips that show them."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image, ImageChops, ImageOps

from tests.tasks.generated_clips import ffmpeg

WIDE = (960, 540)
"""Pixels of a scene; a camera shows a third of each side."""
SEEN = (320, 180)
FPS = 24


def scene(seed: int, size: tuple[int, int] = WIDE) -> Image.Image:
    """A landscape of blobs, large and small, in two colours of its own."""
    chance = random.Random(seed)
    grey = Image.new("L", size)
    for cells in (3, 7, 20, 60):
        blobs = Image.frombytes("L", (2 * cells, cells), chance.randbytes(2 * cells * cells))
        grey = Image.blend(grey, blobs.resize(size, Image.Resampling.BICUBIC), 0.5)
    dark = tuple(chance.randrange(80) for _ in range(3))
    light = tuple(chance.randrange(140, 256) for _ in range(3))
    return ImageOps.colorize(ImageOps.autocontrast(grey), dark, light)  # type: ignore[arg-type]


def recoloured(picture: Image.Image) -> Image.Image:
    """The same with its colours exchanged, equally bright."""
    brightness, blue, red = picture.convert("YCbCr").split()
    return Image.merge("YCbCr", (brightness, ImageChops.invert(blue), ImageChops.invert(red))).convert("RGB")


def film(
    into: Path,
    *scenes: Image.Image,
    camera: str = "crop=320:180:320:180",
    after: str = "null",
    frames: int = 60,
    options: tuple[str, ...] = (),
) -> Path:
    """A clip of `frames` frames that shows the scenes one after the other, equally long.

    `camera` is the ffmpeg filter for each scene, `after` the one for the whole.
    """
    inputs: list[str | Path] = []
    graph = ""
    share = frames // len(scenes)
    for n, picture in enumerate(scenes):
        still = into.with_name(f"{into.stem}-{n}.bmp")
        picture.save(still)
        inputs += ["-loop", "1", "-framerate", str(FPS), "-i", still]
        graph += f"[{n}:v]trim=end_frame={share},{camera},setpts=PTS-STARTPTS,setsar=1[{n}];"
    graph += "".join(f"[{n}]" for n in range(len(scenes))) + f"concat=n={len(scenes)},{after},format=yuv420p[o]"
    ffmpeg(*inputs, "-filter_complex", graph, "-map", "[o]", "-r", str(FPS), "-c:v", "libx264", "-preset", "veryfast",
           "-crf", "20", "-threads", "1", *options, into)  # fmt: skip
    return into
