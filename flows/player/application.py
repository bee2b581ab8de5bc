"""The ASGI application of a player: pages with a video, a still or speech, and the file itself, whole or in parts."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storyreel.flows.player import pages
from storyreel.flows.player.films import DeliverableRecord, FilmRecord, delivered_medium, find_film
from storyreel.flows.player.links import HEALTH, sign
from storyreel.flows.player.media import Medium, clip_medium, medium_at
from storyreel.flows.player.ranges import requested_part
from storyreel.specs.errors import StoryreelError
from storyreel.specs.file_kind import IMAGES, MP4, VIDEOS, VOICES
from storyreel.specs.problems.phrases import shown
from storyreel.specs.storyboard import is_remote
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.owner import this_process
from storyreel.tasks.storage.bucket import BucketError

Report = Callable[[str], None]

_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST_SUBTITLES = 4 << 20
"""Bytes."""
_WRONG_HOST = (
    "This player is not known by the address that was asked. Set STORYREEL_PLAYER_URL to its public address where it "
    "runs and where films are rendered."
)
_HEADERS = {
    "content-security-policy": "default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""A page loads nothing but its video or still, and sends its signed address nowhere."""


class _Refused(StoryreelError):
    """A request is not answered with a film; `status` says why."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        self.status = status
        super().__init__(message)


class _CutShort(Exception):
    """A file cannot be sent to its end, and its answer has begun: nothing can be said but by closing the connection."""


class Player:
    """Answers requests for what the links of a home lead to."""

    def __init__(self, home: Home, secret: bytes, report: Report) -> None:
        self._home, self._clips, self._secret, self._report = home, home.clips(), secret, report

    async def health(self, _request: Request) -> Response:
        """Name the home of this player to a caller that knows its secret."""
        return JSONResponse({"player": sign(self._secret, HEALTH)})

    async def take_page(self, request: Request) -> Response:
        """The page of a take."""
        digest, name = request.path_params["digest"], request.path_params["name"]
        self._check(request, _take_path(request))
        medium = await self._clip(digest)
        if medium is None:
            raise _no_clip(digest)
        slate, _, take = name.rpartition("-")
        picture, sound = medium.is_picture, medium.is_sound
        page = pages.still_page if picture else pages.speech_page if sound else pages.take_page
        return HTMLResponse(page(f"{slate} take {take}", _source(request, name, medium.suffix)))

    async def take_file(self, request: Request) -> Response:
        """The clip of a take, the picture of a still, or the sound of a line."""
        digest = request.path_params["digest"]
        self._check(request, _take_path(request))
        medium = await self._clip(digest)
        if medium is None:
            raise _no_clip(digest)
        return self._answer(request, medium, "private, max-age=31536000, immutable")

    async def film_page(self, request: Request) -> Response:
        """The page of a film."""
        film = await self._film(request)
        await self._delivered(film)
        subtitles = await self._subtitles(film, "")
        tracks = [
            pages.Track(_source(request, film.run, f"{suffix}.vtt"), language, number == 0 and not film.has_words)
            for number, language in enumerate(film.languages or ("",) if subtitles else ())
            for suffix in (f".{language}" if number else "",)
        ]
        deliverables = [
            pages.Deliverable(
                each.name,
                each.about,
                f"{film.run}/{_source(request, each.name, '')}" if each.is_playable else "",
                f"{film.run}/{_source(request, each.name, _suffix_of(each))}",
            )
            for each in film.deliverables
            if await asyncio.to_thread(delivered_medium, each)
        ]
        return HTMLResponse(pages.film_page(film.title, _source(request, film.run, ".mp4"), tracks, deliverables))

    async def film_video(self, request: Request) -> Response:
        """The sequence of a film."""
        return self._answer(request, await self._delivered(await self._film(request)), "private, no-cache")

    async def deliverable_page(self, request: Request) -> Response:
        """The page of a deliverable."""
        film, found = await self._deliverable(request)
        await self._delivered(film, found)
        tracks = [
            pages.Track(
                _source(request, found.name, f".{language}.vtt" if language else ".vtt"),
                language,
                number == 0 and not found.has_words,
            )
            for number, language in enumerate(found.languages)
            if await self._subtitles(film, language, found)
        ]
        source = _source(request, found.name, _suffix_of(found))
        return HTMLResponse(pages.film_page(f"{film.title}: {found.name}", source, tracks))

    async def deliverable_file(self, request: Request) -> Response:
        """The file of a deliverable."""
        film, found = await self._deliverable(request)
        return self._answer(request, await self._delivered(film, found), "private, no-cache")

    async def film_subtitles(self, request: Request) -> Response:
        """The subtitles of a film, as browsers read them."""
        film = await self._film(request)
        await self._delivered(film)  # Those beside another film are not this one's.
        language = request.path_params.get("language", "")
        if language and language not in film.languages[1:]:
            raise _Refused(HTTPStatus.NOT_FOUND, "The film has no subtitles in this language.")
        return await _as_webvtt(await self._subtitles(film, language))

    async def deliverable_subtitles(self, request: Request) -> Response:
        """The subtitles of a deliverable, as browsers read them."""
        film, found = await self._deliverable(request)
        await self._delivered(film, found)
        language = request.path_params.get("language", "")
        if language not in found.languages:
            raise _Refused(HTTPStatus.NOT_FOUND, "The deliverable has no subtitles in this language.")
        return await _as_webvtt(await self._subtitles(film, language, found))

    async def _subtitles(
        self, film: FilmRecord, language: str, deliverable: DeliverableRecord | None = None
    ) -> Medium | None:
        """The subtitles of a film or deliverable in a language, empty for the film's own; None if there are none.

        A deliverable without a file of its own has those of the film, unless another film is there now.
        """
        ending = f".{language}.srt" if language and language not in film.languages[:1] else ".srt"
        if deliverable:
            beside = PurePosixPath(deliverable.place).with_suffix(ending).name
            if beside in deliverable.subtitles:
                return await asyncio.to_thread(medium_at, _beside(deliverable.place, beside))
            if not await asyncio.to_thread(delivered_medium, film):
                return None
        return await asyncio.to_thread(medium_at, _beside(film.place, f"sequence{ending}"))

    def _check(self, request: Request, path: str, subject: str = "") -> None:
        """Return if the request has the signature of a link. Raises _Refused."""
        given = request.query_params.get("s", "")
        if not hmac.compare_digest(given.encode(), sign(self._secret, path, subject).encode()):
            raise _Refused(
                HTTPStatus.FORBIDDEN,
                "No run of this player has made this address. Open the link on the page of the run. On several hosts, "
                "STORYREEL_PLAYER_SECRET must be the same where films are rendered and where the player runs.",
            )

    async def _clip(self, digest: str) -> Medium | None:
        return await asyncio.to_thread(clip_medium, self._clips, digest) if _DIGEST.fullmatch(digest) else None

    async def _film(self, request: Request) -> FilmRecord:
        run = request.path_params["run"]
        film = await asyncio.to_thread(find_film, self._home, run)
        # Whether a run has a film is said only to those who have its link, which is signed with the film's place.
        self._check(request, f"film/{run}", film.place if film else "")
        if film is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "Nothing is known here of a film of this run.")
        return film

    async def _deliverable(self, request: Request) -> tuple[FilmRecord, DeliverableRecord]:
        film, name = await self._film(request), request.path_params["name"]
        found = next((each for each in film.deliverables if each.name == name), None)
        if found is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "The run has made no such deliverable of its film.")
        return film, found

    async def _delivered(self, film: FilmRecord, deliverable: DeliverableRecord | None = None) -> Medium:
        """The file of a film, or of its deliverable. Raises _Refused."""
        record = deliverable or film
        medium = await asyncio.to_thread(delivered_medium, record)
        if medium:
            return medium
        if await asyncio.to_thread(medium_at, record.place):
            raise _Refused(
                HTTPStatus.GONE,
                f"A later run has replaced this film: {record.place} is another one now. Its run plays it.",
            )
        if is_remote(record.place) or film.host == this_process().name:
            message = f"The film is not at {record.place} any more, where it was delivered."
        else:
            message = f"The film is on a disk of {film.host}, which this player has not; --out s3://… is for all."
        raise _Refused(HTTPStatus.NOT_FOUND, message)

    def _answer(self, request: Request, medium: Medium, caching: str) -> Response:
        tag = f'"{hashlib.sha256(medium.version.encode()).hexdigest()[:24]}"'
        part = requested_part(request.headers, medium.size, tag)
        headers = {"accept-ranges": "bytes", "etag": tag, "cache-control": caching}
        if part.status == HTTPStatus.NOT_MODIFIED:
            return Response(status_code=part.status, headers=headers)
        if part.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return Response(status_code=part.status, headers={**headers, "content-range": f"bytes */{medium.size}"})
        headers |= {"content-length": str(part.end - part.start), "content-type": medium.media_type}
        if part.status == HTTPStatus.PARTIAL_CONTENT:
            headers["content-range"] = f"bytes {part.start}-{part.end - 1}/{medium.size}"
        if request.method == "HEAD":
            return Response(status_code=part.status, headers=headers)
        return StreamingResponse(self._reported(request, medium.part(part.start, part.end)), part.status, headers)

    async def _reported(self, request: Request, blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The blocks; an error ends the connection, by which the caller knows that something is missing."""
        try:
            async for block in blocks:
                yield block
        except (BucketError, OSError) as error:
            self._report(f"{request.url.path} could not be sent whole: {error}")
            raise _CutShort from error


