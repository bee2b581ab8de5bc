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
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.production.outcomes import ClipsToBuy
from storyreel.flows.render import render_storyboard
from storyreel.tasks.home import Home
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


def seconds_of(slate: str) -> Fraction:
    """The length of the speech of a line, counted in its samples."""
    with closing(Home.of().ledger()) as ledger:
        purchase = next(one for one in ledger.find_all([_key(slate)]).values())
    clip = Home.of().clips().find(purchase.clip or "")
    assert clip
    with av.open(str(clip.path)) as sound:
        samples = sum(frame.samples for frame in sound.decode(audio=0))
        return Fraction(samples, sound.streams.audio[0].rate)


def _key(slate: str) -> str:
    return _keys[slate]


_keys: dict[str, str] = {}


async def test_speech_is_made_first_and_the_next_run_buys_the_clip_at_its_true_length(
    service: Dashscope, film: Path, tmp_path: Path
) -> None:
    before = planned(film)
    assert [take.shot for take in before.speech] == SLATES
    assert [take.shot for take in before.waiting] == ["1A"]
    _keys.update({take.shot: take.key for take in before.speech})

    with pytest.raises(ClipsToBuy) as waits:
        await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    assert str(film) in (waits.value.next or "") and "1 take from dashscope" in waits.value.message
    assert spoken(service) == ["The light has not gone out.", "Until tonight.", "Until tonight."], "in two voices"
    assert len(service.accepted) == 3, "no clip"

    plan = planned(film)
    assert {take.state for take in plan.speech} == {"cached"} and not plan.waiting
    events = {event.shot: event.frames for event in plan.cut.events}
    assert events["1A"] == math.ceil(seconds_of("1A@narration-1") * 12) + 2 * 3
    assert events["1B"] + events["1C"] == math.ceil(seconds_of("1B@narration-1") * 12)

    made = await render_storyboard(str(film), out=str(tmp_path / "out"), buy=True)
    assert len(service.accepted) == 4, "the clip, and nothing again"
    assert made.frames == plan.cut.frames
    assert [take.shot for take in made.speech] == SLATES and all(take.cached for take in made.speech)
