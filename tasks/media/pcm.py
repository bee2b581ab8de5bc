"""Sound in house format: raw samples, 16 bit little-endian, 48 kHz, stereo, without a header."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from ffmpeg.nodes import FilterableStream

from storyreel.specs.timing import SAMPLE_RATE

CHANNELS = 2
BYTES_A_SAMPLE = 2 * CHANNELS
"""A sample of both channels."""
BYTES_A_FLOAT_SAMPLE = 4 * CHANNELS
"""A sample of both channels in 32 bit floating point."""

SoundCodec: TypeAlias = Literal["aac", "pcm_s24le"]
"""The encoding of a film's sound; `pcm_s24le` is samples of 24 bit, without loss."""
BYTES_A_24_BIT_SAMPLE = 3 * CHANNELS
"""A sample of both channels."""

AAC_FRAME = 1024
"""Samples in a packet of AAC-LC (ISO/IEC 14496-3), and in the priming of ffmpeg's encoder."""

RAW_OUTPUT: dict[str, str | int] = {"f": "s16le", "c:a": "pcm_s16le", "ar": SAMPLE_RATE, "ac": CHANNELS}
"""ffmpeg's output options for raw samples."""

RAW_INPUT: dict[str, str | int] = {"f": "s16le", "ar": SAMPLE_RATE, "ac": CHANNELS}
"""ffmpeg's input options for raw samples."""


def samples_in(file: Path) -> int:
    """The number of samples in a raw file."""
    return file.stat().st_size // BYTES_A_SAMPLE


def house_sound(sound: FilterableStream, channels: int) -> FilterableStream:
    """A filter chain to 48 kHz stereo from time 0, gaps filled with silence. `channels` are those of the input.

    Mono is copied to both channels at its level; ffmpeg's default lowers it by 3 dB (measured).
    """
    if channels == 1:
        sound = sound.filter("pan", "stereo|c0<c0|c1<c0")
    return sound.filter("aresample", SAMPLE_RATE, **{"async": 1, "first_pts": 0}).filter(
        "aformat", sample_fmts="flt", channel_layouts="stereo"
    )
