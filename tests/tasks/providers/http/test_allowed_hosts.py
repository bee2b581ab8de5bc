"""The gate for addresses that a service names: only the public internet, in whatever way an address is written."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.errors import Terminal, Transient
from storyreel.tasks.providers.http.allowed_hosts import AllowedHosts, LinkNotAllowed, ip_literal, is_public
from storyreel.tasks.providers.http.local_files import upload_file
from storyreel.testing.wire import HttpRequest, Reply, app, listening_socket, serving
from tests.tasks.generated_clips import make_clip
from tests.tasks.providers.hosted_services import SERVICES, local, opened, request

AWAY = AllowedHosts("")
"""The gate of a service at its published address."""

V4_SPECIAL = [ipaddress.IPv4Network(each) for each in (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/29",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
)]  # fmt: skip
"""Not globally reachable, or no unicast: IANA's registry for IPv4, read on 2026-11-29."""
V6_SPECIAL = [ipaddress.IPv6Network(each) for each in (
    "::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:2::/48", "2001:db8::/32",
    "2002::/16", "3fff::/20", "5f00::/16", "4000::/3", "8000::/2", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)]  # fmt: skip
"""The same for IPv6, with what is not given out."""
V4_PUBLIC = ["1.1.1.1", "8.8.8.8", "47.88.1.1", "93.184.216.34", "100.63.255.255", "100.128.0.0", "172.15.255.255",
             "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "223.255.255.255"]  # fmt: skip


@st.composite
def inside(draw: st.DrawFn, networks: list[ipaddress.IPv4Network] | list[ipaddress.IPv6Network]) -> str:
    """An address in one of the networks: often its first or its last."""
    network = draw(st.sampled_from(networks))
    last = network.num_addresses - 1
    place = draw(st.one_of(st.sampled_from([0, last]), st.integers(0, last)))
    return str(network[place])


def embedding(v4: str) -> Iterator[str]:
    """IPv6 addresses that lead to an IPv4 address, by one of the ways that routers and kernels know."""
    number = int(ipaddress.IPv4Address(v4))
    high, low = f"{number >> 16:x}", f"{number & 0xFFFF:x}"
    yield f"::ffff:{v4}"
    yield f"64:ff9b::{high}:{low}"
    yield f"2606:2800:21f::5efe:{high}:{low}"
    yield f"2606:2800:21f:0:200:5efe:{high}:{low}"


def notations(v4: str) -> Iterator[str]:
    """The notations of an IPv4 address that C libraries accept."""
    number = int(ipaddress.IPv4Address(v4))
    first, second, third, fourth = v4.split(".")
    rest = number & 0xFFFFFF
    yield v4
    yield f"{v4}."
    yield str(number)
    yield f"{number:#x}"
    yield f"0{number:o}"
    yield f"{first}.{rest}"
    yield f"{int(first):#x}.{rest:#x}"
    yield f"0{int(first):o}.0{int(second):o}.0{int(third):o}.0{int(fourth):o}"
    yield f"000{int(first):o}.{second}.{number & 0xFFFF}"


@given(v4=inside(V4_SPECIAL))
def test_no_private_address_passes_in_any_notation_or_embedding(v4: str) -> None:
    for host in (*notations(v4), *(f"[{each}]" for each in embedding(v4))):
        for check in (AWAY.resolve, AWAY.check_unresolved):
            with pytest.raises((LinkNotAllowed, httpx.InvalidURL)):
                check(httpx.URL(f"https://{host}/a.mp4"))


@given(v6=inside(V6_SPECIAL), zone=st.sampled_from(["", "%25eth0", "%251"]))
def test_no_address_outside_of_the_public_ipv6_internet_passes(v6: str, zone: str) -> None:
    address = ipaddress.IPv6Address(v6)
    if inner := address.ipv4_mapped:
        assert is_public(address) == is_public(inner)
        return
    for check in (AWAY.resolve, AWAY.check_unresolved):
        with pytest.raises(LinkNotAllowed):
            check(httpx.URL(f"https://[{v6}{zone}]/a.mp4"))


@pytest.mark.parametrize("v4", V4_PUBLIC)
def test_every_public_address_passes_in_any_notation_or_embedding(v4: str) -> None:
    written = [host for host in notations(v4) if not host.startswith("0") or "x" in host]
    for host in written:  # The others, octal numbers, are no addresses to httpx.
        assert AWAY.resolve(httpx.URL(f"https://{host}/a.mp4")) == [v4], host
    assert all(is_public(ipaddress.IPv6Address(each)) for each in embedding(v4))
    assert is_public(ipaddress.IPv6Address("2606:2800:21f:cb07:6820:80da:af6b:8b2c"))


@given(number=st.integers(0, 2**32 - 1))
def test_a_number_is_read_as_the_operating_system_reads_it(number: int) -> None:
    v4 = str(ipaddress.IPv4Address(number))
    assert {str(ip_literal(host)) for host in notations(v4)} == {v4}


def resolved_to(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    """Every name has all of these addresses."""
    found = [(socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 0))
             for each in answers]  # fmt: skip
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


@pytest.mark.parametrize("bad", ["127.0.0.1", "10.0.0.7", "fec0::1", "::7f00:1", "64:ff9b:1::1", "fe80::1%eth0"])
@pytest.mark.parametrize("host", ["clips.example.com", "localhost.", "api.example.com"])
def test_one_private_address_of_a_name_is_enough(monkeypatch: pytest.MonkeyPatch, bad: str, host: str) -> None:
    resolved_to(monkeypatch, "93.184.216.34", bad)
    with pytest.raises(LinkNotAllowed, match="private network"):
        AWAY.resolve(httpx.URL(f"https://{host}/"))


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost.", "a.localhost", "db", "metadata.google.internal", "printer.local", "nas.lan",
     "x.home.arpa", "files.corp", "%31%32%37.0.0.1", "a\\b", "1.2.3.4.5", "300.1.1.1", "example.0x7f", "a_b..c"],
)  # fmt: skip
def test_a_name_that_is_for_private_networks_is_not_left_to_a_proxy(host: str) -> None:
    with pytest.raises((LinkNotAllowed, httpx.InvalidURL)):
        AWAY.check_unresolved(httpx.URL(f"https://{host}/"))


