"""The colours of a picture, and the filters that bring them to those of the house: BT.709, standard dynamic range.

Code points are those of ITU-T H.273.
"""

from __future__ import annotations

from typing import Literal

import av
from av.video.frame import VideoFrame
from ffmpeg.nodes import FilterableStream
from PIL import Image

from storyreel.specs.frozen import Frozen

RGB, BT709, UNSPECIFIED, SD, BT2020 = 0, 1, 2, 6, 9
"""Matrices; BT709, UNSPECIFIED and BT2020 are also primaries."""

PQ, HLG = 16, 18
"""Transfer functions of high dynamic range: SMPTE ST 2084, and ARIB STD-B67."""

_MATRICES = {0: "bt709", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020"}
"""Matrices that ffmpeg's `scale` knows. RGB has none, any will do."""
_MATRICES_OF_ZSCALE = frozenset({*_MATRICES, 8, 10, 12, 13, 14})
_PRIMARIES = frozenset({1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 22})
"""Primaries that `zscale` knows."""
_OTHER_CURVES = frozenset({8, 9, 10, PQ, 17, HLG})
"""Linear, logarithmic, PQ, SMPTE ST 428, HLG. All others are made for an SDR screen; players show them alike."""

_CONVERSION = 1
"""Part of the keys of converted pictures; increased when they change and the numbers below do not show it."""
_LIMITED_GREY = frozenset({"h264", "hevc", "av1", "vp9"})
"""Codecs whose grey pictures have limited range unless they say otherwise, as their colours have."""

_SDR_WHITE = 203
"""cd/m² of HDR that are as bright as white of SDR: HDR Reference White (ITU-R BT.2408, 2.1)."""
_HDR_PEAK = 1000
"""cd/m². Lights between `_SDR_WHITE` and this are compressed; brighter ones become white."""
_LINEAR_PART = 0.7
"""Part of the range of SDR, in linear light, that HDR's tones below are copied to; brighter ones are compressed."""

SMOOTH = "bicubic+accurate_rnd+full_chroma_int"
"""Flags of `scale`."""

Pixels = Literal["yuv420p", "yuv420p10le", "yuv422p", "yuv422p10le", "rgb24", "gbrp16le"]


class Colour(Frozen):
    """Colour description of a picture; 2 is unspecified."""

    matrix: int
    primaries: int
    transfer: int
    full_range: bool

    @property
    def dynamic_range(self) -> str:
        """`HLG` or `PQ`; empty for standard dynamic range."""
        return {HLG: "HLG", PQ: "PQ"}.get(self.transfer, "")

    @property
    def conversion(self) -> tuple[object, ...]:
        """The facts that the conversion of high dynamic range depends on, for cache keys; empty for other pictures."""
        return ("hdr", _CONVERSION, _SDR_WHITE, _HDR_PEAK, _LINEAR_PART) if self.dynamic_range else ()

    @property
    def needs_matrix_only(self) -> bool:
        """Whether primaries and transfer function are those of the house already."""
        return (self.primaries, self.transfer) == (BT709, BT709) and self.matrix in _MATRICES

    @property
    def is_house(self) -> bool:
        """Whether nothing needs to be converted."""
        return self.needs_matrix_only and self.matrix == BT709 and not self.full_range


def colour_of(frame: VideoFrame, codec: str) -> Colour:
    """The colours of a decoded frame, with what its tags leave out filled in.

    A matrix that is not tagged is that of BT.709 from 720 lines on, else that of SD: ffmpeg and PyAV take every
    untagged picture for SD, which shifts the colours of HD (measured). BT.2020 in one tag implies it in the others.
    """
    pixels = frame.format
    matrix, primaries, transfer = int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc)
    is_wide = BT2020 in (matrix, primaries) or matrix in (10, 14) or transfer in (PQ, HLG)
    if pixels.is_rgb or pixels.has_palette:
        matrix = RGB
    elif matrix not in _MATRICES_OF_ZSCALE or matrix == RGB:
        matrix = BT2020 if is_wide else BT709 if frame.height >= 720 else SD
    if primaries not in _PRIMARIES:
        primaries = BT2020 if is_wide else BT709
    return Colour(
        matrix=matrix,
        primaries=primaries,
        transfer=transfer if transfer in _OTHER_CURVES else BT709,
        full_range=matrix == RGB or _has_full_range(frame, codec),
    )


