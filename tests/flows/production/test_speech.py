"""Speech first, then what hangs on it: each line once, each shot as long as what is said in it, to the frame."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import pytest

from storyreel.flows.commands.options import plan_of
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.production.outcomes import ClipsToBuy, ShotsFailed
from storyreel.flows.render import render_storyboard
from storyreel.flows.review.status import parse_verdicts, review_status
from storyreel.tasks.home import Home
from storyreel.testing.faults import Answer, Call
from tests.services.dashscope import Dashscope
from tests.tasks.providers.hosted_services import SERVICES

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


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dashscope]:
    service = SERVICES["dashscope"].emulated()
    assert isinstance(service, Dashscope)
    with service.served() as base:
        for name, value in {**SERVICES["dashscope"].environment(base), "STORYREEL_POLL_SECONDS": "0.02"}.items():
            monkeypatch.setenv(name, value)
        yield service


@pytest.fixture
def film(tmp_path: Path) -> Path:
    (file := tmp_path / "film.yaml").write_text(FILM)
    return file


def planned(film: Path) -> Plan:
    return plan_of(RunRequest(storyboard=film)).plan


def spoken(service: Dashscope) -> list[str]:
    """The texts of all orders of speech."""
    return sorted(sale.body["input"]["text"] for sale in service.accepted if "text" in sale.body["input"])


def sound_of(slate: str, plan: Plan) -> Path:
    """The file of what is heard of a line."""
    return Path(plan.heard[slate].source)


def seconds_of(file: Path) -> Fraction:
    """The length of a sound, counted in its samples."""
    with av.open(str(file)) as sound:
        samples = sum(frame.samples for frame in sound.decode(audio=0))
        return Fraction(samples, sound.streams.audio[0].rate)


async def test_speech_is_made_first_and_the_next_run_buys_the_clip_at_its_true_length(
    service: Dashscope, film: Path, tmp_path: Path
) -> None:
    before = planned(film)
    assert [take.shot for take in before.speech] == SLATES
    assert [take.shot for take in before.waiting] == ["1A"]

    with pytest.raises(ClipsToBuy) as waits:
        await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    assert str(film) in (waits.value.next or "") and "1 take from dashscope" in waits.value.message
    assert spoken(service) == ["The light has not gone out.", "Until tonight.", "Until tonight."], "in two voices"
    assert len(service.accepted) == 3, "no clip"

    plan = planned(film)
    assert {take.state for take in plan.speech} == {"cached"} and not plan.waiting
    frames = {event.shot: event.frames for event in plan.cut.events}
    assert frames["1A"] == math.ceil(seconds_of(sound_of("1A@narration-1", plan)) * 12) + 2 * 3
    assert frames["1B"] + frames["1C"] == math.ceil(seconds_of(sound_of("1B@narration-1", plan)) * 12)

    made = await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    assert len(service.accepted) == 4, "the clip, and nothing again"
    assert made.frames == plan.cut.frames
    assert [take.shot for take in made.speech] == SLATES and all(take.cached for take in made.speech)


DRAWN = FILM.replace("defaults: {provider: dashscope}", "defaults: {provider: animatic}")


async def test_drawings_are_as_long_as_their_speech_in_the_run_that_makes_it_and_a_retake_of_a_line_makes_it_anew(
    service: Dashscope, film: Path, tmp_path: Path
) -> None:
    film.write_text(DRAWN)
    guessed = planned(film).cut.frames
    made = await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    plan = planned(film)
    assert made.frames == plan.cut.frames != guessed
    assert [take.cached for take in made.speech] == [False] * 3, "this run has bought them"
    with av.open(str(made.sequence)) as sequence:
        assert sum(1 for _ in sequence.decode(video=0)) == plan.cut.frames
    laid = next(take for take in plan.clips if take.shot == "1C")
    assert [one.source for one in laid.laid_with(laid.chosen)] == [str(sound_of("1C@line-1", plan))]

    again = Planner.of(RunRequest(storyboard=film))
    reviews = await review_status(again, ["1A@narration-1"])
    verdicts = parse_verdicts(reviews, (), ["1A@narration-1"], by="Ana")
    with closing(Home.of().ledger()) as ledger:
        ledger.add_verdicts(verdicts)
    wanted = planned(film)
    assert [(take.shot, take.take) for take in wanted.bought] == [("1A@narration-1", 2)]
    await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    assert len(service.accepted) == 4, "one line once more"
    assert sound_of("1A@narration-1", planned(film)) != sound_of("1A@narration-1", plan)


SENT = """\
storyboard: 1
title: The Line
format: {fps: 12, resolution: 720p}
speech: {provider: dashscope, dialogue: true}
cast: {mira: {}}
defaults: {provider: dashscope, duration: speech, pad: 0.5s}
shots:
  - {shot: 1A, action: Mira., dialogue: [{mira: It has not been there for a very long time indeed.}]}
"""


async def test_a_clip_is_made_to_the_very_speech_of_its_line_after_the_pad(
    service: Dashscope, film: Path, tmp_path: Path
) -> None:
    film.write_text(SENT)
    with pytest.raises(ClipsToBuy):
        await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    plan = planned(film)
    clip = plan.clips[0]
    assert clip.request.sound and clip.request.sound.silence == Fraction(1, 2)
    made = await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    (sent,) = service.uploads.files.values()
    (uploaded := tmp_path / "sent.wav").write_bytes(sent.content)
    line = seconds_of(sound_of("1A@line-1", plan))
    assert seconds_of(uploaded) == pytest.approx(float(line) + 0.5, abs=1e-4)
    with av.open(str(uploaded)) as sound:
        samples = b"".join(bytes(frame.planes[0]) for frame in sound.decode(audio=0))
    assert not any(samples[: 4 * 24_000]) and any(samples[4 * 24_000 : 4 * 26_000]), "half a second of silence"
    assert made.frames == math.ceil(line * 12) + 12


async def test_a_line_that_fails_stops_what_hangs_on_it_and_is_not_ordered_twice(
    service: Dashscope, film: Path, tmp_path: Path
) -> None:
    film.write_text(DRAWN)
    service.fault(Call.CREATE, Answer(400), when=lambda request: b"light" in request.body)
    with pytest.raises(ShotsFailed) as failed:
        await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    assert "1 line could not be made" in failed.value.message
    assert [failure.shot for failure in failed.value.failures] == ["1A@narration-1"]
    assert len(service.accepted) == 2, "the others, and it not once more in the same run"
    states = {take.shot: take.state for take in planned(film).takes}
    assert states["1A"] == "new" and states["1B"] == states["1C"] == "cached"
