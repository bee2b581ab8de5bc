"""Local files given to a service: inside the request, in its own store, or in a bucket of the user."""

from __future__ import annotations

import asyncio
import base64
import os
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
from storyreel.tasks.providers.errors import FileChanged, Refusal, Terminal, Transient
from storyreel.tasks.providers.http.local_files import ReferenceBucket
from storyreel.tasks.providers.request import Attachment, Request
from storyreel.tasks.providers.sent_file import read_file
from storyreel.tasks.providers.wan.capabilities import wan
from storyreel.testing.faults import Answer, Call, Reset
from tests.buckets import SECRET
from tests.tasks.generated_clips import ffmpeg, make_clip
from tests.tasks.providers.hosted_services import SERVICES, Service, digest_of, image, local, opened, request


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
        both = local(picture)
        await provider.submit(request(service, Mode.REFERENCE, first_frame=both, references=(both,)))
    first, reference = emulator.accepted[0].body["input"]["media"]
    assert first["type"] == "first_frame" and first["url"].startswith("data:image/png;base64,")
    assert reference["type"] == "reference_image" and reference["url"].startswith("oss://")


async def test_a_film_that_ends_as_it_begins_sends_one_picture_twice(picture: Path) -> None:
    service = SERVICES["freepik"]
    async with opened(service) as (provider, emulator):
        both = local(picture)
        await provider.submit(request(service, Mode.IMAGE, first_frame=both, last_frame=both))
    body = emulator.accepted[0].body
    assert body["start_image_url"] == body["end_image_url"]
    assert len(emulator.uploads.files) == 1


# Into the service's own store


async def test_a_file_is_uploaded_to_dashscope_once_a_model(tmp_path: Path) -> None:
    service, film = SERVICES["dashscope"], make_clip(tmp_path / "walk.mp4", frames=24, size="320x240")
    reference = local(film, "video")
    async with opened(service, settings={"unresolved": "refuse"}) as (provider, emulator):
        takes = [request(service, Mode.REFERENCE, references=(reference,), take=number) for number in (1, 2, 3)]
        await asyncio.gather(*(provider.prepare(take) for take in takes))
        await asyncio.gather(*(provider.submit(take) for take in takes))
    (stored,) = emulator.uploads.files.items()
    assert stored[0].endswith(f"/sha256-{digest_of(film)}.mp4") and stored[1].content == film.read_bytes()
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
    service, reference = SERVICES["aimlapi"], local(picture)
    takes = [request(service, Mode.REFERENCE, references=(reference,), take=number) for number in (1, 2)]
    async with opened(service, settings={"fetches_references": True}, STORYREEL_MEDIA_URL=bucket) as (
        provider,
        emulator,
    ):
        await asyncio.gather(*(provider.submit(take) for take in takes))
    (link,) = {sale.body["image_urls"][0] for sale in emulator.accepted}
    parts = urlsplit(link)
    assert parts.path == f"/{bucket.removeprefix('s3://')}sha256-{digest_of(picture)}.png"
    signed = parse_qs(parts.query)
    assert "Expires" in signed or int(signed["X-Amz-Expires"][0]) == 24 * 3600
    assert SECRET not in link
    assert httpx.get(link).content == picture.read_bytes()


