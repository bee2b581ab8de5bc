"""A recording goes along where the service makes the clip to it; elsewhere the plan says why it is laid under."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from storyreel.flows.planning.history import History
from storyreel.flows.planning.model import PlannedTake
from storyreel.flows.planning.plan import make_plan
from storyreel.specs.reading import read

FILM = """storyboard: 1
title: Lines
cast:
  mira: {{references: [https://x.org/m.png]}}
defaults: {{duration: 4s}}
shots:
  - {{shot: 1A, {shot}}}
"""
TEXT = "action: Rain., sound: line.wav"
IMAGE = "action: Rain., first_frame: https://x.org/a.png, sound: line.wav"
REFERENCE = "action: On., cast: [mira], sound: line.wav"


def record(file: Path, seconds: float) -> None:
    with wave.open(str(file), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(int(2 * 8000 * seconds)))


def planned(
    folder: Path, service: str, shot: str, *, seconds: float = 3, has_bucket: bool = False
) -> tuple[PlannedTake, tuple[str, ...]]:
    record(folder / "line.wav", seconds)
    (folder / "film.yaml").write_text(FILM.format(shot=shot))
    past = History(purchases=lambda _: {}, holds=lambda _: False, has_bucket=has_bucket)
    plan = make_plan(read(folder / "film.yaml"), past, service)
    return plan.takes[0], plan.warnings


@pytest.mark.parametrize("shot", [TEXT, IMAGE])
@pytest.mark.parametrize(
    ("service", "has_bucket", "why"),
    [
        ("dashscope", False, ""),
        ("freepik", False, ""),
        ("aimlapi", True, ""),
        ("apiyi", True, ""),
        ("aimlapi", False, "reads it from a link, and STORYREEL_MEDIA_URL names no bucket"),
        ("apiyi", False, "reads it from a link, and STORYREEL_MEDIA_URL names no bucket"),
    ],
)
def test_a_clip_is_made_to_its_recording_where_that_can_be_sent(
    tmp_path: Path, service: str, has_bucket: bool, why: str, shot: str
) -> None:
    take, warnings = planned(tmp_path, service, shot, has_bucket=has_bucket)
    assert bool(take.request.sound) is (not why) and warnings == ()
    assert take.chosen.why_laid.endswith(why)
    laid = take.laid_with(take.chosen)
    assert [Path(one.source).name for one in laid] == (["line.wav"] if why else [])
    assert take.as_json()["recordings"] == {
        "made_to": not why, "laid_under": bool(why), "why": take.chosen.why_laid or None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("shot", "seconds", "why"),
    [
        (REFERENCE, 3, "wan2.7-r2v makes no clip to a recording in reference-to-video"),
        (TEXT, 1.2, "wan2.7-t2v does not take it, as it is 1.2 s long, it must be 2 to 30 s"),
        (TEXT, 31, "wan2.7-t2v does not take it, as it is 31 s long, it must be 2 to 30 s"),
        (
            "action: Rain., cast: [mira], mode: text-to-video, "
            "dialogue: [{mira: So?, sound: line.wav}, {mira: Well., sound: line.wav}]",
            3,
            "a clip is made to one recording, and each line has its own",
        ),
    ],
)
def test_a_recording_that_the_service_cannot_use_is_laid_under_and_not_in_the_key(
    tmp_path: Path, shot: str, seconds: float, why: str
) -> None:
    take, _ = planned(tmp_path, "dashscope", shot, seconds=seconds)
    assert take.request.sound is None and take.chosen.why_laid == why
    assert take.laid_with(take.chosen) == take.recordings
    silent = shot.replace(", sound: line.wav", "")
    assert planned(tmp_path, "dashscope", silent)[0].key == take.key


def test_the_recording_is_in_the_key_by_its_content_and_never_in_an_animatics(tmp_path: Path) -> None:
    keys = {
        (service, seconds): planned(tmp_path, service, TEXT, seconds=seconds)[0].key
        for service in ("dashscope", "animatic")
        for seconds in (3, 3.5)
    }
    assert keys["dashscope", 3] != keys["dashscope", 3.5]
    assert keys["animatic", 3] == keys["animatic", 3.5]
    drawn, _ = planned(tmp_path, "animatic", TEXT)
    assert drawn.laid_with(drawn.chosen) == drawn.recordings and drawn.chosen.why_laid == ""


def test_the_recording_itself_is_heard_where_the_clips_sound_is_dropped(tmp_path: Path) -> None:
    take, _ = planned(tmp_path, "dashscope", f"{TEXT}, native_audio: drop")
    assert take.request.sound and take.laid_with(take.chosen) == take.recordings


def test_what_goes_on_from_another_clip_is_not_made_to_a_recording(tmp_path: Path) -> None:
    goes_on = "action: Rain., continues: {shot: 1B, with: clip}, sound: line.wav}\n  - {shot: 1B, action: Wind."
    take, _ = planned(tmp_path, "dashscope", goes_on)
    assert take.request.first_clip and take.request.sound is None
    assert take.laid_with(take.chosen) == take.recordings and "goes on from another" in take.chosen.why_laid


def test_what_is_lost_of_a_recording_is_a_warning(tmp_path: Path) -> None:
    _, (told,) = planned(tmp_path, "dashscope", TEXT, seconds=6)
    assert told == "the recording of 1A is 6 s long, and the shot 4 s: its end is not in the film"
    ended = f"{IMAGE}, last_frame: https://x.org/b.png, duration: 61f"
    take, (told,) = planned(tmp_path, "dashscope", ended, seconds=2)
    assert take.edit.first and told.startswith("1A is made to its recording, but the first ")
