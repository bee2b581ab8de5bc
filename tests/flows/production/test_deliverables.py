"""Deliverables are made of the film's own takes after the film, and whatever becomes of them, the film stays."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from storyreel.flows.lifecycle.cancellation import Stopped
from storyreel.flows.player.films import delivered_medium, find_film
from storyreel.flows.production.outcomes import DeliverablesFailed
from storyreel.flows.production.report import Rendering
from storyreel.flows.render import render_storyboard
from storyreel.tasks.home import Home
from storyreel.tasks.progress import StageReport, listening
from tests.flows.test_render import frames_in, states_of
from tests.pauses import PATIENCE

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: Two Screens
format: {fps: 24, resolution: 480p}
languages: [en, fr]
subtitles: true
cast: {ana: {}}
titles: [{title: Two Screens, from: 0s, to: 300ms}]
deliverables:
  - {name: phone, format: {size: 256x456, fps: 25}, subtitles: burn_in, sound: {loudness: -16 LUFS}}
  - {name: clean, titles: false, languages: [fr]}
  - {name: quiet, sound: {loudness: -30 LUFS}, subtitles: none}
shots:
  - {shot: 1A, action: Rain., duration: 20f, dialogue: [{ana: Rain again}]}
  - {shot: 1B, action: Sun., duration: 22f, transition: {type: dissolve, duration: 6f}}
ending: {type: fade, duration: 4f}
"""


@pytest.fixture
def film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("STORYREEL_HOME", str(tmp_path / "home"))
    (tmp_path / "film.yaml").write_text(FILM)
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: tmp_path / "results"}):
        yield tmp_path / "film.yaml"


async def render(film: Path, *names: str) -> Rendering:
    return await render_storyboard(str(film), out=str(film.with_name("out")), deliverables=list(names) or None)


def digest(file: Path | str) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def manifest(film: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((film.with_name("out") / "manifest.json").read_text())
    return found


def tracks_of(file: Path | str) -> list[str]:
    with av.open(str(file)) as opened:
        return [stream.language or "" for stream in opened.streams.subtitles]


async def states_with(flow_run: str, last: str) -> dict[str, str]:
    """The states of a run's tasks, once that of the last one has arrived."""
    async with asyncio.timeout(PATIENCE):
        while last not in (states := await states_of(flow_run)):
            await asyncio.sleep(0.1)
    return states


async def stopped_at(film: Path, number: int) -> None:
    """Render, and cancel the run when it begins with the deliverable of this number."""

    def cancel(report: StageReport) -> None:
        if (report.slate, report.take) == ("", number):
            running.cancel()

    with listening(cancel):
        running = asyncio.create_task(render(film))
        with pytest.raises(Stopped):
            await running


async def test_each_is_made_of_the_takes_after_the_film_which_none_of_them_can_cost(
    film: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    out = film.with_name("out")
    await stopped_at(film, 2)
    assert frames_in(out / "sequence.mp4") == manifest(film)["frames"] == 42
    assert [file.name for file in (out / "deliverables").iterdir()] == ["phone.mp4"]
    assert [each["name"] for each in manifest(film)["deliverables"]] == ["phone"]
    before = digest(out / "sequence.mp4"), digest(out / "deliverables" / "phone.mp4")

    made = await render(film)
    phone, clean, quiet = made.deliverables
    assert (digest(made.sequence), phone.digest) == before
    assert [each.file for each in made.deliverables] == [
        out / "deliverables" / f"{name}.mp4" for name in ("phone", "clean", "quiet")
    ]
    # 42 frames at 24 fps are 43.75 at 25: the whole is rounded once.
    assert (phone.width, phone.height, phone.fps, phone.frames) == (256, 456, "25", 44)
    assert (clean.width, clean.height, clean.fps, clean.frames) == (832, 480, "24", 42)
    for each in made.deliverables:
        assert frames_in(Path(each.file)) == each.frames and digest(each.file) == each.digest
        with av.open(str(each.file)) as opened:
            assert (opened.streams.video[0].width, opened.streams.video[0].height) == (each.width, each.height)
            assert str(opened.streams.video[0].average_rate) == each.fps
    assert [tracks_of(each.file) for each in made.deliverables] == [[], ["fra"], []]
    assert phone.level and abs((phone.level.loudness or 0) + 16) <= 0.5
    assert quiet.level and abs((quiet.level.loudness or 0) + 30) <= 0.5
    assert clean.level is None
    assert [(each["name"], each["file"], each["digest"]) for each in manifest(film)["deliverables"]] == [
        (each.name, f"deliverables/{each.name}.mp4", each.digest) for each in made.deliverables
    ]
    played = find_film(Home.of(), made.flow_run)
    assert played and [(each.place, each.about) for each in played.deliverables if delivered_medium(each)] == [
        (str(each.file), each.in_words) for each in made.deliverables
    ]
    assert [(each.languages, each.has_words) for each in played.deliverables] == [
        (("en", "fr"), True), (("fr",), False), ((), False),
    ]  # fmt: skip
    states = await states_with(made.flow_run, "deliver quiet")
    # What was made before is found, and what has the film's picture is not conformed again. Where no title stands over
    # the first shot it is drawn otherwise. Each has its own task run.
    assert {name: state for name, state in states.items() if name.startswith("conform") and " for " in name} == {
        "conform 1A@phone for phone": "Cached", "conform 1B@phone for phone": "Cached",
        "conform 1A@clean for clean": "Completed", "conform 1B for clean": "Cached",
    }  # fmt: skip
    assert {name for name in states if name.startswith("deliver ")} == {
        "deliver phone", "deliver clean", "deliver quiet",
    }  # fmt: skip

    # A changed shot makes only its own pieces again. One that fails costs neither the film nor the others, and what is
    # none of the film any more goes.
    fewer = "\n".join(line for line in FILM.splitlines() if "name: quiet" not in line)
    film.write_text(fewer.replace("Sun.", "Snow."))
    (out / "deliverables" / "phone.mp4").unlink()
    (out / "deliverables" / "phone.mp4" / "in the way").mkdir(parents=True)
    monkeypatch.setattr("storyreel.flows.render.get_run_logger", lambda: logging.getLogger("run"))
    with pytest.raises(DeliverablesFailed, match="1 of 2 deliverables could not be") as failed:
        await render(film, "phone", "clean")
    assert list(failed.value.failed) == ["phone"]
    assert failed.value.next == f"storyreel render {film} --deliverable phone --deliverable clean --out {out}"
    again = f"storyreel render {film} --deliverable phone"
    assert f"deliverables/phone.mp4 is as an earlier run made it; next: {again}" in caplog.messages
    told = manifest(film)
    assert [each["name"] for each in told["deliverables"]] == ["clean"]
    assert {file.name for file in (out / "deliverables").iterdir()} == {"phone.mp4", "clean.mp4"}
    assert digest(out / "deliverables" / "clean.mp4") == told["deliverables"][0]["digest"] != clean.digest
    states = await states_with(told["flow_run"], "deliver clean")
    assert states["conform 1A@phone for phone"] == "Cached" and states["conform 1B@phone for phone"] == "Completed"
