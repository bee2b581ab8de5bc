"""Downloads: resumed where they broke off, without the key, and never from the user's own network."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from storyreel.tasks.providers.errors import Refusal, Terminal, Transient
from storyreel.tasks.providers.http import allowed_hosts
from storyreel.tasks.providers.http.allowed_hosts import AllowedHosts, LinkNotAllowed, ip_literal, proxy_for
from storyreel.tasks.providers.http.download import LinkExpired, download
from storyreel.tasks.storage.files import mark_of
from storyreel.testing.faults import Slow, Trouble, Truncated
from storyreel.testing.wire import Ending, HttpRequest, Reply, app, listening_socket, serving
from tests.services.results import Link, ResultHost

HERE = "http://127.0.0.1:1"
"""A service on this machine."""
AWAY = "https://api.example.com"
CLIP = bytes(range(256)) * 4096
PATH = "/clip.mp4?Signature=abc"

Spoil = Callable[[Reply, HttpRequest], Reply]


class Host:
    """A host of clips whose replies can be spoilt, one after the other."""

    def __init__(self, spoils: Sequence[Spoil | None] = ()) -> None:
        self.requests: list[HttpRequest] = []
        self._spoils = list(spoils)
        self._store = ResultHost(lambda: 0.0, refuses_authorization=True)
        self._store.publish(PATH, Link(lambda: CLIP, None, None))

    async def answer(self, received: HttpRequest) -> Reply:
        self.requests.append(received)
        spoil = self._spoils.pop(0) if self._spoils else None
        reply = self._store.answer(received)
        return spoil(reply, received) if spoil else reply

    @contextmanager
    def served(self) -> Iterator[str]:
        listening = listening_socket()

        async def forever() -> None:
            """Nothing runs beside the server."""

        with serving((app(self.answer, lambda: 0.0), listening), background=forever):
            yield f"http://127.0.0.1:{listening.getsockname()[1]}{PATH}"


def by(trouble: Trouble) -> Spoil:
    return lambda reply, received: trouble.spoil(reply, received, lambda status: Reply(status))


def without(*names: str) -> Spoil:
    """The same, with headers left out."""
    return lambda reply, _: replace(
        reply, headers=tuple(pair for pair in reply.headers if pair[0].lower() not in names)
    )


def both(first: Spoil, second: Spoil) -> Spoil:
    return lambda reply, received: second(first(reply, received), received)


def status(code: int) -> Spoil:
    return lambda reply, received: Reply(code)


def onward(to: str) -> Spoil:
    return lambda reply, received: Reply(302, headers=(("location", to), ("set-cookie", "session=1")))


async def fetch(url: str, into: Path, base: str = HERE, progress: Callable[[float], None] = lambda _: None) -> None:
    await download(url, into, service="freepik", hosts=AllowedHosts(base), progress=progress, read_timeout=1)


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "take.mp4"


async def test_a_broken_download_is_resumed(into: Path) -> None:
    host = Host([by(Truncated(0.5)), by(Truncated(0.25, Ending.RESET))])
    fractions: list[float] = []
    with host.served() as url:
        await fetch(url, into, progress=fractions.append)
    assert into.read_bytes() == CLIP
    first, second, third = host.requests
    tag = '"' + hashlib.md5(CLIP).hexdigest().upper() + '"'
    assert "range" not in first.headers
    half, more = len(CLIP) // 2, len(CLIP) // 2 + len(CLIP) // 8
    assert (second.headers["range"], second.headers["if-range"]) == (f"bytes={half}-", tag)
    assert (third.headers["range"], third.headers["if-range"]) == (f"bytes={more}-", tag)
    assert fractions == sorted(fractions) and fractions[-1] == 1.0


@pytest.mark.parametrize(
    "spoil",
    [both(by(Truncated()), without("etag")), both(by(Truncated()), lambda r, _: r.with_header("etag", 'W/"abc"'))],
    ids=["no tag", "weak tag"],
)
async def test_a_clip_without_a_strong_etag_starts_again(into: Path, spoil: Spoil) -> None:
    host = Host([spoil])
    with host.served() as url:
        await fetch(url, into)
    assert into.read_bytes() == CLIP
    assert "range" not in host.requests[1].headers


async def test_a_clip_that_has_changed_starts_again(into: Path) -> None:
    def changed(reply: Reply, _: HttpRequest) -> Reply:
        """The host no longer has the version of the If-Range, and sends the whole new one."""
        return Reply(200, CLIP[::-1], (("etag", '"new"'),))

    host = Host([by(Truncated()), changed])
    with host.served() as url:
        await fetch(url, into)
    assert into.read_bytes() == CLIP[::-1]


@pytest.mark.parametrize(
    "spoil",
    [
        status(416),
        lambda reply, _: reply.with_header("content-range", f"bytes 7-{len(CLIP) - 1}/{len(CLIP)}"),
        without("content-range"),
        # A host that does not heed If-Range.
        lambda reply, _: replace(reply.with_header("etag", '"another"'), body=reply.body[::-1]),
    ],
    ids=["no such part", "another part", "unnamed part", "another version"],
)
async def test_a_part_at_another_position_or_of_another_version_is_not_joined(into: Path, spoil: Spoil) -> None:
    host = Host([by(Truncated()), spoil])
    with host.served() as url:
        await fetch(url, into)
    assert into.read_bytes() == CLIP
    assert len(host.requests) == 3


async def test_a_download_that_breaks_every_time_is_transient(into: Path) -> None:
    host = Host([by(Truncated(0.1))] * 9)
    with host.served() as url, pytest.raises(Transient, match="did not arrive"):
        await fetch(url, into)
    assert len(host.requests) == 4


async def test_a_later_download_goes_on_where_an_earlier_one_ended(into: Path) -> None:
    host = Host([by(Slow()), None])
    with host.served() as url:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await fetch(url, into)
        came = into.stat().st_size
        assert 0 < came < len(CLIP)
        await fetch(url, into)
    assert into.read_bytes() == CLIP
    assert host.requests[1].headers["range"] == f"bytes={came}-"
    assert [path.name for path in into.parent.iterdir()] == [into.name], "nothing says that it could go on"


async def test_a_part_of_another_version_is_not_continued(into: Path) -> None:
    into.write_bytes(b"something else")
    mark_of(into).write_text('"another"')
    with Host().served() as url:
        await fetch(url, into)
    assert into.read_bytes() == CLIP


@pytest.mark.parametrize("code", [401, 403, 404, 410])
async def test_a_link_without_a_file_has_expired(into: Path, code: int) -> None:
    with Host([status(code)]).served() as url, pytest.raises(LinkExpired):
        await fetch(url, into)


@pytest.mark.parametrize("code", [400, 429, 500, 503])
async def test_a_server_error_of_the_host_is_transient(into: Path, code: int) -> None:
    with Host([status(code)]).served() as url, pytest.raises(Transient, match=str(code)) as trouble:
        await fetch(url, into)
    assert not isinstance(trouble.value, LinkExpired)


async def test_a_body_that_is_too_large_is_cut_off(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storyreel.tasks.providers.http.download.MAX_CLIP_BYTES", len(CLIP) - 1)
    with Host().served() as url, pytest.raises(Terminal, match="claims to have"):
        await fetch(url, into)

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
            try:
                await writer.drain()
            except ConnectionError:
                return

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    async with server:
        with pytest.raises(Terminal, match="does not end"):
            await fetch(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", into)
    assert into.stat().st_size < len(CLIP)


async def test_a_full_disk_is_reported_and_loses_nothing() -> None:
    with Host().served() as url, pytest.raises(Terminal, match="No space left") as full:
        await fetch(url, Path("/dev/full"))
    assert not isinstance(full.value, Refusal)
    assert "make room" in full.value.hint and "paid" in full.value.hint


async def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with Host().served() as url, pytest.raises(Terminal, match="cannot be written"):
        await fetch(url, tmp_path / "nowhere" / "take.mp4")


# Redirects


async def test_a_redirect_to_another_host_carries_no_header_or_cookie(into: Path) -> None:
    there = Host()
    with there.served() as url, Host([onward(url)]).served() as first:
        await fetch(first.replace("http://", "http://user:secret@"), into)
    (received,) = there.requests
    assert into.read_bytes() == CLIP
    assert received.headers.keys() <= {"host", "accept", "accept-encoding", "connection", "user-agent"}
    assert received.headers["host"] == httpx.URL(url).netloc.decode()


async def test_a_redirect_in_circles_is_refused(into: Path) -> None:
    host = Host([onward(PATH)] * 9)
    with host.served() as url, pytest.raises(Terminal, match="circles"):
        await fetch(url, into)


@pytest.mark.parametrize("to", ["http://10.0.0.8/", "file:///etc/passwd", "http://169.254.169.254/"])
async def test_a_redirect_is_checked_as_a_link_is(into: Path, to: str) -> None:
    with Host([onward(to)]).served() as url, pytest.raises(Terminal, match="is not downloaded"):
        await fetch(url, into)


# Addresses


PRIVATE = [
    "http://10.1.2.3/", "http://172.16.0.1/", "http://192.168.1.1/", "http://127.0.0.1/", "http://127.8.8.8/",
    "http://169.254.169.254/latest/", "http://100.64.0.1/", "http://0.0.0.0/", "http://224.0.0.1/", "http://[::1]/",
    "http://[::]/", "http://[fe80::1]/", "http://[fd00::1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:10.0.0.1]/",
    "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://2130706433/", "http://0x7f000001/",
    "http://0177.0.0.1/", "http://127.1/", "http://0x7f.1/",
]  # fmt: skip


@pytest.mark.parametrize("url", PRIVATE)
async def test_a_private_address_is_refused_in_every_notation(into: Path, url: str) -> None:
    with pytest.raises(Terminal, match=r"is not downloaded: its link (leads into a private network|is no address)"):
        await fetch(url, into, base=AWAY)
    assert not into.exists()


@pytest.mark.parametrize("url", [url for url in PRIVATE if url not in ("http://[::1]/",) and "127" not in url and
                                 "7f" not in url and "2130706433" not in url and "0177" not in url])  # fmt: skip
async def test_a_service_on_this_machine_may_link_to_this_machine_alone(into: Path, url: str) -> None:
    with pytest.raises(Terminal, match="private network"):
        await fetch(url, into, base=HERE)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.com/a", "data:text/plain,hi", "/a.mp4", "", "//x"]
)
async def test_a_link_that_is_no_web_address_is_refused(into: Path, url: str) -> None:
    with pytest.raises(Terminal, match="is not downloaded"):
        await fetch(url, into)


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: Sequence[str]) -> list[str]:
    """Names lead where a test says; each look-up has its own answer, the last one stays."""
    asked: list[str] = []
    left = list(answers)

    def getaddrinfo(host: Any, port: Any, *_: Any, **__: Any) -> Any:
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port or 0)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "found", [["10.0.0.7"], ["93.184.216.34", "127.0.0.1"], ["169.254.169.254"], ["::ffff:10.0.0.1"]]
)
async def test_a_name_that_resolves_to_a_private_address_is_refused(
    into: Path, monkeypatch: pytest.MonkeyPatch, found: list[str]
) -> None:
    resolving(monkeypatch, found)
    with pytest.raises(Terminal, match="private network"):
        await fetch("https://clips.example.com/take.mp4", into, base=AWAY)


async def test_the_address_that_was_checked_is_the_one_connected_to(
    into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that was judged is the one that is spoken to: there is no second look-up to be lied to."""
    asked = resolving(monkeypatch, ["127.0.0.1"], ["10.0.0.7"])
    host = Host()
    with host.served() as url:
        named = url.replace("127.0.0.1", "clips.example.com")
        await fetch(named, into)
    assert asked == ["clips.example.com"]
    assert into.read_bytes() == CLIP
    assert host.requests[0].headers["host"] == httpx.URL(named).netloc.decode()