@pytest.mark.parametrize("size", [50_000, 17 << 20], ids=["at once", "in parts"])
async def test_what_is_in_the_bucket_is_not_copied_again(
    bucket: str, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.bmp"
    file.write_bytes(b"BM" + bytes(size))
    store, sent = ReferenceBucket(bucket), read_file(file)
    await store.put(sent)
    monkeypatch.setattr(s3fs.S3FileSystem, "_pipe_file", None)
    assert httpx.get(await store.put(sent)).content == file.read_bytes()


@pytest.mark.parametrize("other", [b"", b"shorter", "of the same size"])
async def test_other_content_under_the_name_of_a_file_is_replaced(
    bucket: str, picture: Path, other: bytes | str
) -> None:
    """Earlier versions put an edited picture under the name of the one that was planned."""
    sent = read_file(picture)
    wrong = other if isinstance(other, bytes) else bytes(len(sent.content))
    fsspec.filesystem("s3").pipe(f"{bucket}{sent.name}", wrong)
    link = await ReferenceBucket(bucket).put(sent)
    assert httpx.get(link).content == sent.content


# A file that is not what was planned


def edited(file: Path, how: str) -> None:
    content = file.read_bytes()
    match how:
        case "other content":
            Image.new("RGB", (320, 240), "red").save(file, "PNG")
        case "one bit, same size and time":
            stat = file.stat()
            file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
            os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        case "cut off":
            file.write_bytes(content[: len(content) // 2])
        case "longer":
            file.write_bytes(content + b"x")
        case "gone":
            file.unlink()
        case "a folder":
            file.unlink()
            file.mkdir()
    assert content


EDITS = ["other content", "one bit, same size and time", "cut off", "longer", "gone", "a folder"]
SENT = [
    ("dashscope", Mode.IMAGE, "first_frame"), ("dashscope", Mode.IMAGE, "last_frame"),
    ("dashscope", Mode.REFERENCE, "image"), ("dashscope", Mode.REFERENCE, "video"),
    ("dashscope", Mode.REFERENCE, "voice"), ("apiyi", Mode.REFERENCE, "image"), ("apiyi", Mode.REFERENCE, "video"),
    ("aimlapi", Mode.IMAGE, "first_frame"), ("aimlapi", Mode.REFERENCE, "image"),
    ("freepik", Mode.IMAGE, "first_frame"), ("freepik", Mode.REFERENCE, "video"), ("freepik", Mode.REFERENCE, "voice"),
]  # fmt: skip
"""Each way in which a service gets a file: inside the request, in its own store, in the user's bucket."""


def with_file(service: Service, mode: Mode, use: str, file: Attachment) -> Request:
    match use:
        case "first_frame" | "last_frame":
            return request(service, mode, **{use: file})
        case "voice":
            return request(service, mode, references=(image(voice=file),))
        case _:
            return request(service, mode, references=(file.model_copy(update={"kind": use}),))


@pytest.mark.parametrize(("name", "mode", "use"), SENT)
@pytest.mark.parametrize("kind", ["file", "frame of another take"])
async def test_a_file_that_is_not_what_was_planned_is_neither_sent_nor_stored(
    bucket: str, picture: Path, name: str, mode: Mode, use: str, kind: str
) -> None:
    service, planned = SERVICES[name], local(picture)
    if kind != "file":
        planned = Attachment(kind="image", digest="take:abc", source=str(picture), frame_digest=digest_of(picture))
    ordered, before = with_file(service, mode, use, planned), picture.read_bytes()
    async with opened(service, STORYREEL_MEDIA_URL=bucket) as (provider, emulator):
        for how in EDITS:
            edited(picture, how)
            for attempt in (provider.prepare, provider.submit):
                with pytest.raises(FileChanged, match=r"mira front\.png") as stopped:
                    await attempt(ordered)
                assert "plans with the file as it is now" in stopped.value.hint
            if picture.is_dir():
                picture.rmdir()
            picture.write_bytes(before)
        assert emulator.requests == [] and emulator.accepted == []
        assert not fsspec.filesystem("s3").exists(bucket)
        if use not in ("video", "voice"):
            await provider.submit(ordered)
            assert len(emulator.accepted) == 1, "the file that was planned is sent once it is back"


async def test_a_file_that_changes_after_it_was_prepared_is_not_sent(picture: Path) -> None:
    """Inside a request it is read again when the order is sent: what was read is what is compared and what goes out."""
    async with opened(SERVICES["dashscope"]) as (provider, emulator):
        ordered = request(SERVICES["dashscope"], Mode.IMAGE, first_frame=local(picture))
        await provider.prepare(ordered)
        edited(picture, "other content")
        with pytest.raises(FileChanged):
            await provider.submit(ordered)
    assert emulator.accepted == []


async def test_what_was_stored_is_what_was_planned_even_if_the_file_changes_later(picture: Path) -> None:
    planned = picture.read_bytes()
    async with opened(SERVICES["freepik"]) as (provider, emulator):
        ordered = request(SERVICES["freepik"], Mode.IMAGE, first_frame=local(picture))
        await provider.prepare(ordered)
        edited(picture, "other content")
        await provider.submit(ordered)
    assert [stored.content for stored in emulator.uploads.files.values()] == [planned]


async def test_voices_and_videos_go_through_the_bucket_too(bucket: str, tmp_path: Path, picture: Path) -> None:
    service = SERVICES["apiyi"]
    film = make_clip(tmp_path / "walk.mp4", frames=24, size="320x240")
    spoken = tmp_path / "mira.wav"
    make_clip(tmp_path / "sound.mp4", frames=48)
    ffmpeg("-i", tmp_path / "sound.mp4", "-vn", spoken)
    mira = local(picture).model_copy(update={"voice": local(spoken, "voice")})
    references = (mira, local(film, "video"))
    async with opened(service, settings={"fetches_references": True}, STORYREEL_MEDIA_URL=bucket) as (
        provider,
        emulator,
    ):
        await provider.submit(request(service, Mode.REFERENCE, references=references))
    media = emulator.accepted[0].body["input"]["media"]
    assert media[0]["url"].startswith("data:")
    assert f"/sha256-{digest_of(spoken)}.wav?" in media[0]["reference_voice"]
    assert f"/sha256-{digest_of(film)}.mp4?" in media[1]["url"]


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
        await ReferenceBucket(url).put(read_file(picture))
    assert hint in refused.value.hint + refused.value.next


async def test_a_bucket_without_credentials_is_reported(
    bucket: str, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(Terminal, match="cannot be read") as refused:
        await ReferenceBucket(bucket).put(read_file(picture))
    assert "credentials" in refused.value.hint


async def test_a_bucket_that_does_not_answer_is_transient(
    bucket: str, picture: Path, monkeypatch: pytest.MonkeyPatch, unanswered: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", unanswered)
    with pytest.raises(Transient, match="cannot be read"):
        await ReferenceBucket(bucket).put(read_file(picture))


async def test_a_password_in_the_buckets_address_is_not_shown(picture: Path) -> None:
    with pytest.raises((Terminal, Transient)) as refused:
        await ReferenceBucket("memory://user:hunter2@films/refs?token=hunter3").put(read_file(picture))
    assert "hunter" not in str(refused.value)


# What a file is


def test_the_type_of_a_file_is_read_from_its_content(tmp_path: Path) -> None:
    made = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "BMP": "image/bmp"}
    for form, kind in made.items():
        file = tmp_path / f"{form}.dat"
        Image.new("RGB", (8, 8)).save(file, form)
        assert read_file(file).kind.media_type == kind
    assert read_file(make_clip(tmp_path / "a.mp4", frames=2)).kind.media_type == "video/mp4"
    assert read_file(make_clip(tmp_path / "a.mov", frames=2)).kind.media_type == "video/quicktime"
    (tmp_path / "mp3").write_bytes(b"\xff\xfb\x90\x00")
    assert read_file(tmp_path / "mp3").kind == ("audio/mpeg", ".mp3")
    (tmp_path / "a.TXT").write_bytes(b"hello")
    assert read_file(tmp_path / "a.TXT").name == f"sha256-{digest_of(tmp_path / 'a.TXT')}.txt"
    assert read_file(tmp_path / "JPEG.dat").name == f"sha256-{digest_of(tmp_path / 'JPEG.dat')}.jpg"
