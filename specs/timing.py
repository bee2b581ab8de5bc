"""Frame rates as exact fractions (23.976 is 24000/1001), and durations, counted in whole frames: sums never drift."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from storyreel.specs.problems.phrases import shown

SAMPLE_RATE = 48_000
"""Samples a second of every sound track that is made here."""

_RATES = {
    name: Fraction(name) if name.isdigit() else Fraction(round(float(name)) * 1000, 1001)
    for name in ("12", "15", "16", "23.976", "24", "25", "29.97", "30", "48", "50", "59.94", "60")
}

_NUMBER = r"[0-9]{1,4}(\.[0-9]{1,6})?s|[0-9]{1,7}ms|[0-9]{1,6}f"
_TIMECODE = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]:[0-5][0-9]"
_DURATION = re.compile(rf"({_NUMBER}|{_TIMECODE})")


INTERVAL_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_INTERVAL_PART = r"([0-9]{1,6})\s*([smhdw])\s*"


@dataclass(frozen=True, slots=True)
class FrameRate:
    """Frames a second, one of the rates that film and video use. Raises ValueError for any other rate."""

    exact: Fraction

    def __post_init__(self) -> None:
        if self.exact not in _RATES.values():
            raise ValueError(f"{self.exact} is not a frame rate; use one of {', '.join(_RATES)}")

    @classmethod
    def parse(cls, written: object) -> FrameRate:
        """`24`, `23.976`, `"29.97"` or `"24000/1001"`; ValueError for anything else."""
        if isinstance(written, FrameRate):
            return written
        if isinstance(written, int | float | str) and not isinstance(written, bool):
            text = f"{written:g}" if isinstance(written, int | float) else written.strip()
            if rate := _RATES.get(text) or next((r for r in _RATES.values() if str(r) == text), None):
                return cls(rate)
        raise ValueError(f"not a frame rate; use one of {', '.join(_RATES)}")

    @property
    def nominal(self) -> int:
        """The whole number that timecode counts to: 24 for 23.976."""
        return round(self.exact)

    def seconds(self, frames: int) -> Fraction:
        """Exact seconds of a number of frames."""
        return frames / self.exact

    def nearest_frames(self, seconds: Fraction | int) -> int:
        """Whole frames nearest to a time in seconds, a half counted up."""
        # With whole numbers: a plan does this dozens of times for each shot, and fractions are ten times slower.
        (many, parts), (times, over) = seconds.as_integer_ratio(), self.exact.as_integer_ratio()
        times, over = times * many, over * parts
        return (2 * times + over) // (2 * over)

    def frame_at(self, rate: FrameRate, frame: int) -> int:
        """The frame nearest to the time at which a frame begins at another rate, a half counted up."""
        return frame if rate == self else self.nearest_frames(rate.seconds(frame))

    def sample_at(self, frame: int) -> int:
        """The sample at 48 kHz nearest to the start of a frame, a half rounded up."""
        return int(frame * SAMPLE_RATE / self.exact + Fraction(1, 2))

    def timecode(self, frame: int) -> str:
        """Non-drop timecode of a frame, `00:00:04:00`."""
        seconds, frames = divmod(frame, self.nominal)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours:02}:{minutes:02}:{seconds:02}:{frames:02}"

    def __str__(self) -> str:
        return next(name for name, rate in _RATES.items() if rate == self.exact)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        numbers = [int(name) if name.isdigit() else float(name) for name in _RATES]
        return {"enum": [*numbers, *_RATES, "24000/1001", "30000/1001", "60000/1001"]}


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time as the author wrote it: `4s`, `1.5s`, `800ms`, `96f` or `00:00:04:00`.

    It becomes frames only with a rate, so the same storyboard works at any rate.
    Raises ValueError for any other text; the longest are 9999s, 9999999ms, 999999f and 23:59:59:59.
    """

    text: str
    _seconds: Fraction = field(init=False, repr=False, compare=False)
    _frames: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        seconds, frames = _read_duration(self.text)
        object.__setattr__(self, "_seconds", seconds)
        object.__setattr__(self, "_frames", frames)

    def frames(self, rate: FrameRate) -> int:
        """Whole frames at a rate: seconds go to the nearest frame, timecode counts nominal frames
        (at 23.976, 00:00:10:00 is 240 frames).

        Raises ValueError for a timecode with a frame number that the rate does not have.
        """
        if ":" not in self.text:
            return rate.nearest_frames(self._seconds) + self._frames
        if self._frames >= rate.nominal:
            raise ValueError(f"{self.text} names frame {self._frames}, but a second has {rate.nominal} frames")
        return int(self._seconds) * rate.nominal + self._frames

    def __str__(self) -> str:
        return self.text

    @classmethod
    def _parse(cls, written: object) -> Duration:
        if isinstance(written, Duration):
            return written
        if isinstance(written, int | float) and not isinstance(written, bool):
            written = f"{written:g}"
        return cls(written.strip() if isinstance(written, str) else "")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._parse, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "type": "string",
            "pattern": f"^{_DURATION.pattern}$",
            "description": "A length of time: 4s, 1.5s, 800ms, 96f (frames) or 00:00:04:00 (timecode).",
        }


@lru_cache(1024)
def _read_duration(text: str) -> tuple[Fraction, int]:
    """Seconds, and the frames to add to them."""
    if not _DURATION.fullmatch(text):
        raise ValueError(_why_no_duration(text))
    if ":" in text:
        hours, minutes, seconds, frames = map(int, text.split(":"))
        return Fraction(hours * 3600 + minutes * 60 + seconds), frames
    if text.endswith("f"):
        return Fraction(0), int(text[:-1])
    if text.endswith("ms"):
        return Fraction(int(text[:-2]), 1000), 0
    return Fraction(text[:-1]), 0


def _why_no_duration(text: str) -> str:
    known = "write 4s, 1.5s, 800ms, 96f or 00:00:04:00"
    if re.fullmatch(_TIMECODE, text.replace(";", ":")):
        return "this is drop-frame timecode; write it with colons, counted without drops"
    if re.fullmatch(r"[0-9]+\.[0-9]+f", text):
        return "frames are whole"
    if re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,20})?(s|ms|f)", text):
        return "a duration is at most 9999s, 9999999ms or 999999f, with six decimals in seconds and none in the others"
    if re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,6})?", text):
        return f"a duration needs a unit; write {text}s for seconds or {text}f for frames"
    return f"this is not a duration; {known}"


def parse_interval(text: str) -> timedelta:
    """A span of the clock, `90m`, `12h` or `1h 30m`: each unit at most once, more than zero. Raises ValueError."""
    written = text.strip().lower()
    parts = re.findall(_INTERVAL_PART, written)
    length = timedelta(**{INTERVAL_UNITS[unit]: int(number) for number, unit in parts})
    if re.sub(_INTERVAL_PART, "", written) or len({unit for _, unit in parts}) < len(parts) or not length:
        raise ValueError(f"{shown(text)!r} is not a length of time")
    return length