async def test_a_second_address_is_tried_when_the_first_does_not_answer(
    into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, ["127.0.0.2", "127.0.0.1"])
    with Host().served() as url:
        await fetch(url.replace("127.0.0.1", "clips.example.com"), into)
    assert into.read_bytes() == CLIP


async def test_an_unknown_name_is_transient(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Transient, match=r"cannot be found: clips\.example\.com"):
        await fetch("https://clips.example.com/a.mp4", into, base=AWAY)


async def test_a_service_in_the_users_network_may_link_to_its_own_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolving(monkeypatch, ["10.0.0.7"])
    hosts = AllowedHosts("http://gateway.lan:8000")
    assert hosts.resolve(httpx.URL("http://gateway.lan:9000/a.mp4")) == ["10.0.0.7"]
    with pytest.raises(LinkNotAllowed):
        hosts.resolve(httpx.URL("http://other.lan/a.mp4"))


async def test_a_proxy_resolves_the_name(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host([lambda reply, received: Reply(200, CLIP)])
    with host.served() as url:
        monkeypatch.setenv("http_proxy", url.removesuffix(PATH))
        monkeypatch.setenv("no_proxy", "")
        await fetch(f"http://clips.example.com{PATH}", into, base=AWAY)
        with pytest.raises(Terminal, match="private network"):
            await fetch("http://169.254.169.254/latest/", into, base=AWAY)
    assert into.read_bytes() == CLIP
    assert host.requests[0].headers["host"] == "clips.example.com"


def test_no_proxy_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "proxy.lan:3128")
    monkeypatch.setenv("no_proxy", "inside.example.com")
    assert proxy_for(httpx.URL("https://outside.example.com/")) == "http://proxy.lan:3128"
    assert proxy_for(httpx.URL("https://inside.example.com/")) is None


def test_a_public_address_is_public() -> None:
    for written in ("93.184.216.34", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.216.34", "1.1"):
        address = ip_literal(written)
        assert address is not None and allowed_hosts.is_public(address) == (written != "0.0"), written
