"""A storyboard on a web server: redirects pass the gate, and no more is stored than was asked for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from storyreel.flows.packs import PackError, fetch_storyboard, read_film
from storyreel.specs.problems.problem import StoryboardError
from storyreel.tasks.home import Home
from storyreel.tasks.providers.http.web_folder import WebFolder
from storyreel.tasks.storage.bucket import BucketError, BucketUnavailable, BucketUnusable, FileTooLarge
from storyreel.testing.wire import HttpRequest, Reply, app, listening_socket, serving

FILM = "storyboard: 1\ntitle: Away\nshots: [{shot: 1A, action: A., first_frame: NAME}]\n"


@contextmanager
def server(answer: Callable[[HttpRequest], Reply]) -> Iterator[tuple[str, list[HttpRequest]]]:
    """A web server on this machine: its address, and what it was asked."""
    asked: list[HttpRequest] = []

    async def reply(received: HttpRequest) -> Reply:
        asked.append(received)
        return answer(received)

    listening = listening_socket()
    with serving((app(reply, lambda: 0.0), listening), background=asyncio.Event().wait):
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked


def files(**content: bytes) -> Callable[[HttpRequest], Reply]:
    """Replies with files by their names, dots as underscores; 404 for others."""
    named = {f"/films/{name.replace('_', '.')}": each for name, each in content.items()}
    return lambda received: Reply(200, named[received.path]) if received.path in named else Reply(404)


def onward(to: str) -> Callable[[HttpRequest], Reply]:
    return lambda received: Reply(302, headers=(("location", to),))


@pytest.fixture
def away(tmp_path: Path) -> Home:
    return Home(root=tmp_path / "away", ledger_url="")


def resolving(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], str]) -> None:
    """Names have the addresses that a test gives."""
    true = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        if "example" in str(host):
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer(), port or 0))]
        return true(host, port, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """`films.example` is this machine, as the public host of a storyboard would be; a rebinding name as well."""
    resolving(monkeypatch, lambda: "127.0.0.1")


def test_a_storyboard_on_a_web_server_comes_with_the_pictures_beside_it(away: Home, tmp_path: Path) -> None:
    Image.new("RGB", (320, 240), "teal").save(tmp_path / "a.png")
    picture = (tmp_path / "a.png").read_bytes()
    film = FILM.replace("NAME", "./a.png").encode()
    with server(files(film_yaml=film, a_png=picture)) as (address, asked):
        board = read_film(f"{address}/films/film.yaml?Signature=hush", home=away)
        assert Path(board.resolve("a.png")).read_bytes() == picture
        assert [one.path for one in asked] == ["/films/film.yaml", "/films/a.png"]
        (away.root / "x").mkdir()
        with pytest.raises(PackError, match=r"/films/other\.yaml:1:1: there is no such file"):
            fetch_storyboard(f"{address}/films/other.yaml", away)


@pytest.mark.parametrize("name", ["../x.png", "%2e%2e/x.png", "//127.0.0.1:1/x.png", "x::file:///etc/x", "/x.png"])
def test_it_asks_for_nothing_but_what_is_beside_it(away: Home, name: str) -> None:
    with server(files(film_yaml=FILM.replace("NAME", f"'{name}'").encode())) as (address, asked):
        with pytest.raises(StoryboardError, match=r"films/film\.yaml:3:\d+: `.*` is not beside the storyboard"):
            fetch_storyboard(f"{address}/films/film.yaml", away)
        assert len(asked) == 1


@pytest.mark.parametrize("film", [b"storyboard: \xff", b"a: [", b"storyboard: 1\ntitle: t\nshots: []\n", b"- 1\n"])
def test_what_is_wrong_with_it_is_told_of_its_address(away: Home, film: bytes) -> None:
    with server(files(film_yaml=film)) as (address, _), pytest.raises(StoryboardError) as refused:
        read_film(f"{address}/films/film.yaml", home=away)
    assert {problem.position.file for problem in refused.value.problems} == {f"{address}/films/film.yaml"}
    assert refused.value.next == f"storyreel validate {address}/films/film.yaml"


@pytest.mark.usefixtures("named")
def test_a_redirect_of_a_public_host_does_not_lead_to_this_machine(away: Home, tmp_path: Path) -> None:
    with server(files(film_yaml=b"storyboard: 1")) as (inside, asked):
        for to in (f"{inside}/films/film.yaml", inside.replace("127.0.0.1", "2130706433"), "http://10.0.0.7/",
                   "http://[::ffff:127.0.0.1]/", "http://169.254.169.254/latest/", "file:///etc/passwd",
                   inside.replace("127.0.0.1", "rebound.example")):  # fmt: skip
            with server(onward(to)) as (address, _), pytest.raises(BucketUnusable, match=r"redirects film\.yaml to"):
                fetch_storyboard(f"{address.replace('127.0.0.1', 'films.example')}/films/film.yaml", away)
        assert asked == []


def test_the_name_of_a_public_host_does_not_lead_to_this_machine_later(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A name server may answer otherwise from one look-up to the next."""
    answers = ["93.184.216.34", "127.0.0.1"]
    resolving(monkeypatch, lambda: answers.pop(0))
    with server(files(a_png=b"here")) as (address, asked):
        folder = WebFolder(f"{address.replace('127.0.0.1', 'films.example')}/films")
        with pytest.raises(BucketUnusable, match="private network"):
            folder.get("a.png", tmp_path / "a.png", 10)
    assert asked == [] and answers == []