def application(home: Home, secret: bytes, hosts: Collection[str], report: Report) -> ASGIApp:
    """The application of a home's player, for requests whose `Host` names one of `hosts`.

    `report` takes lines about what could not be sent.
    """
    player = Player(home, secret, report)

    async def fault(_request: Request, error: Exception) -> Response:
        if not isinstance(error, _CutShort):
            report(f"a bug in storyreel: {type(error).__name__}: {shown(error)}")
        return _page(HTTPStatus.INTERNAL_SERVER_ERROR, "This is a fault of the player's own; its log says more.")

    routes = [
        Route(HEALTH, player.health),
        *(Route(f"/take/{{digest}}/{{name}}{kind.suffix}", player.take_file) for kind in (MP4, *IMAGES, *VOICES)),
        Route("/take/{digest}/{name}", player.take_page),
        Route("/film/{run}.mp4", player.film_video),
        Route("/film/{run}.{language}.vtt", player.film_subtitles),
        Route("/film/{run}.vtt", player.film_subtitles),
        Route("/film/{run}", player.film_page),
        *(Route(f"/film/{{run}}/{{name}}{kind.suffix}", player.deliverable_file) for kind in VIDEOS),
        Route("/film/{run}/{name}.{language}.vtt", player.deliverable_subtitles),
        Route("/film/{run}/{name}.vtt", player.deliverable_subtitles),
        Route("/film/{run}/{name}", player.deliverable_page),
    ]
    handlers: dict[Any, Callable[[Request, Any], Awaitable[Response]]] = {
        _Refused: _refuse, BucketError: _bucket_failed, OSError: _disk_failed, 404: _unknown,
        Exception: fault,
    }  # fmt: skip
    return _Guard(Starlette(routes=routes, exception_handlers=handlers), frozenset(hosts))


