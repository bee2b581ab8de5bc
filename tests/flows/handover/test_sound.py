"""The sound of a timeline: how loud each file is, where it begins, and what it is called."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path
from xml.etree import ElementTree

import opentimelineio as otio
import pytest

from storyreel.flows.handover.export import film_timeline, write_timeline
from storyreel.flows.handover.fcpxml import write_fcpxml
from storyreel.flows.handover.otio import OWN, write_otio
from storyreel.flows.handover.timeline import Level, Timeline
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.tasks.ledger.ledger import Ledger
from storyreel.testing.footage import speech
from tests.flows.selling import buy_take

FILM = """\
storyboard: 1
title: Heard
format: {fps: 24}
defaults: {duration: 2s, provider: animatic}
cast: {ida: {speech: Cherry}}
speech: {provider: dashscope, model: qwen3-tts-flash, voice: Ethan}
music: [{file: long.wav, level: -20 dB, fade_in: 1s, fade_out: 3s}]
scenes:
  - scene: 1
    ambience: {file: short.wav, level: -30 dB}
    shots:
      - {shot: 1A, action: She climbs., mix: {gain: -6 dB, fade_in: 12f, fade_out: 9f}, narration: Only wind.}
      - {shot: 1B, action: The sea., mix: {gain: -3 dB, fade_in: 10f}, transition: {type: dissolve, duration: 8f}}
  - scene: 2
    ambience: {file: short.wav, level: -30 dB}
    shots:
      - shot: 2A
        action: She speaks.
        duration: speech
        pad: 500ms
        mix: {gain: -2 dB, fade_in: 6f}
        dialogue: [{ida: Who is there?, sound: short.wav}, {ida: Nobody., sound: other.wav}]
"""


def write_wav(file: Path, seconds: float) -> None:
    with wave.open(str(file), "wb") as opened:
        opened.setparams((1, 2, 8000, 0, "NONE", ""))
        opened.writeframes(b"\1\2" * round(seconds * 8000))


@pytest.fixture
def timeline(film: Path, ledger: Ledger, tmp_path: Path) -> Timeline:
    """A film of 48, 48 and 24 + 72 frames, of which the narration was bought."""
    for name, seconds in (("short", 1.5), ("other", 0.5), ("long", 4.5)):
        write_wav(tmp_path / f"{name}.wav", seconds)
    planner = Planner.of(RunRequest(storyboard=film))
    (take,) = planner.plan().speech
    buy_take(ledger, "Heard", take, speech("Only wind.", "Ethan", take.key))
    return asyncio.run(film_timeline(planner))


def test_each_sound_is_where_the_film_has_it_and_as_loud(timeline: Timeline) -> None:
    levels = {shot.slate: shot.level for shot in timeline.shots}
    assert levels["1A"] == Level(gain=-6.0, fade_in=12, fade_out=5)  # four of the nine are handles of the dissolve
    assert levels["1B"] == Level(gain=-3.0, fade_in=6)
    laid = [(each.name, each.start, each.end, each.level) for each in timeline.sounds]
    assert laid == [
        # Recordings begin after the pad, one after another.
        ("2A: short.wav", 108, 144, Level(gain=-2.0)),
        ("2A: other.wav", 144, 156, Level(gain=-2.0)),
        ("long.wav", 0, 108, Level(gain=-20.0, fade_in=24, fade_out=12)),
        ("long.wav", 108, 168, Level(gain=-20.0, fade_out=60)),
        ("short.wav", 0, 36, Level(gain=-30.0, fade_in=1)),
        ("short.wav", 36, 72, Level(gain=-30.0)),
        ("short.wav", 72, 96, Level(gain=-30.0, fade_out=1)),
        ("short.wav", 96, 132, Level(gain=-30.0, fade_in=1)),
        ("short.wav", 132, 168, Level(gain=-30.0, fade_out=1)),
        ("1A@narration-1", 0, 17, Level()),
    ]  # fmt: skip


def test_speech_is_collected_under_the_name_of_its_line(timeline: Timeline, tmp_path: Path) -> None:
    write_timeline(timeline, "fcpxml", tmp_path / "to/cut.fcpxml", collect=True)
    names = {each.name for each in (tmp_path / "to/media").iterdir()}
    assert names == {"1A@narration-1.wav", "long.wav", "short.wav", "other.wav"}
    assert 'name="1A@narration-1"' in (tmp_path / "to/cut.fcpxml").read_text()


def test_final_cut_pro_7_has_every_repetition_of_a_file_at_its_place_and_level(
    timeline: Timeline, tmp_path: Path
) -> None:
    write_timeline(timeline, "fcp7", tmp_path / "cut.xml")
    read = otio.adapters.read_from_file(str(tmp_path / "cut.xml"), adapter_name="fcp_xml")
    found = []
    for track in read.audio_tracks():
        for clip in track.find_clips():
            start = int(track.range_of_child(clip).start_time.value)
            levels = [float(effect.metadata["fcp_xml"]["parameter"]["value"]) for effect in clip.effects]
            found.append((clip.name, start, int(clip.duration().value), *(round(each, 3) for each in levels)))
    expected = [
        (each.name, each.start, each.end - each.start, *([round(10 ** (gain / 20), 3)] if gain else []))
        for each in timeline.sounds
        for gain in [each.level.gain]
    ]  # fmt: skip
    assert sorted(found) == sorted(expected)


def test_levels_and_fades_are_in_each_form_that_has_sound(timeline: Timeline) -> None:
    read = otio.adapters.read_from_string(write_otio(timeline, Path.as_uri), "otio_json")
    facts = [clip.metadata[OWN] for track in read.audio_tracks()[1:] for clip in track.find_clips()]
    written = sorted((each["gain_db"], each["fade_in"], each["fade_out"]) for each in facts)
    levels = sorted((each.level.gain, each.level.fade_in, each.level.fade_out) for each in timeline.sounds)
    assert written == levels
    root = ElementTree.fromstring(write_fcpxml(timeline, Path.as_uri))
    first = next(clip for clip in root.iter("asset-clip") if clip.get("name") == "long.wav")
    volume = first.find("adjust-volume")
    assert volume is not None and volume.get("amount") == "-20dB"
    fades = {each.tag: each.get("duration") for each in volume.iter() if each.tag.startswith("fade")}
    assert fades == {"fadeIn": "1s", "fadeOut": "1/2s"}
