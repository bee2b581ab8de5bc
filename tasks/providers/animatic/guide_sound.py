"""The guide sound of a shot: a soft chord, different for each slate, and a murmur where a character speaks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from math import tau
from pathlib import Path
from typing import NamedTuple

import ffmpeg
from ffmpeg.nodes import FilterableStream, OutputStream

from storyreel.specs.derived.lines import estimated_seconds
from storyreel.specs.timing import SAMPLE_RATE
from storyreel.tasks.providers.animatic.voice.dialogue import Spoken

SCALE = (110.0, 123.47, 146.83, 164.81, 196.0, 220.0, 246.94, 293.66, 329.63, 392.0)
"""Hertz: two octaves of a pentatonic scale, of which any two tones are consonant."""

LEVEL = 0.031
"""Amplitude of the chord, with peaks near -30 dBFS."""

_VOICE = "-4dB"
"""Gain of the guide voice, whose words are then about as loud as those of an actor in a clip."""
_MURMUR_ALONE = 8
"""Gain of a murmur without a chord."""

_FADE = 0.12
"""Seconds of fade at both ends, so that cuts do not click."""


class Speech(NamedTuple):
    """A speech: from `first` to `end`, in seconds from the start of the shot, by the speaker of this index."""

    first: float
    end: float
    speaker: int


def guide_tone(
    name: str, samples: int, speeches: Sequence[Speech] = (), spoken: Sequence[Spoken] = ()
) -> FilterableStream:
    """The guide sound of the shot of this slate: this many samples of 48 kHz stereo.

    Lines that are `spoken` are heard over the chord; without any, a murmur for each of `speeches`.
    """
    root = SCALE[_step(name)]
    # A root with a slowly swelling fifth and an octave.
    swell = f"(0.8+0.2*sin({tau * 0.23:.4f}*t))"
    chord = f"{_tone(root)}+0.3*{_tone(root * 1.5)}*{swell}+0.12*{_tone(root * 2)}"
    murmurs = "".join(f"+{_murmur(speech)}" for speech in (() if spoken else speeches))
    # The root of the right channel is 0.11 Hz higher, so that the two channels drift.
    left = f"{LEVEL / 1.42:.4f}*({chord}){murmurs}"
    right = f"{LEVEL / 1.42:.4f}*({chord.replace(f'{tau * root:.4f}', f'{tau * (root + 0.11):.4f}')}){murmurs}"
    tone = ffmpeg.input(f"aevalsrc=exprs='{left}|{right}':s={SAMPLE_RATE}:c=stereo", f="lavfi")
    if not spoken:
        return faded(tone.audio, samples)
    sounds = [tone.audio, *(_over_tone(line) for line in spoken)]
    return faded(ffmpeg.filter(sounds, "amix", inputs=len(sounds), duration="first", normalize=0), samples)


def murmured(text: str, speaker: str, out: Path) -> OutputStream:
    """The ffmpeg output that stands for a spoken line where there is no guide voice: a murmur, as long as the line."""
    seconds = estimated_seconds(text)
    number = hashlib.sha256(speaker.encode()).digest()[0]
    murmur = f"{_MURMUR_ALONE}*({_murmur(Speech(0, float(seconds), number))})"
    tone = ffmpeg.input(f"aevalsrc=exprs='{murmur}':s={SAMPLE_RATE}:c=mono", f="lavfi").audio
    sound = tone.filter("atrim", end_sample=int(seconds * SAMPLE_RATE))
    return ffmpeg.output(sound, str(out.absolute()), f="wav", **{"c:a": "pcm_s16le", "bitexact": None})


def _over_tone(line: Spoken) -> FilterableStream:
    sound = ffmpeg.input(str(line.file.absolute()), f="wav").audio.filter("aresample", SAMPLE_RATE)
    both = sound.filter("volume", _VOICE).filter("aformat", channel_layouts="stereo")
    return both.filter("adelay", f"{round(line.begin * SAMPLE_RATE)}S", all=1)


def faded(sound: FilterableStream, samples: int) -> FilterableStream:
    """A sound cut or padded to this many samples, with short fades at both ends."""
    fade = min(int(_FADE * SAMPLE_RATE), samples // 4)
    return (
        sound.filter("apad", whole_len=samples)
        .filter("atrim", end_sample=samples)
        .filter("afade", type="in", start_sample=0, nb_samples=fade)
        .filter("afade", type="out", start_sample=samples - fade, nb_samples=fade)
    )


def _step(name: str) -> int:
    """An index into the scale. It differs for consecutive slates: 1A and 1B, 12 and 13, 3C and 4A."""
    if found := re.fullmatch(r"(\d+)([A-Za-z]?)", name):
        letter = ord(found[2].upper()) - ord("A") if found[2] else 0
        return (int(found[1]) * 7 + letter * 3) % len(SCALE)
    return hashlib.sha256(name.encode()).digest()[0] % len(SCALE)


def _tone(hertz: float) -> str:
    return f"sin({tau * hertz:.4f}*t)"


def _murmur(speech: Speech) -> str:
    """A voice as through a wall: a low tone in syllables, with the melody of a sentence."""
    pitch = (128.0, 187.0, 151.0, 211.0)[speech.speaker % 4]
    length = max(0.05, speech.end - speech.first)
    at = f"(t-{speech.first:.4f})"
    # From 0 to 1 and back to 0 over the speech, steep at both ends.
    envelope = f"pow(max(0,sin({tau / 2:.5f}*clip({at}/{length:.4f},0,1))),0.4)"
    syllables = f"pow(abs(sin({tau * 1.9:.4f}*{at}+sin({tau * 0.7:.4f}*{at}))),1.5)"
    melody = f"{tau * pitch:.3f}*{at}-{pitch * 0.07:.3f}*cos({tau * 0.6:.4f}*{at})"
    voice = f"(sin({melody})+0.45*sin(2*({melody}))+0.2*sin(3*({melody})))"
    return f"between(t,{speech.first:.4f},{speech.end:.4f})*0.016*{envelope}*{syllables}*{voice}"
