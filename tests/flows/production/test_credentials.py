"""A film that says of itself what it is made of: signed once, and again only when something else is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest

from storyreel.flows.production.report import Rendering
from storyreel.flows.render import render_storyboard
from storyreel.specs.timing import FrameRate
from storyreel.tasks.credentials.certificate import certificate_of, known_issuers
from storyreel.tasks.credentials.claim import FilmClaim
from storyreel.tasks.credentials.read import read_credentials
from storyreel.tasks.credentials.sign import Signing
from storyreel.tasks.join.verify_master import verify_master
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.settings import SettingsError
from tests.flows.selling import selling
from tests.services.jobs import Script
from tests.tasks.generated_clips import make_clip
from tests.tasks.providers.hosted_services import SERVICES

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: Two Rooms
format: {fps: 12}
defaults: {duration: 6f}
cast: {ana: {name: Ana}}
subtitles: true
label: AI generated
CREDENTIALS
shots:
  - {shot: 1A, action: One., provider: apiyi}
  - {shot: 1B, action: Two., dialogue: [{ana: Hello}], titles: [{caption: Later}]}
"""
DELIVERABLE = "deliverables: [{name: web, format: {size: 256x256}, titles: false}]"


def content_of(film: Path) -> tuple[object, ...]:
    """All that a player reads of a film: the kinds of its streams, each packet with its times, chapters and tags."""
    with av.open(str(film)) as opened:
        packets = [(packet.stream.index, packet.pts, packet.dts, bytes(packet)) for packet in opened.demux()]
        return [stream.type for stream in opened.streams], packets, opened.chapters(), dict(opened.metadata)


async def test_a_film_is_signed_once_with_what_its_services_have_signed(tmp_path: Path) -> None:
    plain_clip = make_clip(tmp_path / "plain.mp4", frames=24, fps="12", size="1280x720", sound=None)
    claim = FilmClaim(title="a clip of the service", takes=())
    clip = tmp_path / "clip.mp4"
    Signing(claim=claim, certificate=certificate_of({"STORYREEL_HOME": str(tmp_path / "service")})).write(
        plain_clip, clip
    )
    service = SERVICES["apiyi"].emulated()
    service.use_script(Script(waiting=0, running=0, delivers=clip))

    async def rendered(credentials: str) -> Rendering:
        (tmp_path / "film.yaml").write_text(FILM.replace("CREDENTIALS", credentials))
        return await render_storyboard(str(tmp_path / "film.yaml"), out=str(tmp_path / "out"), buy=True)

    with selling(service):
        plain = await rendered("")
        sequence = Path(plain.sequence)
        played = content_of(sequence)
        assert played[0] == ["video", "audio", "subtitle", "data"], "with subtitles and chapters"
        made = await rendered("credentials: {author: Ana Film, prompts: true}\n" + DELIVERABLE)
        signed = sequence.read_bytes()
        assert content_of(sequence) == played, "the signature moves it in its file, and changes nothing of it"
        assert verify_master(sequence, 12, HouseFormat(width=1280, height=720, rate=FrameRate.parse("12")))
        found = read_credentials(tmp_path / "out" / "deliverables" / "web.mp4", known_issuers())
        # Of what is in it: one shot is drawn in its shape, and no words lie over it.
        assert (found.state, [take.name for take in found.takes]) == ("valid", ["1A take 1", "1B@web take 1"])
        assert [edit.partition(" at ")[0] for edit in found.edits] == [
            "cut and joined: 2 shots, 0 dissolves", "a label drawn into the picture: AI generated",
            "made again as 256x256",
        ]  # fmt: skip
        await rendered("credentials: {author: Ana Film, prompts: true}")
        assert sequence.read_bytes() == signed, "what is signed already stays"
        found = read_credentials(sequence, known_issuers())
        assert (found.state, found.source, found.author) == ("valid", "compositeSynthetic", "Ana Film")
        assert found.edits[1:] == (
            "words laid over the picture", "a label drawn into the picture: AI generated",
        )  # fmt: skip
        one, two = found.takes
        assert (one.name, one.service, one.key, bool(one.made)) == ("1A take 1", "apiyi", made.shots[0].key, True)
        assert "One." in one.prompt and one.own.startswith("Storyreel") and one.own_is_intact
        assert (two.source, two.made, two.own) == ("digitalCreation", "", "")
        manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
        assert manifest["credentials"] == {"signer": found.signer} and "credentials" not in plain.as_json()
        assert len(service.accepted) == 1


async def test_a_film_that_could_not_be_signed_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORYREEL_CERTIFICATE", str(tmp_path / "none.pem"))
    (tmp_path / "film.yaml").write_text(FILM.replace("CREDENTIALS", "credentials: true").replace("apiyi", "animatic"))
    with pytest.raises(SettingsError):
        await render_storyboard(str(tmp_path / "film.yaml"), out=str(tmp_path / "out"))
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
