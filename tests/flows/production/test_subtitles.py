"""Subtitles are shown while their lines are heard."""

from __future__ import annotations

import wave
from pathlib import Path

from storyreel.flows.planning.subtitles import tracks_of_plan
from storyreel.flows.production.subtitles import write_subtitles
from storyreel.specs.reading import read
from tests.flows.planning.histories import plan_of

FILM = """\
storyboard: 1
title: Lines
format: {fps: 25}
cast: {ana: {name: Ana}, ben: {name: Ben}}
defaults: {duration: 4s}
shots:
  - {shot: 1A, action: Rain.}
  - {shot: 1B, action: Rain., dialogue: [{ana: "1234"}, {ben: "12345678"}]}
  - {shot: 1C, action: Rain., sound: two.wav, dialogue: [{ana: "1234"}, {ben: "12345678"}]}
  - shot: 1D
    action: Rain.
    dialogue: [{ana: "1", sound: two.wav}, {ben: "2", sound: three.wav}, {ana: "3", sound: two.wav}]
"""


def record(file: Path, seconds: float) -> None:
    with wave.open(str(file), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(int(2 * 8000 * seconds)))


def test_a_line_is_as_long_as_its_recording_or_its_share_of_the_letters(tmp_path: Path) -> None:
    record(tmp_path / "two.wav", 1.5)
    record(tmp_path / "three.wav", 3)
    plan = plan_of(tmp_path, FILM)
    film = read(tmp_path / "film.yaml")
    write_subtitles(tmp_path, film, tracks_of_plan(film, plan))
    cues = [cue.splitlines()[1:] for cue in (tmp_path / "sequence.srt").read_text().strip().split("\n\n")]
    assert cues == [
        ["00:00:04,000 --> 00:00:05,333", "Ana: 1234"],
        ["00:00:05,333 --> 00:00:08,000", "Ben: 12345678"],
        # Together as long as the shot's recording.
        ["00:00:08,000 --> 00:00:08,500", "Ana: 1234"],
        ["00:00:08,500 --> 00:00:09,500", "Ben: 12345678"],
        # Each as long as its own; the second is cut off with the shot, and the third is not heard.
        ["00:00:12,000 --> 00:00:13,500", "Ana: 1"],
        ["00:00:13,500 --> 00:00:16,000", "Ben: 2"],
    ]
