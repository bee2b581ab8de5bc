"""The formulas of a grade, value by value, without any encoding."""

from __future__ import annotations

from array import array
from functools import partial
from itertools import product
from pathlib import Path

import ffmpeg
import pytest

from storyreel.specs.language.grade import Grade
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.grading.grade import Grading, graded
from storyreel.tasks.media.grading.transfer import MIDDLE_GREY
from storyreel.tasks.media.grading.white import LUMA, temperature_of, white_balance
from storyreel.tasks.storage.digests import file_digest

COLOURS = [tuple(each) for each in product((0, 3000, 11800, 26800, 40000, 58000, 65535), repeat=3)] + [(1, 2, 3)]
SIDE = (8, 43)

Colour = tuple[float, ...]


def made_of(folder: Path, grade: Grade, lut: Path | None = None) -> list[Colour]:
    """The colours as ffmpeg makes them, from 0 to 1."""
    grading = Grading.of(grade, lut, file_digest(lut) if lut else "")
    raw, made = folder / "colours.raw", folder / "graded.raw"
    # Planes in the order of gbrp.
    raw.write_bytes(b"".join(array("H", (colour[n] for colour in COLOURS)).tobytes() for n in (1, 2, 0)))
    how = {"f": "rawvideo", "pix_fmt": "gbrp16le"}
    picture = ffmpeg.input(str(raw), s=f"{SIDE[0]}x{SIDE[1]}", **how)
    picture = graded(picture, grading.prepared(folder / "tables"))
    ffmpeg.run(ffmpeg.output(picture, str(made), **how), cmd=str(find_ffmpeg().path), quiet=True, overwrite_output=True)
    values = array("H", made.read_bytes())
    green, blue, red = (values[n * len(COLOURS) : (n + 1) * len(COLOURS)] for n in range(3))
    return [tuple(value / 65535 for value in colour) for colour in zip(red, green, blue, strict=True)]


def by_formula(colour: tuple[int, ...], grade: Grade) -> Colour:
    gains = [of_white * 2**grade.exposure for of_white in white_balance(grade.temperature)]
    light = [v / 4.5 if v < 0.081 else ((v + 0.099) / 1.099) ** (1 / 0.45) for v in (each / 65535 for each in colour)]
    light = [min(1.0, gain * v) for gain, v in zip(gains, light, strict=True)]
    signal = [4.5 * v if v < 0.018 else 1.099 * v**0.45 - 0.099 for v in light]
    signal = [min(1.0, max(0.0, MIDDLE_GREY + grade.contrast * (v - MIDDLE_GREY))) for v in signal]
    luma = sum(part * v for part, v in zip(LUMA, signal, strict=True))
    return tuple(min(1.0, max(0.0, luma + grade.saturation * (v - luma))) for v in signal)


def most_apart(ones: list[Colour], others: list[Colour]) -> float:
    pairs = zip(ones, others, strict=True)
    return max(abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    "grade",
    [
        Grade(exposure=1),
        Grade(exposure=-2.5),
        Grade(temperature=3200),
        Grade(temperature=9000),
        Grade(contrast=0.5),
        Grade(contrast=2),
        Grade(saturation=0),
        Grade(saturation=2),
        Grade(exposure=0.3, temperature=5200, contrast=1.1, saturation=0.9),
    ],
    ids=lambda grade: ", ".join(f"{key} {getattr(grade, key):g}" for key in sorted(grade.model_fields_set)),
)
def test_each_value_is_that_of_the_formula(tmp_path: Path, grade: Grade) -> None:
    wanted = [by_formula(colour, grade) for colour in COLOURS]
    assert most_apart(made_of(tmp_path, grade), wanted) < 4 / 65535