def _has_full_range(frame: VideoFrame, codec: str) -> bool:
    if int(frame.color_range):  # AVCOL_RANGE_MPEG is 1, AVCOL_RANGE_JPEG is 2.
        return int(frame.color_range) == 2
    return frame.format.name.startswith("yuvj") or (is_grey(frame.format.name) and codec not in _LIMITED_GREY)


def is_grey(pix_fmt: str) -> bool:
    """Whether a pixel format has no colours."""
    return pix_fmt.startswith(("gray", "ya8", "ya16", "mono"))


def has_alpha(pix_fmt: str) -> bool:
    """Whether a pixel format can be transparent."""
    return bool(pix_fmt) and any(part.is_alpha for part in av.VideoFormat(pix_fmt, 2, 2).components)


def is_transparent(frame: VideoFrame) -> bool:
    """Whether a frame is transparent anywhere."""
    if not has_alpha(frame.format.name):
        return False
    plane = frame.reformat(format="rgba").planes[0]
    size = frame.width, frame.height
    picture = Image.frombuffer("RGBA", size, bytes(plane), "raw", "RGBA", plane.line_size, 1)
    return picture.getchannel("A").getextrema() != (255, 255)


def on_black(picture: FilterableStream, pix_fmt: str) -> FilterableStream:
    """The picture; where it is transparent, over black."""
    return picture.filter("premultiply", inplace=1) if has_alpha(pix_fmt) else picture


def scaled(
    picture: FilterableStream, colour: Colour, width: int, height: int, pixels: Pixels, *, flags: str = SMOOTH
) -> FilterableStream:
    """A picture in a size and in the house's colours: Y'CbCr as BT.709 in limited range, or R'G'B'."""
    levels = "pc" if colour.full_range else "tv"
    is_yuv = pixels.startswith("yuv")
    if colour.needs_matrix_only:
        out = {"out_color_matrix": "bt709", "out_range": "tv"} if is_yuv else {}
        matrix = _MATRICES[colour.matrix]
        picture = picture.filter("scale", width, height, flags=flags, in_color_matrix=matrix, in_range=levels, **out)
        return picture.filter("format", pixels)
    # `scale` refuses some matrices, `zscale` odd sizes: one gets only the size to change, the other the colours.
    is_rgb = colour.matrix == RGB
    picture = (
        picture.filter("setparams", colorspace="gbr" if is_rgb else "bt709")
        .filter("scale", width, height, flags=flags, in_range=levels, out_range=levels)
        .filter("format", "gbrp16le" if is_rgb else "yuv444p16le")
        .filter("setparams", range=levels, colorspace=colour.matrix, color_primaries=colour.primaries,
                color_trc=colour.transfer)
        .filter("zscale", t="linear", npl=_SDR_WHITE)
    )  # fmt: skip
    picture = picture.filter("format", "gbrpf32le").filter("zscale", p="bt709")
    if colour.dynamic_range:
        peak = _HDR_PEAK / _SDR_WHITE
        picture = picture.filter("tonemap", tonemap="mobius", param=_LINEAR_PART, desat=0, peak=peak)
    if is_yuv:
        return picture.filter("zscale", t="bt709", m="bt709", r="tv").filter("format", pixels)
    planes = "gbrp" if pixels == "rgb24" else pixels
    return picture.filter("zscale", t="bt709", m="gbr", r="pc").filter("format", planes).filter("format", pixels)


def from_rgb(picture: FilterableStream, pixels: Pixels) -> FilterableStream:
    """A picture in R'G'B' of BT.709 as Y'CbCr in limited range."""
    return picture.filter("scale", flags=SMOOTH, out_color_matrix="bt709", out_range="tv").filter("format", pixels)
