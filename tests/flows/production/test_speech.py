"""Speech first, then what hangs on it: each line once, each shot as long as what is said in it, to the frame."""

from __future__ import annotations

import math
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import pytest

from storyreel.flows.commands.options import plan_of
from storyreel.flows.errors import RunFailed
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.production.outcomes import ClipsToBuy, ShotsFailed
from storyreel.flows.render import render_storyboard
from storyreel.flows.review.status import parse_verdicts, review_status
from storyreel.tasks.home import Home
from storyreel.testing.faults import Answer, Call
from tests.services.dashscope import Dashscope

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: The Keeper
format: {fps: 12, resolution: 720p}
speech: {provider: dashscope, voice: Ethan, dialogue: true}
cast: {mira: {speech: Cherry}}
defaults: {provider: dashscope}
shots:
  - {shot: 1A, action: The lamp turns., duration: speech, pad: 0.25s, narration: The light has not gone out.}
  - {shot: 1B, action: Rain., provider: animatic, duration: speech, narration: [{line: Until tonight., through: 1C}]}
  - {shot: 1C, action: Mira., provider: animatic, duration: 6f, dialogue: [{mira: Until tonight.}]}
"""
SLATES = ["1A@narration-1", "1B@narration-1", "1C@line-1"]
TOLD = """\
  - shot: 1D
    action: Mira.
    duration: speech
    pad: 0.5s
    dialogue: [{mira: It has not been there for a very long time indeed.}]
"""
"""A shot that is made to its line."""


def planned(film: Path) -> Plan:
    return plan_of(RunRequest(storyboard=film)).plan


def spoken(dashscope: Dashscope) -> list[str]:
    """The texts of all orders of speech."""
    return sorted(sale.body["input"]["text"] for sale in dashscope.accepted if "text" in sale.body["input"])


def sound_of(slate: str, plan: Plan) -> Path:
    """The file of what is heard of a line."""
    return Path(plan.heard[slate].source)


def seconds_of(file: Path) -> Fraction:
    """The length of a sound, counted in its samples."""
    with av.open(str(file)) as sound:
        samples = sum(frame.samples for frame in sound.decode(audio=0))
        return Fraction(samples, sound.streams.audio[0].rate)


async def test_speech_is_made_first_and_the_next_run_buys_the_clips_at_their_true_length(
    dashscope: Dashscope, film: Path, tmp_path: Path
) -> None:
    film.write_text(FILM + TOLD)
    before = planned(film)
    assert [take.shot for take in before.speech] == [*SLATES, "1D@line-1"]
    assert [take.shot for take in before.waiting] == ["1A", "1D"]

    with pytest.raises(ClipsToBuy) as waits:
        await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    assert str(film) in (waits.value.next or "") and "2 takes from dashscope" in waits.value.message
    assert spoken(dashscope)[1:] == ["The light has not gone out.", "Until tonight.", "Until tonight."], "in two voices"
    assert len(dashscope.accepted) == 4, "no clip"

    plan = planned(film)
    assert {take.state for take in plan.speech} == {"cached"} and not plan.waiting
    frames = {event.shot: event.frames for event in plan.cut.events}
    line = seconds_of(sound_of("1D@line-1", plan))
    assert frames["1A"] == math.ceil(seconds_of(sound_of("1A@narration-1", plan)) * 12) + 2 * 3
    assert frames["1B"] + frames["1C"] == math.ceil(seconds_of(sound_of("1B@narration-1", plan)) * 12)
    assert frames["1D"] == math.ceil(line * 12) + 2 * 6

    made = await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    assert len(dashscope.accepted) == 6, "the clips, and nothing again"
    assert made.frames == plan.cut.frames
    assert [take.shot for take in made.speech] == [*SLATES, "1D@line-1"] and all(take.cached for take in made.speech)

    # The clip is made to the very speech of its line, after the pad.
    (sent,) = dashscope.uploads.files.values()
    (uploaded := tmp_path / "sent.wav").write_bytes(sent.content)
    assert seconds_of(uploaded) == pytest.approx(float(line) + 0.5, abs=1e-4)
    with av.open(str(uploaded)) as sound:
        samples = b"".join(bytes(frame.planes[0]) for frame in sound.decode(audio=0))
    assert not any(samples[: 4 * 24_000]) and any(samples[4 * 24_000 : 4 * 26_000]), "half a second of silence"


DRAWN = FILM.replace("defaults: {provider: dashscope}", "defaults: {provider: animatic}")


async def test_drawings_are_as_long_as_their_speech_in_the_run_that_makes_it_and_what_fails_stops_nothing_else(
    dashscope: Dashscope, film: Path, tmp_path: Path
) -> None:
    film.write_text(DRAWN)
    guessed = planned(film).cut.frames
    dashscope.fault(Call.CREATE, Answer(400), when=lambda request: b"light" in request.body)
    with pytest.raises(ShotsFailed) as failed:
        await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    assert "1 line could not be made" in failed.value.message
    assert [failure.shot for failure in failed.value.failures] == ["1A@narration-1"]
    assert len(dashscope.accepted) == 2, "the others, and it not once more in the same run"
    states = {take.shot: take.state for take in planned(film).takes}
    assert states["1A"] == "new" and states["1B"] == states["1C"] == "cached"

    made = await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    plan = planned(film)
    assert made.frames == plan.cut.frames != guessed
    # Its subtitle is shown while it is heard, after a pad of a quarter of a second.
    end = int((seconds_of(sound_of("1A@narration-1", plan)) + Fraction(1, 4)) * 1000)
    _, times, said, *_ = (tmp_path / "out" / "sequence.srt").read_text().splitlines()
    assert (times, said) == (f"00:00:00,250 --> 00:00:{end // 1000:02},{end % 1000:03}", "The light has not gone out.")
    assert [take.cached for take in made.speech] == [False, True, True], "this run has bought the first"
    with av.open(str(made.sequence)) as sequence:
        assert sum(1 for _ in sequence.decode(video=0)) == plan.cut.frames
    laid = next(take for take in plan.clips if take.shot == "1C")
    assert [one.source for one in laid.laid_with(laid.chosen)] == [str(sound_of("1C@line-1", plan))]

    # Another take of a line, as `review --retake` asks for it.
    reviews = await review_status(Planner.of(RunRequest(storyboard=film)), ["1A@narration-1"])
    with closing(Home.of().ledger()) as ledger:
        ledger.add_verdicts(parse_verdicts(reviews, (), ["1A@narration-1"], by="Ana"))
    assert [(take.shot, take.take) for take in planned(film).bought] == [("1A@narration-1", 2)]


async def test_speech_that_is_longer_than_any_clip_is_kept_and_told(
    dashscope: Dashscope, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "It has been said often enough, and slowly, by everybody who came up here"
    (head, _, _) = FILM.partition("  - {shot: 1A")
    film.write_text(f"{head}  - {{shot: 1A, action: x, duration: speech, narration: '{line}'}}\n")
    monkeypatch.setattr("storyreel.testing.footage.LETTER_SECONDS", 0.3)
    with pytest.raises(RunFailed) as failed:
        await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    assert "film.yaml:8:" in failed.value.message and "shot 1A needs 21." in failed.value.message
    assert spoken(dashscope) == [line] and failed.value.next == f"storyreel plan {film}"
