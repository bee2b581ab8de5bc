"""Local files given to a service: inside the request, in its own store, or in a bucket of the user."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import fsspec
import httpx
import pytest
import s3fs
from PIL import Image

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.dashscope import DashScope
from storyreel.tasks.providers.errors import Refusal, Terminal, Transient
from storyreel.tasks.providers.http.local_files import ReferenceBucket, kind_of_file, name_by_content
from storyreel.tasks.providers.wan import wan
from tests.buckets import SECRET
from tests.services.faults import Answer, Call, Reset
from tests.tasks.generated_clips import ffmpeg, make_clip
from tests.tasks.providers.hosted_services import SERVICES, image, local, opened, request


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "mira front.png"
    Image.new("RGB", (320, 240), "teal").save(file)
    return file


# Inside the request


@pytest.mark.parametrize(
    ("name", "mode", "where"),
    [
        ("aimlapi", Mode.IMAGE, ("image_url",)),
        ("apiyi", Mode.IMAGE, ("input", "media", 0, "url")),
        ("apiyi", Mode.REFERENCE, ("input", "media", 0, "url")),
        ("dashscope", Mode.IMAGE, ("input", "media", 0, "url")),
        ("dashscope", Mode.REFERENCE, ("input", "media", 0, "url")),
    ],
)
async def test_a_picture_is_sent_inside_the_request_if_the_service_allows_it(
    name: str, mode: Mode, where: tuple[str | int, ...], picture: Path
) -> None:
    attached = local(picture)
    changes = {"first_frame": attached} if mode is Mode.IMAGE else {"references": (attached,)}
    async with opened(SERVICES[name]) as (provider, emulator):
        await provider.submit(request(SERVICES[name], mode, **changes))
    value = emulator.accepted[0].body
    for step in where:
        value = value[step]
    head, _, content = str(value).partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(content) == picture.read_bytes()


async def test_one_file_with_two_uses_is_sent_in_two_ways(picture: Path) -> None:
    """Inside the request as the first frame, through the store as a reference: neither takes the other's place."""

    class Mixed(DashScope):
        """A service that takes first frames inside the request, and references by links alone."""

        capabilities: ClassVar = {Mode.REFERENCE: wan(Mode.REFERENCE, "wan2.7-r2v", data_uris=("first_frame",),
                                                      uploads=True)}  # fmt: skip

    service = replace(SERVICES["dashscope"], adapter=Mixed)
    async with opened(service) as (provider, emulator):
        both = local(picture, digest="d1")
        await provider.submit(request(service, Mode.REFERENCE, first_frame=both, references=(both,)))
    first, reference = emulator.accepted[0].body["input"]["media"]
    assert first["type"] == "first_frame" and first["url"].startswith("data:image/png;base64,")
    assert reference["type"] == "reference_image" and reference["url"].startswith("oss://")


async def test_a_film_that_ends_as_it_begins_sends_one_picture_twice(picture: Path) -> None:
    service = SERVICES["freepik"]
    async with opened(service) as (provider, emulator):
        both = local(picture, digest="d1")
        await provider.submit(request(service, Mode.IMAGE, first_frame=both, last_frame=both))
    body = emulator.accepted[0].body
    assert body["start_image_url"] == body["end_image_url"]
    assert len(emulator.uploads.files) == 1


# Into the service's own store


async def test_a_file_is_uploaded_to_dashscope_once_a_model(tmp_path: Path) -> None:
    service, film = SERVICES["dashscope"], make_clip(tmp_path / "walk.mp4", frames=24, size="320x240")
    reference = local(film, "video", digest="d1")
    async with opened(service, settings={"unresolved": "refuse"}) as (provider, emulator):
        takes = [request(service, Mode.REFERENCE, references=(reference,), take=number) for number in (1, 2, 3)]
        await asyncio.gather(*(provider.prepare(take) for take in takes))
        await asyncio.gather(*(provider.submit(take) for take in takes))
    (stored,) = emulator.uploads.files.items()
    assert stored[0].endswith("/sha256-d1.mp4") and stored[1].content == film.read_bytes()
    orders = [received for received in emulator.requests if received.method == "POST"]
    assert {received.json()["input"]["media"][0]["url"] for received in orders} == {f"oss://{stored[0]}"}
    assert all(received.headers["x-dashscope-ossresourceresolve"] == "enable" for received in orders)
    assert stored[1].ticket.model == "wan2.7-r2v"