def test_a_redirect_carries_no_password(tmp_path: Path) -> None:
    with server(files(a_png=b"here")) as (there, asked), server(onward(f"{there}/films/a.png")) as (address, first):
        WebFolder(address.replace("http://", "http://user:pw@")).get("a.png", tmp_path / "a.png", 10)
    assert (tmp_path / "a.png").read_bytes() == b"here"
    assert "authorization" in first[0].headers and "authorization" not in asked[0].headers


def test_a_redirect_in_circles_ends(tmp_path: Path) -> None:
    with server(onward("/films/a.png")) as (address, asked), pytest.raises(BucketUnusable, match="circles"):
        WebFolder(address).get("a.png", tmp_path / "a.png", 10)
    assert len(asked) == 5


@pytest.mark.parametrize("says", [True, False])
def test_no_more_is_stored_than_was_asked_for(tmp_path: Path, says: bool) -> None:
    """Whether the server says how long a file is, or sends one that does not end."""

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = b"content-length: 600000000" if says else b"transfer-encoding: chunked"
        writer.write(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
            try:
                await writer.drain()
            except ConnectionError:
                return

    async def fetch() -> None:
        listening = await asyncio.start_server(endless, "127.0.0.1", 0)
        async with listening:
            folder = WebFolder(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
            with pytest.raises(FileTooLarge, match="are read"):
                await asyncio.to_thread(folder.get, "a.png", tmp_path / "a.png", 1_000_000)

    asyncio.run(fetch())
    assert not (tmp_path / "a.png").exists() or (tmp_path / "a.png").stat().st_size <= 1_000_000


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, BucketUnusable), (403, BucketUnusable), (500, BucketUnavailable), (206, BucketUnavailable)],
)
def test_other_answers_are_told(tmp_path: Path, status: int, kind: type[BucketError]) -> None:
    with server(lambda _: Reply(status)) as (address, _), pytest.raises(kind, match=str(status)):
        WebFolder(address).get("a.png", tmp_path / "a.png", 10)


def test_a_server_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with pytest.raises(BucketUnavailable, match="did not give"):
        WebFolder("http://127.0.0.1:1").get("a.png", tmp_path / "a.png", 10)
    with pytest.raises(BucketUnusable, match="valid address"):
        WebFolder("http://h:port").get("a.png", tmp_path / "a.png", 10)


@pytest.mark.parametrize("name", ["a b.png", "é.png", "a#1.png", "a%20b.png", "x?y=1"])
def test_a_name_is_asked_for_below_the_folder(tmp_path: Path, name: str) -> None:
    with server(lambda _: Reply(200, b"1")) as (address, asked):
        WebFolder(f"{address}/films/").get(name, tmp_path / "x", 10)
    assert asked[0].path.startswith("/films/") and httpx.URL(address).netloc.decode() == asked[0].headers["host"]
