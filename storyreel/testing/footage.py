"""Clips, pictures and speech for the emulators, different for each task: MP4s of H.264 and AAC at 30 fps, moving and
audible; PNGs and JPEGs; WAVs."""

from __future__ import annotations

import io
import math
import os
import subprocess
import tempfile
import wave
import zlib
from array import array
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import ffmpeg

from storyreel.tasks.media.binary import find_ffmpeg

PictureForm: TypeAlias = Literal["PNG", "JPEG"]
FPS = 30
SPEECH_RATE = 24_000
"""Samples a second of speech, as of Model Studio's."""
LETTER_SECONDS = 0.07
"""Seconds that a letter of speech takes."""
_GRAIN = 8
"""Each pixel of the drawn picture becomes a square of so many, so that encoding at full size costs little."""


def footage(seconds: int, width: int, height: int, mark: str) -> bytes:
    """A clip of exactly `seconds` × 30 frames; `mark` makes its bytes differ from those of other clips.

    The mark goes into a `free` box at the end, which players skip (ISO/IEC 14496-12, 8.1.2).
    """
    payload = mark.encode()
    return _reel(seconds, width, height) + (len(payload) + 8).to_bytes(4, "big") + b"free" + payload


def still(width: int, height: int, mark: str, form: PictureForm = "PNG") -> bytes:
    """The picture that a clip of 720p in this shape begins with, in this size; `mark` makes its bytes differ from those
    of other pictures, and not its pixels.

    The mark is in a text chunk before the end of a PNG (PNG, 11.3.4.3), or in a comment at the beginning of a JPEG.
    """
    picture, payload = _picture(width, height, form), mark.encode()
    if form == "JPEG":
        return picture[:2] + b"\xff\xfe" + (len(payload) + 2).to_bytes(2, "big") + payload + picture[2:]
    chunk = b"tEXtComment\0" + payload
    comment = (len(chunk) - 4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    return picture[:-12] + comment + picture[-12:]


def speech(line: str, voice: str, mark: str) -> bytes:
    """A line as a voice says it, in tones, as a WAV of 24 kHz, mono, 16 bit: a tone for each letter and a pause for
    anything else, `LETTER_SECONDS` long. `mark` makes its bytes differ from those of others, and not its sound.

    The mark is in a chunk of its own at the end, which readers skip (Multimedia Programming Interface 1.0, RIFF).
    """
    mark_bytes = mark.encode() + b"\0" * (len(mark.encode()) % 2)
    chunk = b"mark" + len(mark_bytes).to_bytes(4, "little") + mark_bytes
    whole = _spoken(line, voice) + chunk
    return whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:]


@lru_cache(maxsize=32)
def _spoken(line: str, voice: str) -> bytes:
    size = round(SPEECH_RATE * LETTER_SECONDS)
    pitch = 110 + zlib.crc32(voice.encode()) % 110
    tones: dict[int, bytes] = {}
    samples = bytearray()
    for letter in line:
        step = ord(letter) % 12 if letter.isalnum() else -1
        if step not in tones:
            tone = 2 * math.pi * pitch * 2 ** (step / 12) / SPEECH_RATE
            fades = (math.sin(math.pi * (at + 0.5) / size) for at in range(size))
            level = 0 if step < 0 else 9000
            tones[step] = array(
                "h", (round(level * fade * math.sin(tone * at)) for at, fade in enumerate(fades))
            ).tobytes()
        samples += tones[step]
    into = io.BytesIO()
    with wave.open(into, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(SPEECH_RATE)
        written.writeframes(bytes(samples))
    return into.getvalue()


@lru_cache(maxsize=8)
def _picture(width: int, height: int, form: PictureForm) -> bytes:
    """Made once on a machine, as `_reel` is."""
    ending = "png" if form == "PNG" else "jpg"
    return _kept(f"{width}x{height}-1.{ending}", lambda into: _draw(width, height, into))


@lru_cache(maxsize=8)
def _reel(seconds: int, width: int, height: int) -> bytes:
    return _kept(f"{width}x{height}-{seconds}s-1.mp4", lambda into: _encode(seconds, width, height, into))


def _kept(name: str, make: Callable[[Path], None]) -> bytes:
    """A file that is made once on a machine and kept in its folder for temporary files."""
    kept = Path(tempfile.gettempdir()) / "storyreel-footage" / name
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        handle, partial = tempfile.mkstemp(suffix=kept.suffix, dir=kept.parent)
        os.close(handle)
        make(Path(partial))
        Path(partial).replace(kept)
    return kept.read_bytes()


def _draw(width: int, height: int, into: Path) -> None:
    shapes = ((1280, 720), (720, 1280), (960, 960), (1104, 832), (832, 1104))
    wide, high = min(shapes, key=lambda shape: abs(shape[0] / shape[1] - width / height))
    drawn = f"testsrc2=size={wide // _GRAIN}x{high // _GRAIN}:rate={FPS}"
    picture = ffmpeg.input(drawn, format="lavfi").filter("scale", width, height, flags="neighbor")
    _run(ffmpeg.output(picture, str(into), vframes=1, **({"qscale:v": 2} if into.suffix == ".jpg" else {})))


def _encode(seconds: int, width: int, height: int, into: Path) -> None:
    drawn = f"testsrc2=size={width // _GRAIN}x{height // _GRAIN}:rate={FPS}:duration={seconds}"
    picture = ffmpeg.input(drawn, format="lavfi").filter("scale", width, height, flags="neighbor")
    sound = ffmpeg.input(f"sine=frequency=330:beep_factor=2:sample_rate=48000:duration={seconds}", format="lavfi")
    output = ffmpeg.output(
        picture,
        sound,
        str(into),
        vcodec="libx264",
        preset="ultrafast",
        pix_fmt="yuv420p",
        acodec="aac",
        ac=2,
        movflags="+faststart",
    )
    _run(output)


def _run(output: Any) -> None:
    command = ffmpeg.compile(output, cmd=str(find_ffmpeg().path), overwrite_output=True)
    subprocess.run([*command, "-v", "error", "-nostdin"], check=True, capture_output=True)
