"""Stores for uploads: OSS's form upload, and a presigned PUT."""

from __future__ import annotations

import re
import secrets
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from socket import socket
from typing import ClassVar

from storyreel.testing.emulated import address
from storyreel.testing.faults import Call
from storyreel.testing.wire import App, HttpRequest, Reply, app, listening_socket
from tests.services.emulator import Emulator, Settings

_FORM = (
    "OSSAccessKeyId",
    "Signature",
    "policy",
    "key",
    "x-oss-object-acl",
    "x-oss-forbid-overwrite",
    "success_action_status",
)


@dataclass(frozen=True)
class Ticket:
    """A permission to upload: into a folder of OSS, or to one address."""

    place: str
    """A folder of OSS, or the path of one address."""
    secret: str
    expires: float
    content_type: str = ""
    """The content type that a presigned PUT must have."""
    model: str = ""
    """The model that an upload by OSS's form is for."""

    @property
    def policy(self) -> str:
        """The value of the form's `policy`, beside the signature."""
        return f"policy-of-{self.secret}"


@dataclass
class Upload:
    """A stored file."""

    content: bytes
    expires: float
    ticket: Ticket


@dataclass
class UploadHost:
    """The write side of an object store."""

    now: Callable[[], float]
    keeps: float
    """Seconds that a file stays."""
    tickets: list[Ticket] = field(default_factory=list)
    files: dict[str, Upload] = field(default_factory=dict)
    """By key or path, without a slash at the beginning."""

    def ticket(self, place: str, *, seconds: float, content_type: str = "", model: str = "") -> Ticket:
        """Issue a permission to upload."""
        issued = Ticket(place, secrets.token_hex(12), self.now() + seconds, content_type, model)
        self.tickets.append(issued)
        return issued

    def find(self, key: str) -> Upload | None:
        """A file that is still there."""
        upload = self.files.get(key)
        return upload if upload and self.now() <= upload.expires else None

    async def take_form(self, request: HttpRequest) -> Reply:
        """A multipart POST as OSS takes it: the form's fields first, the file last."""
        parts = _parts(request)
        missing = [name for name in (*_FORM, "file") if name not in parts]
        if missing:
            return _refused(400, "InvalidArgument", f"Missing form fields: {', '.join(missing)}")
        key = parts["key"].decode()
        ticket = self._held(parts["Signature"].decode())
        if ticket is None or not key.startswith(f"{ticket.place}/") or parts["policy"].decode() != ticket.policy:
            return _refused(403, "AccessDenied", "Invalid according to Policy: Policy expired or violated.")
        if key in self.files:
            return _refused(
                409, "FileAlreadyExists", "The object you specified already exists and can not be overwritten."
            )
        if list(parts)[-1] != "file":
            return _refused(400, "InvalidArgument", "The file must be the last field of the form.")
        self._keep(key, parts["file"], ticket)
        return Reply(int(parts["success_action_status"]))

    async def take_put(self, request: HttpRequest) -> Reply:
        """A presigned PUT."""
        ticket = self._held(request.query_value("signature") or "")
        if ticket is None or request.path != f"/{ticket.place}":
            return _refused(403, "AccessDenied", "Request has expired")
        if request.headers.get("content-type") != ticket.content_type:
            return _refused(403, "SignatureDoesNotMatch", "The content type is not the one that was signed.")
        self._keep(ticket.place, request.body, ticket)
        return Reply(200)

    async def give(self, request: HttpRequest) -> Reply:
        """A file at its public address."""
        upload = self.find(request.path.lstrip("/"))
        if upload is None:
            return _refused(404, "NoSuchKey", "The specified key does not exist.")
        return Reply(200, upload.content, (("content-type", upload.ticket.content_type),))

    def _held(self, secret: str) -> Ticket | None:
        return next((one for one in self.tickets if one.secret == secret and self.now() <= one.expires), None)

    def _keep(self, key: str, content: bytes, ticket: Ticket) -> None:
        self.files[key] = Upload(content, self.now() + self.keeps, ticket)


class UploadingEmulator(Emulator):
    """A service that takes clients' own files, at an address of its own."""

    keeps: ClassVar[float]
    """Seconds that an upload stays."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.uploads = UploadHost(self.clock.now, self.keeps)
        self.uploads_url = ""

    def origins(self, port: int) -> list[tuple[App, socket]]:
        """The service, its clips, and the host of the uploads."""
        host = listening_socket()
        self.uploads_url = address(host)
        return [*super().origins(port), (app(self.answer_upload, self.clock.now), host)]

    async def answer_upload(self, request: HttpRequest) -> Reply:
        """The reply to any request at the address of the uploads."""
        if request.method == "GET":
            return await self.uploads.give(request)
        return await self.with_fault(Call.UPLOAD, request, lambda: self.take(request))

    @abstractmethod
    async def take(self, request: HttpRequest) -> Reply:
        """One upload, in the service's own way."""


def _parts(request: HttpRequest) -> dict[str, bytes]:
    """A multipart form's fields in their order (RFC 7578); none when it is no such form."""
    boundary = re.fullmatch(r'multipart/form-data;\s*boundary="?([^"]+)"?', request.headers.get("content-type", ""))
    if not boundary:
        return {}
    found = {}
    for part in (b"\r\n" + request.body).split(b"\r\n--" + boundary[1].encode())[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if name := re.search(rb'[; ]name="([^"]*)"', head):
            found[name[1].decode()] = content
    return found


def _refused(status: int, code: str, message: str) -> Reply:
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Reply(status, body.encode(), (("content-type", "application/xml"),))