@pytest.mark.parametrize("host", ["clips.example.com", "xn--bcher-kva.example", "a_b.example.com.", "bücher.example"])
def test_a_name_of_the_internet_is_left_to_a_proxy(host: str) -> None:
    AWAY.check_unresolved(httpx.URL(f"https://{host}/"))


@pytest.mark.parametrize("host", ["１２７.0.0.1", "①27.0.0.1", "٠.1", "127.0.0.1%00.example.com"])
def test_digits_of_other_scripts_are_no_address(host: str) -> None:
    for check in (AWAY.resolve, AWAY.check_unresolved):
        with pytest.raises((LinkNotAllowed, httpx.InvalidURL, OSError)):
            check(httpx.URL(f"http://{host}/"))


def test_ideographic_dots_are_read_as_dots() -> None:
    with pytest.raises(LinkNotAllowed, match=r"127\.0\.0\.1"):
        AWAY.resolve(httpx.URL("http://127。0。0。1/"))


def test_the_own_name_of_a_service_is_trusted_only_if_the_user_chose_it(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved_to(monkeypatch, "10.0.0.7")
    link = httpx.URL("http://Gateway.lan./a.mp4")
    assert AllowedHosts("http://gateway.lan:8000").resolve(link) == ["10.0.0.7"]
    for service in SERVICES.values():
        by_default = service.adapter({service.key_variable: "k"})
        with pytest.raises(LinkNotAllowed):
            by_default.hosts.resolve(httpx.URL(f"{by_default.base}:6379/"))


# Uploads


@contextmanager
def store() -> Iterator[tuple[int, list[HttpRequest]]]:
    """A store on this machine: its port, and what it received."""
    received: list[HttpRequest] = []

    async def answer(one: HttpRequest) -> Reply:
        received.append(one)
        return Reply(200)

    listening = listening_socket()
    with serving((app(answer, lambda: 0.0), listening), background=asyncio.Event().wait):
        yield listening.getsockname()[1], received


async def send(address: str, hosts: AllowedHosts = AWAY) -> None:
    await upload_file("PUT", address, service="freepik", hosts=hosts, what="mira.png", content=b"secret picture")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.1.", "localhost", "localhost.",
             "[::ffff:127.0.0.1]", "user:pw@127.0.0.1", "store.example.com", "store.example.com."],
)  # fmt: skip
async def test_no_file_is_sent_to_this_machine_by_a_service_on_the_internet(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    if "example" in host or "localhost" in host:
        resolved_to(monkeypatch, "127.0.0.1")
    with store() as (port, received), pytest.raises(Terminal, match=r"private network|is no address") as refused:
        await send(f"http://{host}:{port}/a?Signature=hush")
    assert received == []
    assert "hush" not in str(refused.value) and "freepik" in str(refused.value)


@pytest.mark.parametrize("address", ["", "ftp://films.example/a", "file:///tmp/a", "//films.example/a", "http://", "h"])
async def test_an_upload_address_that_is_no_web_address_is_refused(address: str) -> None:
    with pytest.raises(Terminal, match=r"mira\.png was not sent"):
        await send(address)


async def test_a_file_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second look-up, which a name server may answer otherwise, does not happen."""
    answers = [["127.0.0.1"], ["127.0.0.2"]]

    def getaddrinfo(*_: object, **__: object) -> object:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 0)) for each in answers.pop(0)]

    with store() as (port, received):
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        await send(f"http://store.example.com:{port}/a", AllowedHosts("http://127.0.0.1:1"))
    assert len(answers) == 1
    assert [(one.headers["host"], one.body) for one in received] == [(f"store.example.com:{port}", b"secret picture")]


async def test_a_redirect_of_a_store_is_not_followed() -> None:
    with store() as (port, received):

        async def onward(_: HttpRequest) -> Reply:
            return Reply(307, headers=(("location", f"http://127.0.0.1:{port}/"),))

        listening = listening_socket()
        with serving((app(onward, lambda: 0.0), listening), background=asyncio.Event().wait):
            address = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            with pytest.raises(Transient, match="307"):
                await send(address, AllowedHosts(address))
    assert received == []


@pytest.mark.parametrize("name", ["dashscope", "freepik"])
@pytest.mark.parametrize(
    "host", ["http://10.0.0.8", "http://167772168/", "http://[fec0::1]", "http://[::a00:8]", "x:y"]
)
async def test_an_order_whose_files_may_not_be_sent_is_not_placed(name: str, host: str, tmp_path: Path) -> None:
    film = make_clip(tmp_path / "walk.mp4", frames=24, size="320x240")
    async with opened(SERVICES[name]) as (provider, emulator):
        emulator.uploads_url = host
        with pytest.raises(Terminal, match=r"walk\.mp4 was not sent"):
            await provider.submit(request(SERVICES[name], Mode.REFERENCE, references=(local(film, "video"),)))
    assert emulator.accepted == []
