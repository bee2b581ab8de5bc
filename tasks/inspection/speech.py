"""Examine speech: whether its sound is whole, how long it is, and what is certainly wrong with it."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path

from storyreel.specs.derived.lines import estimated_seconds
from storyreel.specs.frozen import Frozen
from storyreel.tasks.inspection.measure import Loudness, loudness_of
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.wholeness import decodable_sound, whole_sound


class SpeechBounds(Frozen):
    """Thresholds beyond which a measurement of speech is a finding."""

    version: int = 1
    """Increased when the findings of speech change and no other field shows it."""
    silent_peak: float = -45
    """dBTP. The quietest speech of a service has peaks of -20; below this no word is heard."""
    shorter: int = 4
    """Ratio of the expected length to the real one from which a part of the line is certainly missing."""
    longer: int = 4
    """Ratio of the real length to the expected one from which more than the line is spoken."""
    slack: float = 1.5
    """Seconds that may be added to any line: a breath, and an effect of its delivery."""


SPEECH_BOUNDS = SpeechBounds()


class Speech(Frozen):
    """Facts about a spoken line."""

    seconds: Fraction
    """All that can be decoded, to the sample."""
    loudness: Loudness | None
    """None for less than 100 ms."""
    is_damaged: bool
    """Whether a part of it cannot be decoded."""

    @property
    def is_silent(self) -> bool:
        """Whether nothing is heard."""
        return self.loudness is None or self.loudness.peak <= SPEECH_BOUNDS.silent_peak

    def is_too_short(self, line: str) -> bool:
        """Whether a part of the line must be missing."""
        return self.seconds * SPEECH_BOUNDS.shorter < estimated_seconds(line) - Fraction(SPEECH_BOUNDS.slack)

    def is_too_long(self, line: str) -> bool:
        """Whether there must be more than the line."""
        return self.seconds > estimated_seconds(line) * SPEECH_BOUNDS.longer + Fraction(SPEECH_BOUNDS.slack)


def check_speech(file: Path, name: str) -> Fraction:
    """Decode all of a sound; returns its seconds. Raises MediaError, with `name` for the file, if it is none, is cut
    short or damaged."""
    try:
        return whole_sound(file)
    except MediaError as error:
        told = error.message.replace(str(file), name)
        raise MediaError(told, hint="download or copy it again") from error


async def speech_of(file: Path) -> Speech:
    """Facts about speech that was bought, whole or damaged. Raises MediaError if nothing of it can be decoded."""
    is_damaged = False
    try:
        seconds = await asyncio.to_thread(whole_sound, file)
    except MediaError:
        is_damaged = True
        seconds = await asyncio.to_thread(decodable_sound, file)
    return Speech(seconds=seconds, loudness=await loudness_of(file), is_damaged=is_damaged)


def spoken_seconds(file: Path) -> Fraction:
    """The length of speech of the store, to the sample. Raises MediaError if nothing of it can be decoded."""
    try:
        return whole_sound(file)
    except MediaError:
        return decodable_sound(file)
