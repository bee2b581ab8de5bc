"""Prefect's server is stopped, killed or frozen while a film is made: it is whole, and what is missing is told."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio_ffmpeg
import pytest

from storyreel.tasks.media.probe import probe
from tests.flows import warm
from tests.restarts import UiServer
from tests.services.aimlapi import Aimlapi, AimlapiSettings
from tests.services.faults import Call, Silence
from tests.services.jobs import Script

FILM = """\
storyboard: 1
title: Two Rooms
format: {fps: 12}
defaults: {provider: aimlapi, duration: 2s}
shots:
  - {shot: 1A, action: Ana enters.}
  - {shot: 1B, action: Ana sits.}
"""
HOLDING_FFMPEG = """\
#!/bin/sh
for hold in "{folder}"/hold-*; do
  case "$*" in $(cat "$hold" 2>/dev/null || echo never))
    touch "{folder}/reached"
    while [ -f "$hold" ]; do sleep 0.05; done ;;
  esac
done
exec "{ffmpeg}" "$@"
"""
ENCODES = {"conforming": "*/home/clips/*libx264*", "joining": "*sound.nut*"}
MOMENTS = ("queueing", "generating", "downloading", "conforming", "joining", "last state")


class Production:
    """A film, its service and its server, with a run that is held at a moment until it is let go on."""

    def __init__(self, folder: Path, environment: dict[str, str], service: Aimlapi, base_url: str) -> None:
        self.folder, self.service = folder, service
        ffmpeg = folder / "ffmpeg"
        ffmpeg.write_text(HOLDING_FFMPEG.format(folder=folder, ffmpeg=imageio_ffmpeg.get_ffmpeg_exe()))
        ffmpeg.chmod(0o755)
        (folder / "film.yaml").write_text(FILM)
        told = {
            "AIMLAPI_API_KEY": "sk-emulator",
            "AIMLAPI_BASE_URL": base_url,
            "STORYREEL_POLL_SECONDS": "0.1",
            "STORYREEL_FFMPEG": str(ffmpeg),
        }
        self.server = UiServer(folder, {**environment, **told})
        self.environment = self.server.environment
        self._go_on = threading.Event()
        self._fetched = threading.Event()

    @property
    def film(self) -> Path:
        return self.folder / "out" / "sequence.mp4"

    def hold(self, moment: str) -> None:
        """Have the run wait at a moment."""
        if moment in ("queueing", "generating"):
            self.service.use_script(Script(waiting=0, running=10**9, end=None), times=2)
        elif moment == "downloading":
            self.service.fault(Call.FETCH, Silence(), times=2, when=self._is_held)
        elif moment in ENCODES:
            (self.folder / f"hold-{moment}").write_text(ENCODES[moment])

    def has_reached(self, moment: str) -> bool:
        jobs = self.service.jobs.all()
        match moment:
            case "queueing":
                return len(jobs) == 1 and jobs[0].polls > 2
            case "generating":
                return len(jobs) == 2 and all(job.polls > 2 for job in jobs)
            case "downloading":
                return self._fetched.is_set()
            case "last state":
                return (self.folder / "out" / "manifest.json").exists()
        return (self.folder / "reached").exists()

    def let_go(self) -> None:
        self._go_on.set()
        for job in self.service.jobs.all():
            object.__setattr__(job, "script", Script(waiting=0, running=0))
        self.service._scripts.clear()
        for hold in self.folder.glob("hold-*"):
            hold.unlink()

    def _is_held(self, _: object) -> bool:
        self._fetched.set()
        self._go_on.wait(300)
        return False

    def assert_whole(self) -> None:
        assert probe(self.film).frames == 48
        bought = [str(sale.body) for sale in self.service.accepted]
        assert len(bought) == len(set(bought)) == 2


@pytest.fixture
def production(tmp_path: Path, fresh_environment: dict[str, str]) -> Iterator[Production]:
    service = Aimlapi(AimlapiSettings(script=Script(waiting=0, running=0)))
    with service.served(port=0) as base_url:
        production = Production(tmp_path, fresh_environment, service, base_url)
        try:
            yield production
        finally:
            production.let_go()
            production.server.end()


def wait(is_so: Callable[[], object], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


def limit(production: Production, slots: int) -> None:
    import httpx

    body = {"name": "storyreel-aimlapi", "limit": slots, "active": True}
    httpx.post(f"{production.server.api}/v2/concurrency_limits/", json=body, timeout=60).raise_for_status()


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("blow", ["stop", "kill", "freeze", "gone", "frozen", "long"])
def test_a_film_of_the_command_line_is_whole_and_told(production: Production, moment: str, blow: str) -> None:
    server = production.server
    server.start()
    limit(production, 1 if moment == "queueing" else 4)
    production.hold(moment)
    run = warm.begin(["render", "film.yaml", "--yes", "--out", "out"], production.folder, production.environment)
    try:
        wait(lambda: production.has_reached(moment) or run.returncode is not None, moment)
        {"stop": server.stop, "freeze": server.freeze, "frozen": server.freeze}.get(blow, server.kill)()
        begun = time.monotonic()
        production.let_go()
        if blow not in ("gone", "frozen"):
            time.sleep(80 if blow == "long" else 3)
            server.start()
            print(f"server away for {time.monotonic() - begun:.0f} s")
        wait(production.film.exists, "a film", 300)
        made = time.monotonic()
        run.wait(600)
        print(f"told {time.monotonic() - made:.1f} s after the film was there, {time.monotonic() - begun:.0f} s after")
    finally:
        run.kill()
        out, err = run.communicate()
        print(f"{run.returncode}\n{out[:3000]}\n---\n{err[:6000]}\n{len(err)}")
    production.assert_whole()
    assert run.returncode == 0
    assert re.search(r"^✓ .*sequence.mp4$", out, re.MULTILINE)
    assert max(map(len, err.splitlines())) < 500
