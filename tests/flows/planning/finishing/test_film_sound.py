"""What a storyboard says of its sound lies where it is to be heard, to the frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from storyreel.flows.planning.finishing.film_sound import film_sound
from storyreel.specs.cut import build_cut
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.join.sound.layers import FilmSound, Master, ShotMix, SoundLayer
from tests.tasks.request.test_recordings import record

_HEAD = "storyboard: 1\ntitle: A Film\nformat: {fps: 24}\ndefaults: {duration: 4s}\ncast: {mira: {}}\n"


@pytest.fixture
def film(tmp_path: Path) -> Path:
    for name in ("a.wav", "b.wav", "c.wav"):
        record(tmp_path / name, 2)
    return tmp_path / "film.yaml"


def _read(file: Path, text: str) -> Storyboard:
    file.write_text(_HEAD + text, encoding="utf-8")
    return read(file)


def _sound(
    film: Storyboard, lengths: dict[str, Fraction] | None = None, heard: dict[str, Path] | None = None
) -> FilmSound:
    return film_sound(film, build_cut(film), lengths or {}, heard or {})


def test_a_film_that_says_nothing_of_its_sound_has_that_of_its_clips(film: Path) -> None:
    shots = "shots:\n- {shot: 1A, action: x, dialogue: [{mira: Hi}]}\n- {shot: 1B, action: x, mix: 0 dB}\n"
    assert _sound(_read(film, shots)).is_plain


def test_music_lies_inside_the_film(film: Path) -> None:
    text = (
        "music: [{file: a.wav, level: -12 dB, start: 1s, fade_out: 6f, duck: dialogue}, {file: b.wav, from: 12f, "
        "end: 3s, duck: speech, loop: false}]\nshots: [{shot: 1A, action: x}]\n"
    )
    first, second = _sound(_read(film, text)).layers
    assert first == SoundLayer(file=film.parent / "a.wav", gain=-12, start=24, end=96, fade_out=6, duck="dialogue")
    assert (second.skipped, second.start, second.end, second.duck, second.loop) == (12, 0, 72, "speech", False)


def test_ambience_lies_under_its_scene_and_comes_and_goes_with_the_picture(film: Path) -> None:
    text = (
        "ending: {type: fade, duration: 1s}\nscenes:\n"
        "- {scene: 1, ambience: a.wav, shots: [{shot: 1A, action: x}, {shot: 1B, action: x}]}\n"
        "- {scene: 2, shots: [{shot: 2A, action: x, transition: {type: dissolve, duration: 12f}}]}\n"
        "- {scene: 3, ambience: {file: b.wav, level: -30 dB, fade_in: 2s}, shots: [{shot: 3A, action: x}]}\n"
    )
    first, third = _sound(_read(film, text)).layers
    assert (first.file.name, first.gain, first.start, first.end) == ("a.wav", -24, 0, 192 + 6)
    assert (first.fade_in, first.fade_out, first.loop, first.duck) == (1, 12, True, None)
    assert (third.gain, third.start, third.end, third.fade_in, third.fade_out) == (-30, 288, 384, 48, 24)


def test_ambience_lies_under_a_film_without_scenes(film: Path) -> None:
    (layer,) = _sound(_read(film, "ambience: a.wav\nshots: [{shot: 1A, action: x}, {shot: 1B, action: x}]\n")).layers
    assert (layer.start, layer.end) == (0, 192)


def test_the_mixes_of_shots_and_the_level_of_the_film_are_numbers(film: Path) -> None:
    text = (
        "sound: {loudness: -16.5 LUFS, peak: -2 dBTP}\nshots:\n- {shot: 1A, action: x}\n"
        "- {shot: 1B, action: x, mix: {gain: -3 dB, fade_in: 500ms, fade_out: 6f}}\n"
    )
    found = _sound(_read(film, text))
    assert found.mixes == (None, ShotMix(-3, 12, 6)) and found.master == Master(-16.5, -2)
    assert _sound(_read(film, text.replace("loudness: -16.5 LUFS, ", ""))).master == Master(None, -2)


SPOKEN = """\
music: [{file: a.wav, duck: speech}]
shots:
- {shot: 1A, action: x, dialogue: [{mira: Who is there, sound: b.wav}]}
- shot: 1B
  action: x
  narration: [{line: The light has not gone out., sound: c.wav}, {line: Not in forty years.}]
"""


def test_narration_lies_over_the_film_and_lines_are_where_they_are_said(film: Path) -> None:
    storyboard = _read(film, SPOKEN)
    lengths = {"1A@line-1": Fraction(2), "1B@narration-1": Fraction(2), "1B@narration-2": Fraction(1)}
    heard = {"1A@line-1": Path("b.wav"), "1B@narration-1": Path("c.wav"), "1B@narration-2": Path("made.wav")}
    found = _sound(storyboard, lengths, heard)
    music, first, second = found.layers
    assert music.duck == "speech" and not music.speaks
    assert [(each.file.name, each.start, each.loop, each.speaks) for each in (first, second)] == [
        ("c.wav", 96, False, True), ("made.wav", 144, False, True),
    ]  # fmt: skip
    assert found.lines == ((0, 48),) and found.dialogue == ((0, 96),)
    assert len(_sound(storyboard, lengths).layers) == 1, "what has no file is not heard"


def test_a_recording_without_lines_lowers_music_as_far_as_it_is_loud(film: Path) -> None:
    text = "music: [{file: a.wav, duck: speech}]\nshots: [{shot: 1A, action: x}, {shot: 1B, action: x, sound: b.wav}]\n"
    found = _sound(_read(film, text))
    assert found.lines == found.dialogue == ((96, 192),)
