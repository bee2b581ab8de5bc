"""House format: the size, rate and encoding of all picture of a film.

Equal options give equal SPS and PPS, so that pieces encoded separately can follow each other in one track.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import ffmpeg
from ffmpeg.nodes import FilterableStream

from storyreel.specs.frozen import Frozen
from storyreel.specs.language.finishing.codecs import INTERMEDIATE, Codec, Quality
from storyreel.specs.storyboard import Format
from storyreel.specs.timing import FrameRate
from storyreel.tasks.media.binary import Binary, find_ffmpeg
from storyreel.tasks.media.colour import Pixels, from_rgb, scaled
from storyreel.tasks.media.encoders import PIXELS, X264, encoder_of, encoder_options
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.pcm import SoundCodec
from storyreel.tasks.media.probe import Probe, signature
from storyreel.tasks.media.shape.framing import BARS, Framing, between_blurred_sides, cut, fitted
from storyreel.tasks.media.shape.orientation import UPRIGHT
from storyreel.tasks.settings import ENCODER

Grade = Callable[[FilterableStream], FilterableStream]
"""Changes the colours of a picture."""

_LEVELS = (
    ("3.0", 1_620, 40_500),
    ("3.1", 3_600, 108_000),
    ("3.2", 5_120, 216_000),
    ("4.1", 8_192, 245_760),
    ("4.2", 8_704, 522_240),
    ("5.1", 36_864, 983_040),
    ("5.2", 36_864, 2_073_600),
)
"""H.264 level, macroblocks per frame, macroblocks per second (ITU-T H.264, table A-1)."""


class HouseFormat(Frozen):
    """The size, rate and encoding of a film's picture."""

    width: int
    height: int
    """Square pixels, both even."""
    rate: FrameRate
    encoder: str = X264
    """One of `encoders.names`, for H.264; other codecs have one encoder each."""
    codec: Codec = "h264"
    quality: Quality = "high"
    """The quality of codecs that are not `INTERMEDIATE`."""
    bit_rate: int | None = None
    """Bits a second of the picture on average, instead of a quality."""

    @classmethod
    def of(cls, picture: Format, encoder: str = X264) -> HouseFormat:
        """The house format of a storyboard's `format`."""
        width, height = picture.size
        return cls(width=width, height=height, rate=picture.fps, encoder=encoder)

    @property
    def facts(self) -> tuple[dict[str, Any], dict[str, str | int]]:
        """The facts that an encoded picture depends on besides its source, for cache keys."""
        return self.model_dump(mode="json", include={"width", "height", "rate"}), self.picture_options()

    def as_json(self) -> dict[str, Any]:
        """Its fields for the key of a film, without those that were added later and have their default."""
        return self.model_dump(mode="json", exclude_defaults=True) | {"encoder": self.encoder}

    @property
    def encoder_used(self) -> str:
        """ffmpeg's name of the encoder. Raises MediaError if the ffmpeg of this machine has none for the codec.

        Of hardware only in the encoding of a film: at other qualities it was not tried.
        """
        return self.encoder if self.is_usual else encoder_of(self.codec, find_ffmpeg())

    @property
    def pixels(self) -> Pixels:
        """The pixel format in which pictures are encoded."""
        return PIXELS[self.codec]

    @property
    def pixels_overlaid(self) -> str:
        """The pixel format's name for ffmpeg's filter `overlay`, which makes 8-bit 4:2:0 of everything by default."""
        return {"yuv420p": "yuv420", "yuv422p": "yuv422"}.get(self.pixels, self.pixels.removesuffix("le"))

    @property
    def pixels_with_alpha(self) -> str:
        """The pixel format with transparency."""
        return self.pixels.replace("yuv", "yuva")

    @property
    def is_usual(self) -> bool:
        """Whether the encoding is that of a film."""
        return (self.codec, self.quality, self.bit_rate) == ("h264", "high", None)

    @property
    def sound_codec(self) -> SoundCodec:
        """The encoding of its sound."""
        return "pcm_s24le" if self.codec in INTERMEDIATE else "aac"

    @property
    def suffix(self) -> str:
        """The suffix of a film in this format: `.mp4`, or `.mov`."""
        return ".mov" if self.codec in INTERMEDIATE else ".mp4"

    @property
    def timescale(self) -> int:
        """Ticks per second. A frame has a whole number of them: 1000 of 24000 at 24 fps, 1001 of 24000 at 23.976."""
        return self.rate.nominal * 1000

    @property
    def frame_ticks(self) -> int:
        """Ticks per frame."""
        return int(self.timescale / self.rate.exact)

    @property
    def level(self) -> str:
        """The lowest H.264 level that allows this size and rate."""
        blocks = -(-self.width // 16) * -(-self.height // 16)
        for level, frame, second in _LEVELS:
            if blocks <= frame and blocks * self.rate.exact <= second:
                return level
        return _LEVELS[-1][0]

    def picture_options(self) -> dict[str, str | int]:
        """ffmpeg's output options for the picture, metadata and container, for `ffmpeg.output(…, **options)`.

        x264 has one thread and no VBV, and is bitexact: so it gives the same bytes in every run (measured); files are
        encoded in parallel instead. Colour is tagged by the filter in `tagged`, as ffmpeg 9 drops two of the four tags
        if they are output options (measured).
        """
        return {
            **encoder_options(self.encoder_used, self.level, self.quality, self.bit_rate),
            "r": str(self.rate.exact),
            "video_track_timescale": self.timescale,
            "fflags": "+bitexact",
            "flags:v": "+bitexact",
            "flags:a": "+bitexact",
            "map_metadata": -1,
            "map_chapters": -1,
        }

    def drawn_options(self) -> dict[str, str | int]:
        """The options for pictures that are drawn here: encoded in two thirds of the time, at a lower rate.

        The signature stays: it has the `crf` in it, so the rate is lowered by a zone (x264 in ffmpeg 9.0.2; 48.7 dB).
        """
        options = HouseFormat(width=self.width, height=self.height, rate=self.rate).picture_options()
        return {**options, "preset": "superfast", "x264-params": f"{options['x264-params']}:zones=0,9999999,b=0.7"}

    def tagged(self, picture: FilterableStream) -> FilterableStream:
        """The end of every filter chain: the codec's pixel format, square pixels, tagged as bt709 in limited range.

        Colours are not converted: the input must have the house's size and be bt709 already.
        """
        return (
            picture.filter("format", self.pixels)
            .filter("setsar", 1)
            .filter("setparams", range="tv", colorspace="bt709", color_primaries="bt709", color_trc="bt709")
        )

    def converted(
        self, picture: FilterableStream, source: Probe, grade: Grade | None = None, framing: Framing = BARS
    ) -> FilterableStream:
        """A clip's picture in the house's size, rate and colours; framed if its shape differs, else between bars.

        `grade` changes the picture, which it gets as R'G'B' in 16 bits, but not the bars.
        """
        size = self.width, self.height
        ratio, own = source.shown_ratio, Fraction(*size)
        picture = picture.filter("fps", str(self.rate.exact), **({"start_time": 0} if source.late else {}))
        part = framing.kept(source.upright_size, ratio, own)
        if part:  # Before it is scaled and graded: only what is kept is.
            picture = cut(picture, part)
        inner = size if part else fitted(size, ratio)
        if grade:
            picture = from_rgb(grade(scaled(picture, source.colour, *inner, "gbrp16le")), self.pixels)
        else:
            picture = scaled(picture, source.colour, *inner, self.pixels)
        picture = self.tagged(picture)
        if inner == size:
            return picture
        if framing.how == "blur":
            return self.tagged(between_blurred_sides(picture, inner, size))
        return picture.filter("pad", *size, "(ow-iw)/2", "(oh-ih)/2", "black")

    def matches(self, source: Probe) -> bool:
        """Whether a clip needs no conversion: size, rate, pixel format and colours are those of the house.

        Only in the encoding of a film, which says nothing of how many bits it takes.
        """
        return (
            self.is_usual
            and (source.width, source.height, source.orientation) == (self.width, self.height, UPRIGHT)
            and source.sar == 1
            and source.rate == self.rate.exact
            and source.steady
            and source.pix_fmt == self.pixels
            and source.colour.is_house
            and not source.interlaced
        )


async def house_signature(house: HouseFormat) -> str:
    """The signature of clips encoded in this format. Three frames are encoded, once per process, to find it."""
    return await asyncio.to_thread(lambda: _signature_of(house, find_ffmpeg()))


@lru_cache
def _signature_of(house: HouseFormat, binary: Binary) -> str:
    source = ffmpeg.input(f"color=black:s={house.width}x{house.height}:r={house.rate.exact}", f="lavfi")
    with tempfile.TemporaryDirectory(prefix="storyreel-") as folder:
        sample = Path(folder) / f"sample{house.suffix}"
        output = ffmpeg.output(house.tagged(source), str(sample), **house.picture_options(), **{"frames:v": 3})
        try:
            ffmpeg.run(output.global_args("-v", "error"), cmd=str(binary.path), quiet=True)
        except ffmpeg.Error as error:
            lines = error.stderr.decode(errors="replace").strip().splitlines()
            is_named = house.encoder_used == house.encoder != X264
            with_it = f" with {house.encoder}, which {ENCODER} names" if is_named else f" as {house.codec}"
            raise MediaError(
                f"{binary.path} cannot encode {house.width}×{house.height}{with_it}: "
                f"{lines[0] if lines else 'no output'}",
                hint=f"unset {ENCODER}" if is_named else "",
                next="storyreel doctor",
            ) from error
        return signature(sample)
