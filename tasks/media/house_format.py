"""House format: the one shape that every picture of a film has, and the one way to encode it.

Encoding with equal options gives equal SPS and PPS, so that pictures encoded apart may follow each other in one track.
"""

from __future__ import annotations

import asyncio
import tempfile
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import ffmpeg
from ffmpeg.nodes import FilterableStream

from storyreel.specs.frozen import Frozen
from storyreel.specs.storyboard import Format
from storyreel.specs.timing import FrameRate
from storyreel.tasks.media.binary import Binary, find_ffmpeg
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.probe import Probe, matrix_of, signature

NEAR = Fraction(2, 100)
"""A picture whose ratio is off by no more than this is stretched to fill; any other keeps its shape, between bars."""

_LEVELS = (
    ("3.0", 1_620, 40_500),
    ("3.1", 3_600, 108_000),
    ("3.2", 5_120, 216_000),
    ("4.1", 8_192, 245_760),
    ("4.2", 8_704, 522_240),
    ("5.1", 36_864, 983_040),
    ("5.2", 36_864, 2_073_600),
)
"""H.264 level, macroblocks in a frame, macroblocks a second (ITU-T H.264, table A-1)."""

_MATRICES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
"""ITU-T H.273's number of a matrix to the name that ffmpeg's `scale` knows it by."""


class HouseFormat(Frozen):
    """The size and rate of a film's picture."""

    width: int
    height: int
    """Pixels, square ones; both even."""
    rate: FrameRate

    @classmethod
    def of(cls, picture: Format) -> HouseFormat:
        """The house format of a storyboard's `format`."""
        width, height = picture.size
        return cls(width=width, height=height, rate=picture.fps)

    @property
    def timescale(self) -> int:
        """Ticks a second in which a frame of any rate is whole: 1000 of 24000, 1001 of 24000 at 23.976."""
        return self.rate.nominal * 1000

    @property
    def frame_ticks(self) -> int:
        """Ticks that a frame lasts."""
        return int(self.timescale / self.rate.exact)

    @property
    def level(self) -> str:
        """The lowest H.264 level that holds the picture."""
        blocks = -(-self.width // 16) * -(-self.height // 16)
        for level, frame, second in _LEVELS:
            if blocks <= frame and blocks * self.rate.exact <= second:
                return level
        return _LEVELS[-1][0]

    def picture_options(self) -> dict[str, str | int]:
        """ffmpeg's output options for the picture, metadata and container, for `ffmpeg.output(…, **options)`.

        One encoder thread, no VBV and bitexact make the bytes the same at every run (measured); the files run in
        parallel instead. Colour is tagged by the filter of `finished`, as ffmpeg 9 drops two of the four tags when
        they are given as output options (measured).
        """
        return {
            "c:v": "libx264",
            "preset": "veryfast",
            "crf": 18,
            "pix_fmt": "yuv420p",
            "profile:v": "high",
            "level:v": self.level,
            "bf": 2,
            "x264-params": "keyint=250:scenecut=0:open-gop=0:threads=1",
            "r": str(self.rate.exact),
            "video_track_timescale": self.timescale,
            "fflags": "+bitexact",
            "flags:v": "+bitexact",
            "flags:a": "+bitexact",
            "map_metadata": -1,
            "map_chapters": -1,
        }

    def finished(self, picture: FilterableStream) -> FilterableStream:
        """The end of every filter chain: 8 bit 4:2:0, square pixels, tagged as bt709 in limited range.

        It labels and does not convert: what comes in must be the house's size and bt709 already.
        """
        return (
            picture.filter("format", "yuv420p")
            .filter("setsar", 1)
            .filter("setparams", range="tv", colorspace="bt709", color_primaries="bt709", color_trc="bt709")
        )

    def fitted(self, picture: FilterableStream, source: Probe) -> FilterableStream:
        """A source's picture at the house's size, rate and colours, from time 0; bars where its shape is another."""
        width, height = self._inner(source.shown_ratio)
        picture = picture.filter("setpts", "PTS-STARTPTS").filter("fps", str(self.rate.exact))
        picture = picture.filter(
            "scale", width, height, flags="bicubic+accurate_rnd+full_chroma_int",
            in_color_matrix=_matrix(source), in_range="pc" if source.colour.full_range else "tv",
            out_color_matrix="bt709", out_range="tv",
        )  # fmt: skip
        picture = self.finished(picture)
        if (width, height) != (self.width, self.height):
            picture = picture.filter("pad", self.width, self.height, "(ow-iw)/2", "(oh-ih)/2", "black")
        return picture

    def fits(self, source: Probe) -> bool:
        """Whether a clip needs no conversion at all: size, rate, pixels, colours."""
        colour = source.colour
        return (
            (source.width, source.height, source.rotation) == (self.width, self.height, 0)
            and source.sar == 1
            and source.rate == self.rate.exact
            and source.steady
            and source.pix_fmt == "yuv420p"
            and not colour.full_range
            and _matrix(source) == "bt709"
        )

    def _inner(self, ratio: Fraction) -> tuple[int, int]:
        """Even width and height of a picture of this ratio inside the house's."""
        own = Fraction(self.width, self.height)
        if abs(ratio / own - 1) <= NEAR:
            return self.width, self.height
        if ratio > own:
            return self.width, _even(self.width / ratio)
        return _even(self.height * ratio), self.height


async def house_signature(house: HouseFormat) -> str:
    """The signature of what the house's own encoder writes; a few frames are encoded once in a process to see it."""
    return await asyncio.to_thread(_signature_of, house, find_ffmpeg())


@lru_cache
def _signature_of(house: HouseFormat, binary: Binary) -> str:
    source = ffmpeg.input(f"color=black:s={house.width}x{house.height}:r={house.rate.exact}", f="lavfi")
    with tempfile.TemporaryDirectory(prefix="storyreel-") as folder:
        sample = Path(folder) / "sample.mp4"
        output = ffmpeg.output(house.finished(source), str(sample), **house.picture_options(), **{"frames:v": 3})
        try:
            ffmpeg.run(output, cmd=str(binary.path), quiet=True)
        except ffmpeg.Error as error:
            said = error.stderr.decode(errors="replace").strip().splitlines()
            raise MediaError(
                f"{binary.path} cannot encode {house.width}×{house.height}: {said[-1] if said else 'no reason given'}",
                "`storyreel doctor` looks at ffmpeg",
            ) from error
        return signature(sample)


def _matrix(source: Probe) -> str:
    """The name of a clip's colour matrix; what `scale` does not know counts as bt709."""
    return _MATRICES.get(matrix_of(source.colour.matrix, source.height), "bt709")


def _even(pixels: Fraction) -> int:
    return max(2, 2 * round(pixels / 2))
