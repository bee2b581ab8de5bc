"""The grade of a shot: corrections of its colours by documented formulas, then a colour table.

All of it is done in 16-bit R'G'B' with the primaries and the transfer function of BT.709, from 0 (black) to 1 (white):

1. White balance and exposure, in linear light: red, green and blue are multiplied by `gains`.
2. Contrast: v becomes p + contrast · (v - p), where p is the signal of 18 % grey.
3. Saturation: each of R', G', B' becomes Y' + saturation · (v - Y'), where Y' is the luma of BT.709.
4. The tables of the .cube file: of one dimension by linear, of three by tetrahedral interpolation.

After each step what is below 0 or above 1 is cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from storyreel.specs.frozen import Frozen
from storyreel.specs.language.grade import NEUTRAL_KELVIN, Grade
from storyreel.tasks.media.grading.cube import VIDEO_BLACK, VIDEO_WHITE, Table, read_cube
from storyreel.tasks.media.grading.transfer import MIDDLE_GREY, light_of, signal_of
from storyreel.tasks.media.grading.white import LUMA, Triple, white_balance

if TYPE_CHECKING:
    from ffmpeg.nodes import FilterableStream

_VERSION = 1
"""Part of the keys of graded pictures; increased when they change and the grade does not show it."""

_POINTS = 4096
"""Of the tables that stand for the formulas of 1 and 2: between two of them they are straight, which
is a quarter of a step of 8 bits beside them where a steep one is cut off, and much less elsewhere."""

Step = tuple[str, dict[str, str | float]]
"""A filter of ffmpeg and its options."""


class Grading(Frozen):
    """The grade of a shot, with its colour table as it was planned."""

    exposure: float = 0.0
    temperature: float = float(NEUTRAL_KELVIN)
    contrast: float = 1.0
    saturation: float = 1.0
    lut: Path | None = None
    lut_digest: str = ""
    """SHA-256, in hex, of the file of the table."""

    @classmethod
    def of(cls, grade: Grade, lut: Path | None, lut_digest: str) -> Self:
        """The grade that a storyboard writes, with the file of its colour table and its digest."""
        return cls(**grade.model_dump(exclude={"lut"}), lut=lut, lut_digest=lut_digest)

    @property
    def facts(self) -> tuple[object, ...]:
        """The facts that a graded picture depends on, for cache keys."""
        numbers = self.exposure, self.temperature, self.contrast, self.saturation
        return "grade", _VERSION, *numbers, self.lut_digest

    def as_json(self) -> dict[str, Any]:
        """The form in the record of a film; the table by its file's name and digest."""
        table = {"lut": self.lut.name, "lut_digest": self.lut_digest} if self.lut else {}
        return self.model_dump(include={"exposure", "temperature", "contrast", "saturation"}) | table

    @property
    def in_words(self) -> str:
        """`exposure -2 stops, contrast 1.2, table warm.cube`."""
        numbers = self.model_dump(include={"exposure", "temperature", "contrast", "saturation"}).items()
        units = {"exposure": " stops", "temperature": " K"}
        changed = (
            f"{name} {value:g}{units.get(name, '')}"
            for name, value in numbers
            if value != type(self).model_fields[name].default
        )
        return ", ".join([*changed, *([f"table {self.lut.name}"] if self.lut else [])])

    @property
    def gains(self) -> Triple:
        """The factors of red, green and blue in linear light."""
        stops = 2.0**self.exposure
        red, green, blue = white_balance(self.temperature)
        return red * stops, green * stops, blue * stops

    def prepared(self, folder: Path) -> tuple[Step, ...]:
        """The filters, in their order, for `graded`; their tables are written into the folder, which is made.

        Raises MediaError, also if the file of the colour table was changed.
        """
        folder.mkdir()
        return tuple(self._steps(folder))

    def _steps(self, folder: Path) -> Iterator[Step]:
        if (self.exposure, self.temperature, self.contrast) != (0, NEUTRAL_KELVIN, 1):
            yield _looked_up(_table(partial(self._corrected, gain) for gain in self.gains), folder / "curves.cube")
        if self.saturation != 1:
            yield "colorchannelmixer", _mixed(self.saturation)
        for table in read_cube(self.lut, self.lut_digest) if self.lut else ():
            if table.has_own_domain:
                axes = zip(table.low, table.high, strict=True)
                yield _looked_up(
                    _table(partial(_placed, *axis) for axis in axes), folder / f"axes-{table.dimensions}.cube"
                )
            yield _looked_up(table, folder / f"table-{table.dimensions}.cube")
            if table.gives_video:
                from_video = partial(_placed, VIDEO_BLACK, VIDEO_WHITE)
                yield _looked_up(_table([from_video] * 3), folder / "from-video.cube")

    def _corrected(self, gain: float, value: float) -> float:
        """A value of one channel after white balance, exposure and contrast."""
        signal = signal_of(min(1.0, gain * light_of(value)))
        return MIDDLE_GREY + self.contrast * (signal - MIDDLE_GREY)


def graded(picture: FilterableStream, steps: Iterable[Step]) -> FilterableStream:
    """A picture in 16-bit R'G'B', `gbrp16le`, graded.

    It must come from a filter, whose lines are padded: of a line that is not as long as a multiple of 8 pixels ffmpeg's
    `lut3d` writes over what follows (9.0.2, with AVX2).
    """
    for name, options in steps:
        picture = picture.filter(name, **options)
    return picture


def _table(curves: Iterable[Callable[[float], float]]) -> Table:
    """A table of one dimension with the curve of each channel."""
    values = [number / (_POINTS - 1) for number in range(_POINTS)]
    channels = [[min(1.0, max(0.0, curve(value))) for value in values] for curve in curves]
    rows = (f"{red:.7f} {green:.7f} {blue:.7f}\n" for red, green, blue in zip(*channels, strict=True))
    return Table(1, _POINTS, rows="".join(rows))


def _placed(low: float, high: float, value: float) -> float:
    """The place of a value on the axis of a table, 0 at its beginning and 1 at its end."""
    return (value - low) / (high - low)


def _looked_up(table: Table, file: Path) -> Step:
    """The filter that applies a table, which is written. `lutrgb` needs none, but makes white of 16 bits 65280."""
    table.write(file)
    name, interpolation = ("lut1d", "linear") if table.dimensions == 1 else ("lut3d", "tetrahedral")
    return name, {"file": str(file), "interp": interpolation}


def _mixed(saturation: float) -> dict[str, str | float]:
    """The factors of `colorchannelmixer`; `rg` is the part of green in red."""
    return {
        f"{into}{of}": round(part * (1 - saturation) + saturation * (into == of), 9)
        for into in "rgb"
        for of, part in zip("rgb", LUMA, strict=True)
    }