def test_white_balance_keeps_the_light_of_grey_and_more_kelvin_are_warmer() -> None:
    assert white_balance(6500) == (1, 1, 1)
    kelvins = range(2500, 15001, 250)
    gains = [white_balance(kelvin) for kelvin in kelvins]
    assert all(abs(sum(a * b for a, b in zip(LUMA, each, strict=True)) - 1) < 1e-12 for each in gains)
    warmth = [red / blue for red, _, blue in gains]
    assert warmth == sorted(warmth), "the two parts of the locus meet"
    assert [round(temperature_of(ratio)) for ratio in warmth] == list(kelvins)


def _cube(folder: Path, text: str) -> Path:
    file = folder / "look.cube"
    file.write_text(text)
    return file


INVERTED = {
    "3D": ("LUT_3D_SIZE 2\n" + "".join(f"{1 - r} {1 - g} {1 - b}\n" for b, g, r in product((0, 1), repeat=3)), 0.0),
    "1D": ("LUT_1D_SIZE 3\n1 1 1\n0.5 0.5 0.5\n0 0 0\n", 0.0),
    "1D from -1 to 3": ("LUT_1D_SIZE 2\nDOMAIN_MIN -1 -1 -1\nDOMAIN_MAX 3 3 3\n2 2 2\n-2 -2 -2\n", 0.0),
    "3D up to a half": ("LUT_3D_SIZE 2\nLUT_3D_INPUT_RANGE 0 0.5\n" + "".join(
        f"{1 - r / 2} {1 - g / 2} {1 - b / 2}\n" for b, g, r in product((0, 1), repeat=3)), 0.5),
    "1D, then 3D": ("LUT_1D_SIZE 2\nLUT_3D_SIZE 2\n0 0 0\n0.5 0.5 0.5\n" + "".join(
        f"{1 - 2 * r} {1 - 2 * g} {1 - 2 * b}\n" for b, g, r in product((0, 1), repeat=3)), 0.0),
    "video range": ("LUT_1D_SIZE 2\nLUT_IN_VIDEO_RANGE\nLUT_OUT_VIDEO_RANGE\n"
        f"{f'{1004 / 1023:.9f} ' * 3}\n{f'{-19 / 1023:.9f} ' * 3}\n", 0.0),
    "from video range": ("LUT_1D_SIZE 2\nLUT_IN_VIDEO_RANGE\n"
        f"{f'{940 / 876:.9f} ' * 3}\n{f'{-83 / 876:.9f} ' * 3}\n", 0.0),
}  # fmt: skip
"""Tables that invert colours, and the value below which none goes as the table ends before."""


@pytest.mark.parametrize("kind", INVERTED)
def test_a_table_is_applied_in_all_its_range(tmp_path: Path, kind: str) -> None:
    text, least = INVERTED[kind]
    made = made_of(tmp_path, Grade(lut="look.cube"), _cube(tmp_path, text))
    wanted = [tuple(max(least, 1 - each / 65535) for each in colour) for colour in COLOURS]
    assert most_apart(made, wanted) < 4 / 65535


def test_the_table_follows_the_corrections(tmp_path: Path) -> None:
    lut = _cube(tmp_path, INVERTED["3D"][0])
    corrected = Grade(exposure=0.5, contrast=1.2, saturation=0.8)
    made = made_of(tmp_path, corrected.model_copy(update={"lut": "look.cube"}), lut)
    wanted = [tuple(1 - each for each in by_formula(colour, corrected)) for colour in COLOURS]
    assert most_apart(made, wanted) < 4 / 65535


def test_what_changes_a_picture_changes_the_facts() -> None:
    by = partial(Grading.of, lut=None, lut_digest="")
    grades = [Grade(exposure=1), Grade(contrast=2), Grade(saturation=0), Grade(temperature=5000)]
    facts = [by(grade).facts for grade in grades] + [Grading.of(Grade(lut="a"), Path("a"), each).facts for each in "ab"]
    assert len(set(facts)) == len(facts)
    assert Grading.of(Grade(lut="b"), Path("b"), "a").facts == facts[4], "a table is known by its content"
