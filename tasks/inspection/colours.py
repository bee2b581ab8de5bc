"""The colours of a shot as the film shows them, from a few of its frames."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from math import hypot, log2
from pathlib import Path
from statistics import median
from typing import NamedTuple

import ffmpeg
from PIL import Image

from storyreel.specs.cut import EditPoints
from storyreel.specs.frozen import Frozen
from storyreel.specs.timing import FrameRate
from storyreel.tasks.inspection.interest import Interest, interest_of
from storyreel.tasks.media.colour import scaled
from storyreel.tasks.media.decoder import opened, picture_of, tolerant
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.frames import within
from storyreel.tasks.media.grading.grade import Grading, graded
from storyreel.tasks.media.grading.transfer import light_of
from storyreel.tasks.media.grading.white import LUMA, temperature_of
from storyreel.tasks.media.probe import Probe, probe
from storyreel.tasks.storage.files import temporary_folder
from storyreel.tasks.threads import in_threads

FRAMES = 9
"""Frames of a shot that are measured, evenly spaced; the noise of each averages out as they are made small."""
_SHOWN, _MEASURED = 320, 48
"""Pixels of their longer side, as they are shown and as they are measured."""
_DARKER, _BRIGHTER = 0.4, 0.1
"""Parts of the pixels that say nothing of the light: noise colours the darkest, and the brightest are cut off. They are
parts, not levels, so that another exposure leaves the others."""
_LEAST = 0.001
"""Least linear light that is compared."""
_LIGHT = tuple(light_of(code / 255) for code in range(256))
"""Linear light of each signal of 8 bits."""


class ShotColours(Frozen):
    """Medians and means over all pixels of some frames, so that a small object or a lamp changes little."""

    luma: float
    """The median of luma, 0 to 1."""
    light: float
    """The linear light of that."""
    warmth: float
    """The median ratio of red to blue in linear light, as a power of two: above 0 it is warmer than neutral."""
    saturation: float
    """The mean distance of colours from their median, as a part of the mean luma: neither another exposure nor a cast
    over all of them changes it much."""

    @property
    def kelvin(self) -> int:
        """The light that would give grey this colour, in hundreds of kelvin; more is bluer."""
        return 100 * round(temperature_of(2**-self.warmth) / 100)


class ShownColours(NamedTuple):
    """The colours of a shot, one of the frames that they were measured in, and where in these something happens."""

    colours: ShotColours
    frame: bytes
    """A frame from the middle of the shot, as JPEG."""
    interest: Interest
    """The columns and rows of the picture in which something happens."""
    size: tuple[int, int]
    """Of the frame, in pixels."""


async def measure_colours(clip: Path, edit: EditPoints, rate: FrameRate, grading: Grading | None) -> ShownColours:
    """Measure the frames of a clip that a film uses, graded as they are there, without bars. Raises MediaError."""
    source = await asyncio.to_thread(probe, clip)
    used = edit.within(source.frames_at(rate))
    wanted = sorted({used.first + (2 * n + 1) * used.frames // (2 * FRAMES) for n in range(FRAMES)})
    async with in_threads(temporary_folder()) as folder:
        frames = await _frames(source, wanted, rate, grading, folder)
    if not frames:
        raise MediaError(f"no frame of {clip} can be decoded where the film uses it", hint="generate the take again")
    return await asyncio.to_thread(_shown, frames)


async def _frames(
    source: Probe, wanted: Sequence[int], rate: FrameRate, grading: Grading | None, folder: Path
) -> list[Image.Image]:
    size = within(source.shown_size, _SHOWN)
    steps = await asyncio.to_thread(grading.prepared, folder / "tables") if grading else ()
    picture = picture_of(source, opened(source))
    picture = picture.filter("fps", str(rate.exact), **({"start_time": 0} if source.late else {}))
    picture = picture.filter("select", "+".join(f"eq(n,{frame})" for frame in wanted))
    picture = graded(scaled(picture, source.colour, *size, "gbrp16le"), steps).filter("format", "rgb24")
    raw = folder / "frames.rgb"
    output = ffmpeg.output(picture, str(raw), f="rawvideo", fps_mode="passthrough", **{"frames:v": len(wanted)})
    await run(tolerant(output))
    pixels, length = await asyncio.to_thread(raw.read_bytes), 3 * size[0] * size[1]
    return [Image.frombytes("RGB", size, pixels[at : at + length]) for at in range(0, len(pixels), length)]


def _shown(frames: Sequence[Image.Image]) -> ShownColours:
    content = io.BytesIO()
    frames[len(frames) // 2].save(content, "JPEG", quality=95, subsampling=0)
    return ShownColours(colours_of(frames), content.getvalue(), interest_of(frames), frames[0].size)


def colours_of(frames: Sequence[Image.Image]) -> ShotColours:
    """The colours of pictures in R'G'B' of BT.709."""
    lumas: list[float] = []
    warmths: list[float] = []
    chromas: list[tuple[float, float]] = []
    for frame in frames:
        small = frame.resize(within(frame.size, _MEASURED), Image.Resampling.BOX).tobytes()
        for red, green, blue in zip(small[0::3], small[1::3], small[2::3], strict=True):
            luma = (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue) / 255
            lumas.append(luma)
            warmths.append(log2(max(_LEAST, _LIGHT[red]) / max(_LEAST, _LIGHT[blue])))
            # Cb and Cr as in BT.709-6, 3.3.
            chromas.append(((blue / 255 - luma) / 1.8556, (red / 255 - luma) / 1.5748))
    by_luma = sorted(zip(lumas, warmths, strict=True))
    bright = by_luma[round(_DARKER * len(by_luma)) : round((1 - _BRIGHTER) * len(by_luma))]
    middle, cast = median(lumas), (median(cb for cb, _ in chromas), median(cr for _, cr in chromas))
    spread = sum(hypot(cb - cast[0], cr - cast[1]) for cb, cr in chromas)
    return ShotColours(
        luma=middle,
        light=max(_LEAST, light_of(middle)),
        warmth=median(warmth for _, warmth in bright),
        saturation=2 * spread / max(sum(lumas), _LEAST),
    )
