"""The dialogue of a shot as the guide voice speaks it, each line while its subtitles are shown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from storyreel.tasks.providers.animatic.dialogue import Cue
from storyreel.tasks.providers.animatic.voice.speak import Line, speak
from storyreel.tasks.providers.request import Board

_BREATH = 0.1
"""Seconds of a shot before its first word, as its sound fades in."""


class Spoken(NamedTuple):
    """A line that is spoken, and when."""

    file: Path
    begin: float
    """Seconds from the start of the shot."""


def speak_dialogue(board: Board, cues: Sequence[Cue], folder: Path) -> tuple[Spoken, ...]:
    """Write the lines of a shot into a folder; empty if the guide voice does not speak them. Blocks.

    A line that takes longer than its subtitles is spoken faster; one that is still too long puts off the next one.
    Raises MediaError if it cannot speak.
    """
    if not (board.voice and cues):
        return ()
    begins, lines = [], []
    for number, shown in groupby(cues, key=lambda cue: cue.line):
        first, *others = shown
        begin = max(_BREATH, float(board.rate.seconds(first.first)))
        end = float(board.rate.seconds((others or [first])[-1].end))
        who, text = board.dialogue[number]
        begins.append(begin)
        lines.append(Line(text=text, speaker=who, language=board.language, room=max(0.2, end - begin)))
    files = [folder / f"line{number}.wav" for number in range(len(lines))]
    spoken, free = [], 0.0
    for file, begin, seconds in zip(files, begins, speak(board.voice, lines, files), strict=True):
        spoken.append(Spoken(file, max(begin, free)))
        free = max(begin, free) + seconds
    return tuple(spoken)
