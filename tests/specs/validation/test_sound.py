"""Music, ambience, the mix of a shot and the level of the film: mistakes are told where they are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from storyreel.specs.storyboard import Storyboard
from storyreel.specs.validation.check import local_sources

Wrong = Callable[..., list[str]]
_SCENE = "scenes: [{scene: 1, %s, shots: [{shot: 1A, action: x}]}]\n"


@pytest.mark.parametrize(
    ("music", "found"),
    [
        ("file: a.wav, start: 3s, end: 2s", "the music ends before it starts"),
        ("file: a.wav, start: 5s", "the music starts after the film"),
        ("file: a.wav, fade_in: 3s, fade_out: 3s", "the music's fades are longer than it plays"),
        ("file: a.wav, start: 00:00:00:30", "00:00:00:30 names frame 30"),
        ("file: a.wav, from: 00:00:00:30", "00:00:00:30 names frame 30"),
        ("file: a.wav, from: 4", "`from` is `4`: a duration needs a unit"),
        ("file: a.wav, duck: music", "`duck` is `music` (write `dialogue` or `speech`)"),
        ("file: 'https://a/b.wav'", "`https://a/b.wav` is not local (download it)"),
    ],
)
def test_music_lies_inside_the_film(wrong: Wrong, media: object, music: str, found: str) -> None:
    (line,) = wrong(f"music: [{{{music}}}]\n")
    assert found in line


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("sound: {loudness: -3 LUFS}\n", "3:19: `loudness` is `-3 LUFS`, but must be a loudness such as `-14 LUFS`"),
        ("sound: {loudness: -14 dB}\n", "3:19: `loudness` is `-14 dB`, but must be a loudness"),
        (
            "sound: {peak: 1 dBTP}\n",
            "3:15: `peak` is `1 dBTP`, but must be a true peak such as `-1 dBTP`",
        ),
        ("sound: {}\n", "3:8: nothing is said of the sound (write for example `{loudness: -14 LUFS, peak: -1 dBTP}`)"),
        ("defaults: {mix: loud}\n", "3:17: `mix` is `loud`, but must be a level in decibels"),
        ("defaults: {mix: {fade_in: 3s, fade_out: 3s}}\n", "3:41: the fades of the mix are longer than the shot"),
        ("sound: a.wav\n", "3:8: `sound` must have keys of its own (known are"),
        ("defaults: {ambience: a.wav}\n", "3:12: `ambience` is a key of scenes, or of a film without any (write it"),
        ("ambience: sea.wav\n", "3:11: `sea.wav` does not exist"),
        ("ambience: {file: a.wav, fade_in: 6s}\n", "3:34: the ambience's fades are longer than its shots"),
        (_SCENE % "ambience: a.txt", "3:31: `a.txt` is not a sound file"),
        (_SCENE % "ambience: {file: a.wav, fade_out: 6s}", "3:55: the ambience's fades are longer than its shots"),
        (
            "ambience: a.wav\n" + _SCENE % "heading: x",
            "3:11: in a film with scenes `ambience` is a key of scenes (write it in each scene that has one)",
        ),
    ],
)
def test_a_mistake_in_the_sound_is_told_at_its_place(wrong: Wrong, media: object, text: str, found: str) -> None:
    assert found in wrong(text)[0]


def test_what_is_heard_travels_with_the_film(film: Callable[..., Storyboard], media: dict[str, Path]) -> None:
    found = film("music: [{file: a.wav, from: 1s}]\n" + _SCENE % "ambience: a.mp3")
    assert local_sources(found) == ["a.mp3", "a.wav"] and film("ambience: a.flac\n").ambience.gain == -24


def test_the_mix_of_a_shot_is_its_own_else_that_of_its_scene_else_that_of_the_film(
    film: Callable[..., Storyboard],
) -> None:
    found = film(
        "defaults: {mix: -3 dB}\nscenes:\n- {scene: 1, shots: [{shot: 1A, action: x}, {shot: 1B, action: x, mix: "
        "{gain: 2.5 dB, fade_in: 6f}}]}\n"
        "- {scene: 2, defaults: {mix: {fade_out: 1s}}, shots: [{shot: 2A, action: x}]}\n"
    )
    assert [shot.mix.gain_db for shot in found.all_shots] == [-3, 2.5, 0]
