"""References on this machine are opened and checked against Wan's limits."""

from __future__ import annotations

import asyncio
import subprocess
import time
from pathlib import Path

import pytest

from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.testing.footage import footage
from storyreel.testing.wire import HttpRequest, Reply, app, listening_socket, serving
from tests.services.pictures import data_uri, picture
from tests.services.references import Finding, Kind, Reference, examine


def found(url: str, kind: Kind = "image", *, uploads: dict[str, bytes] | None = None, fetches: bool = False) -> Finding:
    return asyncio.run(examine(Reference(url, kind, "here"), (uploads or {}).get, fetches=fetches))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "WEBP"])
def test_a_picture_in_a_data_uri_is_opened(form: str) -> None:
    assert found(data_uri(picture(640, 360, form=form))) == Finding(width=640, height=360)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (data_uri(picture(form="GIF", mode="L")), "format"),
        (data_uri(picture(mode="RGBA")), "format"),
        (data_uri(picture(239, 300)), "size"),
        (data_uri(picture(8001, 1100)), "size"),
        (data_uri(picture(2400, 260)), "shape"),
        (data_uri(b"no picture"), "format"),
        (data_uri(picture()[:200]), "format"),
        ("data:image/png;base64,@@@@", "format"),
        ("data:image/png,plain", "format"),
        ("oss://nowhere/a.png", "unreachable"),
    ],
)
def test_a_reference_beyond_wans_limits_is_reported(url: str, problem: str) -> None:
    assert found(url).problem == problem


def test_an_upload_is_opened_by_its_address() -> None:
    assert found("oss://dir/a.png", uploads={"oss://dir/a.png": picture()}).width == 640


def test_a_video_has_its_limits_of_length() -> None:
    clip = footage(2, 1280, 720, "reference")
    assert found("oss://a", "video", uploads={"oss://a": clip}) == Finding(width=1280, height=720, seconds=2)
    assert found("oss://a", "voice", uploads={"oss://a": clip}).problem == ""
    assert found("oss://a", "clip", uploads={"oss://a": picture()}).problem in ("format", "duration")


def test_a_voice_without_sound_and_a_long_one_are_refused(tmp_path: Path) -> None:
    silent, long = tmp_path / "silent.mp4", tmp_path / "long.wav"
    for source, into in (("color=size=320x240:duration=2", silent), ("sine=duration=11", long)):
        subprocess.run([find_ffmpeg().path, "-v", "error", "-f", "lavfi", "-i", source, into], check=True)
    assert found("oss://a", "voice", uploads={"oss://a": silent.read_bytes()}).problem == "format"
    assert found("oss://a", "voice", uploads={"oss://a": long.read_bytes()}).problem == "duration"


def test_a_remote_reference_is_accepted_unopened() -> None:
    assert found("https://example.com/a.png", fetches=True) == Finding()
    assert found("http://127.0.0.1:9/a.png") == Finding()


def test_references_on_this_machine_are_fetched_if_asked_to() -> None:
    async def answer(request: HttpRequest) -> Reply:
        return Reply(200, picture(300, 400)) if request.path == "/a.png" else Reply(404)

    listening = listening_socket()
    with serving((app(answer, time.time), listening), background=asyncio.Event().wait):
        here = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert found(f"{here}/a.png", fetches=True) == Finding(width=300, height=400)
        assert found(f"{here}/b.png", fetches=True).problem == "unreachable"
    assert found(f"{here}/a.png", fetches=True).problem == "unreachable"