async def test_dashscope_resolves_addresses_only_of_its_own_store() -> None:
    async with opened(SERVICES["dashscope"]) as (provider, emulator):
        await provider.submit(request(SERVICES["dashscope"], Mode.REFERENCE))
    assert "x-dashscope-ossresourceresolve" not in emulator.requests[0].headers


@pytest.mark.parametrize("shape", ["data", "files"])
async def test_a_file_is_put_to_the_address_that_freepik_gives(picture: Path, shape: str) -> None:
    service = SERVICES["freepik"]
    async with opened(service, settings={"upload_reply": shape}) as (provider, emulator):
        for take in (1, 2):
            await provider.submit(request(service, Mode.IMAGE, first_frame=local(picture), take=take))
    (upload,) = emulator.uploads.files.values()
    assert (upload.content, upload.ticket.content_type) == (picture.read_bytes(), "image/png")
    assert len({sale.body["start_image_url"] for sale in emulator.accepted}) == 1


@pytest.mark.parametrize("name", ["dashscope", "freepik"])
async def test_the_key_is_not_sent_to_the_store(name: str, tmp_path: Path, picture: Path) -> None:
    service = SERVICES[name]
    film = make_clip(tmp_path / "walk.mp4", frames=24, size="320x240")
    posts: list[httpx.Headers] = []
    async with opened(service) as (provider, emulator):
        take = emulator.take

        async def listen(received):  # type: ignore[no-untyped-def]
            posts.append(httpx.Headers(dict(received.headers)))
            return await take(received)

        emulator.take = listen
        await provider.prepare(request(service, Mode.REFERENCE, references=(local(film, "video"),)))
    assert posts and "sk-emulator" not in str(posts)


@pytest.mark.parametrize("name", ["dashscope", "freepik"])
@pytest.mark.parametrize("trouble", [Answer(500), Answer(403), Reset()], ids=["500", "403", "reset"])
@pytest.mark.parametrize("step", [0, 1])
async def test_a_failed_upload_buys_nothing_and_is_repeated(
    name: str, trouble: object, step: int, tmp_path: Path
) -> None:
    service = SERVICES[name]
    film = make_clip(tmp_path / "walk.mp4", frames=24, size="320x240")
    ordered = request(service, Mode.REFERENCE, references=(local(film, "video"),))
    async with opened(service) as (provider, emulator):
        emulator.fault(Call.UPLOAD, trouble, after=step)
        with pytest.raises((Transient, Terminal)) as failed:
            await provider.submit(ordered)
        assert not isinstance(failed.value, Refusal)
        assert "ignature" not in str(failed.value) and "http://" not in str(failed.value)
        assert emulator.accepted == []
        await provider.submit(ordered)
        assert len(emulator.accepted) == 1


# Into a bucket


async def test_a_file_is_copied_to_the_bucket_once_and_downloaded_from_it(bucket: str, picture: Path) -> None:
    service, reference = SERVICES["aimlapi"], local(picture, digest="d1")
    takes = [request(service, Mode.REFERENCE, references=(reference,), take=number) for number in (1, 2)]
    async with opened(service, settings={"fetches_references": True}, STORYREEL_MEDIA_URL=bucket) as (
        provider,
        emulator,
    ):
        await asyncio.gather(*(provider.submit(take) for take in takes))
    (link,) = {sale.body["image_urls"][0] for sale in emulator.accepted}
    parts = urlsplit(link)
    assert parts.path == f"/{bucket.removeprefix('s3://')}sha256-d1.png"
    signed = parse_qs(parts.query)
    assert "Expires" in signed or int(signed["X-Amz-Expires"][0]) == 24 * 3600
    assert SECRET not in link
    assert httpx.get(link).content == picture.read_bytes()


async def test_a_file_in_the_bucket_is_not_copied_again(bucket: str, picture: Path) -> None:
    await ReferenceBucket(bucket).put(picture, "sha256:d1")
    fsspec.filesystem("s3").pipe(f"{bucket}sha256-d1.png", b"the one that was there")
    link = await ReferenceBucket(bucket).put(picture, "sha256:d1")
    assert httpx.get(link).content == b"the one that was there"