class _Guard:
    """Refuses requests to another host's name, as a page sends them whose name was made to lead here; adds headers."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if _host_of(scope) not in self._hosts:
            refused = _page(HTTPStatus.MISDIRECTED_REQUEST, _WRONG_HOST)
            await refused(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _host_of(scope: Scope) -> str:
    """The host's name of a request without its port, which differs behind a proxy or a tunnel."""
    given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    try:
        return urlsplit(f"//{given}").hostname or ""
    except ValueError:
        return ""


def _take_path(request: Request) -> str:
    return f"take/{request.path_params['digest']}/{quote(request.path_params['name'], safe='')}"


def _source(request: Request, name: str, suffix: str) -> str:
    """The address of what a page plays, relative to the page, which may be behind a proxy that adds to its path."""
    return f"{quote(name, safe='')}{suffix}?s={quote(request.query_params.get('s', ''))}"


def _suffix_of(deliverable: DeliverableRecord) -> str:
    return PurePosixPath(deliverable.place).suffix


def _beside(place: str, name: str) -> str:
    """The path or address of another file in the folder of one."""
    folder, separator, _ = place.rpartition("/")
    return f"{folder}{separator}{name}"


async def _as_webvtt(subtitles: Medium | None) -> Response:
    """Subtitles as browsers read them. Raises _Refused if there are none."""
    if subtitles is None or subtitles.size > _MOST_SUBTITLES:
        raise _Refused(HTTPStatus.NOT_FOUND, "There are no subtitles.")
    text = b"".join([block async for block in subtitles.part(0, subtitles.size)]).decode(errors="replace")
    return Response(pages.webvtt(text), media_type="text/vtt", headers={"cache-control": "private, no-cache"})


def _no_clip(digest: str) -> _Refused:
    return _Refused(
        HTTPStatus.NOT_FOUND,
        f"The clip {digest[:12]} is neither on this machine nor in its bucket. If another host made it, set "
        "STORYREEL_CLIPS_URL there and here.",
    )


def _page(status: int, message: str) -> Response:
    return HTMLResponse(pages.message_page(HTTPStatus(status).phrase, message), status, _HEADERS)


async def _refuse(_request: Request, error: _Refused) -> Response:
    return _page(error.status, error.message)


async def _bucket_failed(_request: Request, error: BucketError) -> Response:
    return _page(HTTPStatus.BAD_GATEWAY, error.message)


async def _disk_failed(_request: Request, error: OSError) -> Response:
    return _page(HTTPStatus.INTERNAL_SERVER_ERROR, f"The file cannot be read: {error.strerror or error}")


async def _unknown(_request: Request, _error: Exception) -> Response:
    return _page(HTTPStatus.NOT_FOUND, "There is nothing at this address.")
