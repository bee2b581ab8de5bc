"""What a player gives to a browser: films and takes by the links that runs have made, in parts, and nothing else."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from storyreel.flows.player.films import DeliverableRecord, note_film
from storyreel.flows.player.links import Links, PlayerRecord, answers
from storyreel.flows.player.running import playing
from storyreel.tasks.home import Home
from storyreel.tasks.storage.bucket import Bucket
from storyreel.testing.footage import speech
from tests.tasks.storage.test_pictures import encoded

CONTENT = os.urandom(3 << 20)
"""Longer than what is read at once."""


class Place:
    """A home with a player, and a browser."""

    def __init__(self, home: Home, said: list[str]) -> None:
        self.home, self.said = home, said
        self.browser = httpx.Client(timeout=30)

    @property
    def links(self) -> Links:
        return Links.of(self.home)

    def clip(self, content: bytes = CONTENT, slate: str = "1A") -> str:
        """The link to a clip that is put into the store."""
        with self.home.clips().arriving("x") as arrived:
            arrived.write_bytes(content)
            return self.links.take(self.home.clips().keep(arrived).digest, slate, 1)

    def film(self, file: Path | str, title: str = "The Keeper") -> str:
        """The link to a film that a run has delivered there."""
        return self.links.film(note_film(self.home, str(uuid4()), title, str(file)))


@contextmanager
def player_of(home: Home) -> Iterator[Place]:
    said: list[str] = []
    with playing(home, said.append):
        deadline = time.monotonic() + 60
        while not answers(home, PlayerRecord.of(home).port):
            assert time.monotonic() < deadline, said
            time.sleep(0.02)
        yield Place(home, said)


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with player_of(Home.of()) as made:
        yield made


def video(link: str) -> str:
    """The address of the file that a page plays."""
    page, _, signature = link.partition("?")
    return f"{page}.mp4?{signature}"


def test_a_page_plays_the_clip_of_a_take_and_says_which_it_is(place: Place) -> None:
    link = place.clip(slate="夜_1.B-2")
    page = place.browser.get(link)
    assert page.status_code == 200 and "<title>夜_1.B-2 take 1</title>" in page.text
    source = page.text.split('src="')[1].split('"')[0]
    played = place.browser.get(httpx.URL(link).join(source))
    assert played.content == CONTENT and played.headers["content-type"] == "video/mp4"
    assert hashlib.sha256(played.content).hexdigest() in link


def test_a_page_shows_the_picture_of_a_still_as_it_came(place: Place) -> None:
    for form, kind in (("PNG", "png"), ("JPEG", "jpeg"), ("WEBP", "webp")):
        picture = encoded(form)
        link = place.clip(picture, slate="1A@still")
        page = place.browser.get(link)
        assert page.status_code == 200 and "<title>1A@still take 1</title>" in page.text and "<video" not in page.text
        assert "img-src 'self'" in page.headers["content-security-policy"]
        source = httpx.URL(link).join(page.text.split('src="')[1].split('"')[0])
        shown = place.browser.get(source)
        assert shown.content == picture and shown.headers["content-type"] == f"image/{kind}"
        assert place.browser.get(source.copy_with(query=b"s=another")).status_code == 403


def test_a_page_plays_the_sound_of_a_line(place: Place) -> None:
    sound = speech("The light is out.", "Ethan", "1")
    link = place.clip(sound, slate="1A@line-1")
    page = place.browser.get(link)
    assert page.status_code == 200 and "<audio controls" in page.text and "<video" not in page.text
    assert "media-src 'self'" in page.headers["content-security-policy"]
    heard = place.browser.get(httpx.URL(link).join(page.text.split('src="')[1].split('"')[0]))
    assert heard.content == sound and heard.headers["content-type"] == "audio/wav"


def test_parts_are_sent_as_browsers_ask_for_them(place: Place) -> None:
    address = video(place.clip())
    whole = place.browser.get(address)
    tag, size = whole.headers["etag"], len(CONTENT)
    assert whole.status_code == 200 and whole.headers["accept-ranges"] == "bytes"

    part = place.browser.get(address, headers={"range": "bytes=1000000-2100000"})
    assert part.status_code == 206 and part.content == CONTENT[1_000_000:2_100_001]
    assert part.headers["content-range"] == f"bytes 1000000-2100000/{size}"
    end = place.browser.get(address, headers={"range": f"bytes={size - 5}-", "if-range": tag})
    assert end.status_code == 206 and end.content == CONTENT[-5:]
    other = place.browser.get(address, headers={"range": "bytes=5-", "if-range": '"other"'})
    assert other.status_code == 200 and other.content == CONTENT
    beyond = place.browser.get(address, headers={"range": f"bytes={size}-"})
    assert beyond.status_code == 416 and beyond.headers["content-range"] == f"bytes */{size}"
    known = place.browser.get(address, headers={"if-none-match": tag})
    assert known.status_code == 304 and known.content == b""

    head = place.browser.head(address, headers={"range": "bytes=0-99"})
    assert (head.status_code, head.headers["content-length"], head.content) == (206, "100", b"")
    assert place.browser.post(address).status_code == 405


def test_a_film_is_played_with_its_subtitles(place: Place, tmp_path: Path) -> None:
    film = tmp_path / "out" / "sequence.mp4"
    film.parent.mkdir()
    film.write_bytes(CONTENT)
    link = place.film(film, "<Keeper> & Son")
    page = place.browser.get(link).text
    assert "&lt;Keeper&gt; &amp; Son" in page and "<track" not in page
    assert place.browser.get(video(link)).content == CONTENT

    film.with_suffix(".srt").write_text("1\n00:00:01,500 --> 00:00:02,000\nAna: <no> & yes\n")
    page = place.browser.get(link).text
    track = page.split('<track kind="subtitles" label="dialogue" src="')[1].split('"')[0].replace("&amp;", "&")
    subtitles = place.browser.get(httpx.URL(link).join(track))
    assert subtitles.headers["content-type"].startswith("text/vtt")
    assert subtitles.text == "WEBVTT\n\n1\n00:00:01.500 --> 00:00:02.000\nAna: &lt;no&gt; &amp; yes\n"


def test_a_film_is_played_with_its_subtitles_in_every_language(place: Place, tmp_path: Path) -> None:
    film = tmp_path / "sequence.mp4"
    film.write_bytes(CONTENT)
    for name in ("srt", "fr.srt", "de.srt"):
        film.with_name(f"sequence.{name}").write_text(f"1\n00:00:01,500 --> 00:00:02,000\n{name}\n")
    noted = note_film(place.home, str(uuid4()), "Film", str(film), ["en", "fr"])
    link = place.links.film(noted)
    page = place.browser.get(link).text
    tracks = re.findall(r'<track kind="subtitles" label="(.*?)" srclang="(.*?)" src="(.*?)"( default)?>', page)
    assert [(label, tag, shown) for label, tag, _, shown in tracks] == [
        ("English", "en", " default"),
        ("Français", "fr", ""),
    ]
    found = [place.browser.get(httpx.URL(link).join(source.replace("&amp;", "&"))).text for _, _, source, _ in tracks]
    assert [text.splitlines()[-1] for text in found] == ["srt", "fr.srt"]
    assert place.browser.get(link.replace("?", ".de.vtt?")).status_code == 404, "it is of another film"
    noted = note_film(place.home, str(uuid4()), "Film", str(film), ["en", "fr"], has_words=True)
    assert " default" not in place.browser.get(place.links.film(noted)).text


def test_the_page_of_a_film_has_its_deliverables_as_they_were_delivered(place: Place, tmp_path: Path) -> None:
    film, web, edit = (tmp_path / name for name in ("sequence.mp4", "web.mp4", "edit.mov"))
    for number, file in enumerate((film, web, edit)):
        file.write_bytes(CONTENT[number:])
    made = [
        DeliverableRecord(name="web", place=str(web), about="1080×1920, 25 fps, h264"),
        DeliverableRecord(name="edit", place=str(edit), about="1920×1080, prores", is_playable=False),
        DeliverableRecord(name="lost", place=str(tmp_path / "lost.mp4"), about=""),
    ]
    link = place.links.film(note_film(place.home, str(uuid4()), "Film", str(film), (), made))
    rows = re.findall(r"<li>(.*?)</li>", place.browser.get(link).text)
    assert [re.sub("<.*?>", "", row) for row in rows] == [
        "web · 1080×1920, 25 fps, h264 · play · download",
        "edit · 1920×1080, prores · download",
    ]
    played, loaded, only_loaded = (
        place.browser.get(httpx.URL(link).join(address)) for address in re.findall('href="(.*?)"', "".join(rows))
    )
    assert "<title>Film: web</title>" in played.text
    again = place.browser.get(played.url.join(played.text.split('src="')[1].split('"')[0]))
    assert loaded.content == again.content == CONTENT[1:]
    assert only_loaded.content == CONTENT[2:] and only_loaded.headers["content-type"] == "video/quicktime"
    for address in (loaded.url, played.url):
        assert place.browser.get(address.copy_with(query=b"s=another")).status_code == 403
    web.write_bytes(CONTENT)
    assert place.browser.get(loaded.url).status_code == 410, "a later run has made it again"
    assert "web" not in place.browser.get(link).text
    assert place.browser.get(link.replace("?", "/other?")).status_code == 404


def test_a_deliverable_is_played_with_its_own_subtitles_and_else_with_those_of_the_film(
    place: Place, tmp_path: Path
) -> None:
    film, web, clean = (tmp_path / name for name in ("sequence.mp4", "deliverables/web.mp4", "deliverables/clean.mp4"))
    web.parent.mkdir()
    for file in (film, web, clean):
        file.write_bytes(CONTENT)
    beside = ("sequence.srt", "sequence.fr.srt", "deliverables/web.fr.srt", "deliverables/web.de.srt")
    for name in beside:
        (tmp_path / name).write_text(f"1\n00:00:01,500 --> 00:00:02,000\n{name}\n")
    made = [
        DeliverableRecord(
            name="web", place=str(web), about="", languages=("en", "fr"), subtitles=("web.fr.srt",), has_words=True
        ),
        DeliverableRecord(name="clean", place=str(clean), about=""),
    ]
    link = place.links.film(note_film(place.home, str(uuid4()), "Film", str(film), ("en", "fr"), made))
    page = httpx.URL(link.replace("?", "/web?"))
    tracks = re.findall(r'srclang="(.*?)" src="(.*?)"( default)?>', place.browser.get(page).text)
    assert [(tag, shown) for tag, _, shown in tracks] == [("en", ""), ("fr", "")], "they are in its picture"
    found = [place.browser.get(page.join(source.replace("&amp;", "&"))) for _, source, _ in tracks]
    assert [each.text.splitlines()[-1] for each in found] == ["sequence.srt", "deliverables/web.fr.srt"]
    assert place.browser.get(link.replace("?", "/web.de.vtt?")).status_code == 404, "of an earlier run"
    assert "<track" not in place.browser.get(link.replace("?", "/clean?")).text
    film.write_bytes(CONTENT[1:])
    assert 'srclang="en"' not in place.browser.get(page).text, "they are of another film"
    assert 'srclang="fr"' in place.browser.get(page).text


def test_a_film_that_was_replaced_or_has_gone_is_not_played_as_another(place: Place, tmp_path: Path) -> None:
    film = tmp_path / "sequence.mp4"
    film.write_bytes(CONTENT)
    first = place.film(film)
    film.unlink()
    gone = place.browser.get(first)
    assert gone.status_code == 404 and f"not at {film} any more" in gone.text
    film.write_bytes(CONTENT[::-1])
    second = place.film(film)
    film.with_suffix(".srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nAna: of the second one\n")
    for address in (first, video(first), first.replace("?", ".vtt?")):
        replaced = place.browser.get(address)
        assert replaced.status_code == 410 and "A later run has replaced this film" in replaced.text
    assert place.browser.get(video(second)).content == CONTENT[::-1]


def test_a_film_of_another_machine_is_told_where_it_is(place: Place, tmp_path: Path) -> None:
    film = tmp_path / "sequence.mp4"
    film.write_bytes(CONTENT)
    record = note_film(place.home, str(uuid4()), "The Keeper", str(film))
    assert record
    elsewhere = record.model_copy(update={"host": "worker-7", "place": "/srv/films/sequence.mp4"})
    (place.home.root / "film-records" / f"{record.run}.json").write_text(elsewhere.model_dump_json())
    told = place.browser.get(place.links.film(elsewhere))
    assert told.status_code == 404 and "on a disk of worker-7" in told.text


@pytest.mark.parametrize("remote", ["s3", "a mounted disk"])
def test_what_is_only_in_the_bucket_is_played_from_there(
    remote: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = request.getfixturevalue("bucket") if remote == "s3" else f"file://{tmp_path}/shared"
    monkeypatch.setenv("STORYREEL_CLIPS_URL", bucket)
    digest = hashlib.sha256(CONTENT).hexdigest()
    Bucket(bucket).write(f"{digest[:2]}/{digest}.mp4", CONTENT)
    films = Bucket(f"{bucket.rstrip('/')}/out")
    films.write("sequence.mp4", CONTENT)
    films.write("sequence.srt", b"1\n00:00:00,000 --> 00:00:01,000\nAna: yes\n")
    worker = Home.of({**os.environ, "STORYREEL_HOME": str(tmp_path / "worker")})
    film = note_film(worker, str(uuid4()), "The Keeper", films.address("sequence.mp4"))
    assert film

    with player_of(Home.of()) as place:
        for link in (place.links.take(digest, "1A", 1), place.links.film(film)):
            assert place.browser.get(link).status_code == 200
            part = place.browser.get(video(link), headers={"range": "bytes=2000000-2999999"})
            assert part.status_code == 206 and part.content == CONTENT[2_000_000:3_000_000]
        assert "<track" in place.browser.get(place.links.film(film)).text
        films.write("sequence.mp4", CONTENT[:-1])
        assert place.browser.get(video(place.links.film(film))).status_code == 410
    assert not (place.home.root / "clips" / digest[:2]).exists(), "it is streamed, not stored"


def test_a_bucket_that_does_not_answer_is_told(
    bucket: str, away: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORYREEL_CLIPS_URL", bucket)
    with player_of(Home.of()) as place:
        away()
        told = place.browser.get(place.links.take("0" * 64, "1A", 1))
    assert told.status_code == 502 and "STORYREEL_CLIPS_URL (s3://films/" in told.text and "Traceback" not in told.text


def test_only_what_a_link_was_made_for_is_given(place: Place, tmp_path: Path) -> None:
    """Not another clip by its digest, nor a film by its run, nor any path, whoever knows them."""
    link, other = place.clip(), place.clip(b"another", "1B")
    film = tmp_path / "sequence.mp4"
    film.write_bytes(CONTENT)
    of_film = place.film(film)
    signature = link.partition("?s=")[2]
    for address in (
        other.partition("?")[0],
        f"{other.partition('?')[0]}?s={signature}",
        f"{of_film.partition('?')[0]}?s={signature}",
        of_film.partition("?")[0] + ".vtt",
        link.replace("/1A-1", "/1B-1"),
        link[:-1] + ("A" if link[-1] != "A" else "B"),
        link.replace("?s=", "?s=%00"),
        link.replace("?s=", "?s=é"),
        f"{place.links.base}/film/{uuid4()}?s={signature}",
    ):
        assert place.browser.get(address).status_code == 403, address
    (place.home.root / "film-records" / "x.json").write_text("{}")
    for path in (
        f"/take/{'a' * 63}/../../player.key", "/take/..%2F..%2Fplayer.key/x", "/film/..%2F..%2Fplayer.key.mp4",
        "/film/x", "/player.key", "//etc/passwd", "/film/%2Fetc%2Fpasswd", "/", "/take/x",
    ):  # fmt: skip
        assert _raw(place, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").split()[1] in (
            b"403", b"404",
        ), path  # fmt: skip


def test_a_record_that_was_altered_leads_nowhere(place: Place, tmp_path: Path) -> None:
    """A film's link is signed with its place: who may write into a shared bucket cannot have other files sent."""
    film = tmp_path / "sequence.mp4"
    film.write_bytes(CONTENT)
    record = note_film(place.home, str(uuid4()), "The Keeper", str(film))
    assert record
    altered = record.model_copy(update={"place": str(place.home.root / "player.key")})
    (place.home.root / "film-records" / f"{record.run}.json").write_text(altered.model_dump_json())
    assert place.browser.get(place.links.film(record)).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:4210", "127.0.0.1.evil.example", "[::2]", "[", ""])
def test_a_name_that_was_made_to_lead_here_is_refused(place: Place, host: str) -> None:
    """A page whose name an attacker points at this machine cannot read films with the browser of its visitor."""
    answer = place.browser.get(place.clip(), headers={"host": host})
    assert answer.status_code in (400, 421) and CONTENT not in answer.content


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9999", "[::1]:4210", "films.example"])
def test_its_own_names_are_known_also_behind_a_proxy(home: Path, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORYREEL_PLAYER_URL", "https://films.example/play")
    with player_of(Home.of()) as place:
        link = place.clip()
        assert link.startswith("https://films.example/play/take/")
        here = f"http://127.0.0.1:{PlayerRecord.of(place.home).port}" + link.removeprefix("https://films.example/play")
        page = place.browser.get(here, headers={"host": host})
        source = page.text.split('src="')[1].split('"')[0]
    assert page.status_code == 200
    assert str(httpx.URL(link).join(source)).startswith(link.partition("?")[0] + ".mp4?s="), "below the proxy's path"


def test_pages_load_nothing_from_elsewhere_and_tell_no_address(place: Place) -> None:
    for address in (place.clip(), video(place.clip()), f"{place.links.base}/nothing"):
        headers = place.browser.get(address).headers
        assert headers["referrer-policy"] == "no-referrer" and headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'; media-src 'self'")
        assert "access-control-allow-origin" not in headers and "server" not in headers


def test_many_watch_at_once_some_without_going_on(place: Place) -> None:
    """Paused browsers read nothing more of what they asked for, and keep nobody else from watching."""
    link = place.clip(os.urandom(24 << 20))
    paused = [_ask(place, video(link)) for _ in range(60)]
    silent = [socket.create_connection(("127.0.0.1", urlsplit(link).port or 0)) for _ in range(20)]
    with ThreadPoolExecutor(8) as watching:
        parts = list(watching.map(lambda n: _part(place, link, n), range(24)))
    assert [len(part) for part in parts] == [1 << 20] * 24
    for connection in (*paused, *silent):
        connection.close()
    assert place.browser.get(link).status_code == 200 and place.said == []


def test_a_file_that_ends_too_soon_ends_the_connection(place: Place) -> None:
    """The browser notices that something is missing, and can ask again; the player says why."""
    address = video(place.clip(os.urandom(40 << 20)))
    with place.browser.stream("GET", address) as answer:
        blocks = answer.iter_bytes(1 << 16)
        next(blocks)
        digest = urlsplit(address).path.split("/")[2]
        os.truncate(place.home.root / "clips" / digest[:2] / f"{digest}.mp4", 1 << 20)
        with pytest.raises(httpx.RemoteProtocolError):
            for _ in blocks:
                pass
    assert len(place.said) == 1 and place.said[0].endswith("could not be sent whole: the file has become shorter")


def _ask(place: Place, address: str) -> socket.socket:
    """A connection that has asked for a file and reads nothing of it."""
    parts = urlsplit(address)
    connection = socket.create_connection(("127.0.0.1", parts.port or 0))
    connection.sendall(f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return connection


def _part(place: Place, link: str, number: int) -> bytes:
    start = number << 20
    with httpx.Client(timeout=60) as browser:
        return browser.get(video(link), headers={"range": f"bytes={start}-{start + (1 << 20) - 1}"}).content


def _raw(place: Place, request: str) -> bytes:
    """The answer to a request as it is written."""
    with socket.create_connection(("127.0.0.1", PlayerRecord.of(place.home).port)) as connection:
        connection.sendall(request.encode())
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))