async def test_voices_and_videos_go_through_the_bucket_too(bucket: str, tmp_path: Path, picture: Path) -> None:
    service = SERVICES["apiyi"]
    film = make_clip(tmp_path / "walk.mp4", frames=24, size="320x240")
    spoken = tmp_path / "mira.wav"
    make_clip(tmp_path / "sound.mp4", frames=48)
    ffmpeg("-i", tmp_path / "sound.mp4", "-vn", spoken)
    mira = local(picture).model_copy(update={"voice": local(spoken, "voice", digest="s")})
    references = (mira, local(film, "video", digest="v"))
    async with opened(service, settings={"fetches_references": True}, STORYREEL_MEDIA_URL=bucket) as (
        provider,
        emulator,
    ):
        await provider.submit(request(service, Mode.REFERENCE, references=references))
    media = emulator.accepted[0].body["input"]["media"]
    assert media[0]["url"].startswith("data:")
    assert "/sha256-s.wav?" in media[0]["reference_voice"]
    assert "/sha256-v.mp4?" in media[1]["url"]


async def test_without_a_bucket_a_file_that_needs_one_buys_nothing(picture: Path) -> None:
    async with opened(SERVICES["aimlapi"]) as (provider, emulator):
        with pytest.raises(Terminal, match="links only") as refused:
            await provider.submit(request(SERVICES["aimlapi"], Mode.REFERENCE, references=(local(picture),)))
    assert "STORYREEL_MEDIA_URL" in refused.value.hint
    assert emulator.requests == []


async def test_a_remote_address_is_sent_as_written(bucket: str) -> None:
    address = "https://films.example/a%20b.png?x=1&y=é"
    async with opened(SERVICES["aimlapi"], STORYREEL_MEDIA_URL=bucket) as (provider, emulator):
        await provider.submit(request(SERVICES["aimlapi"], Mode.REFERENCE, references=(image(address),)))
    assert emulator.accepted[0].body["image_urls"] == [address]


@pytest.mark.parametrize(
    ("url", "words", "hint"),
    [
        ("s3://nobodys-bucket/refs", "did not take", "doctor"),
        ("memory://films", "cannot give links", "s3://"),
        ("nosuch://films", "cannot be read", "doctor"),
        ("gcs://films", "needs a package", "beside storyreel"),
    ],
)
async def test_a_bucket_that_cannot_be_used_is_reported(
    bucket: str, picture: Path, url: str, words: str, hint: str
) -> None:
    with pytest.raises(Terminal, match=words) as refused:
        await ReferenceBucket(url).put(picture, "sha256:d1")
    assert hint in refused.value.hint + refused.value.next


async def test_a_bucket_without_credentials_is_reported(
    bucket: str, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(Terminal, match="cannot be read") as refused:
        await ReferenceBucket(bucket).put(picture, "sha256:d1")
    assert "credentials" in refused.value.hint


async def test_a_bucket_that_does_not_answer_is_transient(
    bucket: str, picture: Path, monkeypatch: pytest.MonkeyPatch, unanswered: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", unanswered)
    with pytest.raises(Transient, match="cannot be read"):
        await ReferenceBucket(bucket).put(picture, "sha256:d1")


async def test_a_password_in_the_buckets_address_is_not_shown(picture: Path) -> None:
    with pytest.raises((Terminal, Transient)) as refused:
        await ReferenceBucket("memory://user:hunter2@films/refs?token=hunter3").put(picture, "sha256:d1")
    assert "hunter" not in str(refused.value)


# What a file is


def test_the_type_of_a_file_is_read_from_its_content(tmp_path: Path) -> None:
    made = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "BMP": "image/bmp"}
    for form, kind in made.items():
        file = tmp_path / f"{form}.dat"
        Image.new("RGB", (8, 8)).save(file, form)
        assert kind_of_file(file).media_type == kind
    assert kind_of_file(make_clip(tmp_path / "a.mp4", frames=2)).media_type == "video/mp4"
    assert kind_of_file(make_clip(tmp_path / "a.mov", frames=2)).media_type == "video/quicktime"
    (tmp_path / "mp3").write_bytes(b"\xff\xfb\x90\x00")
    assert kind_of_file(tmp_path / "mp3") == ("audio/mpeg", ".mp3")
    (tmp_path / "a.TXT").write_bytes(b"hello")
    assert name_by_content(tmp_path / "a.TXT", "sha256:ab") == "sha256-ab.txt"
    assert name_by_content(tmp_path / "JPEG.dat", "take:ab") == "take-ab.jpg"


async def test_a_file_removed_after_planning_is_reported(tmp_path: Path) -> None:
    async with opened(SERVICES["dashscope"]) as (provider, emulator):
        with pytest.raises(Terminal, match="cannot be read"):
            await provider.submit(request(SERVICES["dashscope"], Mode.IMAGE, first_frame=local(tmp_path / "gone.png")))
    assert emulator.accepted == []
