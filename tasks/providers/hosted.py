"""What the hosted services have in common: a key, a paid submit, a task to look at, a clip behind a link."""

from __future__ import annotations

import asyncio
import os
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from storyreel.tasks.providers.errors import Ambiguous, ProviderError, TaskFailed, TaskForgotten, Terminal, Transient
from storyreel.tasks.providers.http.client import Missing, Wire
from storyreel.tasks.providers.http.download import download
from storyreel.tasks.providers.http.local_files import ReferenceBucket, as_data_uri, name_for
from storyreel.tasks.providers.http.response import Answer
from storyreel.tasks.providers.provider import Progress, Provider, Submission, TaskStatus
from storyreel.tasks.providers.refusals import verdict
from storyreel.tasks.providers.request import Attachment, Request, Use
from storyreel.tasks.settings import MEDIA_URL, ServiceSettings, service_variable

AttachmentUrls = Mapping[tuple[Use, str], str]
"""Where the service finds an attachment, by what it is there and its digest: a URL or a data URI.

One file may travel in two ways: inside the request as the first frame, by a link as a reference.
"""


class HostedProvider(Provider):
    """A service on the network. A new one says where it is, how a request is written and how answers are read.

    `timeout` is in seconds, for each silence of the service or of the host of its clips. `prepare`, `submit`, `look`
    and `fetch` are usually not overwritten in subclasses.
    """

    default_base_url: ClassVar[str]
    store_prefix: ClassVar[str] = "https://"
    """How an address in the service's own store begins, where it has one."""

    def __init__(self, environment: Mapping[str, str] = os.environ, *, timeout: float = 60) -> None:
        settings = ServiceSettings.read(self.name, environment)
        self._secret = settings.key
        self.base = (settings.base_url or self.default_base_url).rstrip("/")
        self._timeout = timeout
        self._bucket = ReferenceBucket.of(environment)
        self._carried: dict[tuple[str, str], str] = {}
        self._carrying: dict[tuple[str, str], asyncio.Lock] = {}

    @classmethod
    def missing_variable(cls, environment: Mapping[str, str]) -> str:
        """The key, when it is not set."""
        variable = service_variable(cls.name, "API_KEY")
        return "" if environment.get(variable, "").strip() else variable

    async def __aenter__(self) -> Self:
        key = self._key()
        self._wire = Wire(self.name, self.base, self.headers(key), self.error_in, secret=key, timeout=self._timeout)
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._wire.close()

    async def prepare(self, request: Request) -> None:
        """Bring the attachments to where the service finds them."""
        await self._places(request)

    async def submit(self, request: Request) -> Submission:
        """Order; what `prepare` has brought there is not brought again."""
        places = await self._places(request)
        body, headers = self.body(request, places), self.submit_headers(places)
        answer = await self._wire.buy(self.submit_path(request), body, headers)
        accepted = self.read_submission(answer, request)
        if not accepted.task:
            raise Ambiguous(
                f"{self.name} answered without a task; whether the take was accepted is not known",
                service=self.name,
                next="storyreel reconcile",
            )
        return accepted

    async def poll(self, task: str) -> TaskStatus:
        """How a task stands."""
        path, query = self.status_path(task)
        try:
            answer = await self._wire.read(path, query)
        except Missing as error:
            raise self.task_forgotten(task) from error
        status = self.read_status(answer, task)
        if status.state == "finished" and not status.clip_url:
            raise Transient(f"{self.name} calls the clip {status.detail} but gives no link", service=self.name)
        if not status.detail:
            raise Transient(f"{self.name} does not say how the task stands", service=self.name)
        return status

    async def fetch(self, request: Request, status: TaskStatus, into: Path, progress: Progress) -> None:
        """Download the clip. The service's key does not go to the host that the clip is on."""
        await download(
            status.clip_url, into, service=self.name, base=self.base, progress=progress, patience=self._timeout
        )

    def task_failed(self, code: str, reason: str) -> TaskFailed:
        """A task's end without a clip, in the service's words."""
        return verdict(TaskFailed, "could not make it", service=self.name, code=code, reason=reason)

    def task_forgotten(self, task: str) -> TaskForgotten:
        """The service's word that it has no such task, or no more."""
        return TaskForgotten(
            f"{self.name} does not know the task {task}: it is too old, or another account's",
            service=self.name,
            hint="if the clip is lost, give the order up, and the next render buys it again",
            next="storyreel reconcile",
        )

    def _key(self) -> str:
        variable = service_variable(self.name, "API_KEY")
        if self._secret is None:
            raise Terminal(f"{self.name} needs a key", service=self.name, next=f"export {variable}=…")
        key = self._secret.get_secret_value().strip()
        if not (key.isascii() and key.isprintable() and " " not in key):
            what = f"{variable} holds characters that no key has"
            raise Terminal(what, service=self.name, hint="copy it again; it may hold a line break or quotation marks")
        return key

    async def _places(self, request: Request) -> AttachmentUrls:
        return {(use, one.digest): await self._place(use, one, request) for use, one in request.uses}

    async def _place(self, use: Use, attachment: Attachment, request: Request) -> str:
        """Where the service finds an attachment; brought there first when it is a local file."""
        if "://" in attachment.source:
            return attachment.source
        capability, file = self.capabilities[request.mode], Path(attachment.source)
        try:
            if use in capability.data_uris:
                return await as_data_uri(file)
            if capability.uploads:
                # What a service keeps, it keeps for one model.
                return await self._once(
                    (attachment.digest, request.model),
                    lambda: self.upload(file, name_for(file, attachment.digest), request.model),
                )
            if bucket := self._bucket:
                return await self._once((attachment.digest, ""), lambda: bucket.put(file, attachment.digest))
        except OSError as error:
            what = f"{file} cannot be read: {error.strerror or error}"
            raise Terminal(what, service=self.name, hint="it was there when the film was planned") from error
        raise Terminal(
            f"{self.name} cannot be sent the file {file.name}: it takes links only",
            service=self.name,
            hint=f"set {MEDIA_URL} to a bucket of yours, or give an http address in the storyboard",
        )

    async def _once(self, what: tuple[str, str], carry: Callable[[], Awaitable[str]]) -> str:
        """Carry a file that many takes need one time; whoever comes meanwhile waits for it."""
        async with self._carrying.setdefault(what, asyncio.Lock()):
            if what not in self._carried:
                self._carried[what] = await carry()
            return self._carried[what]

    @abstractmethod
    def headers(self, key: str) -> dict[str, str]:
        """Headers of every call, the key among them."""

    @abstractmethod
    def submit_path(self, request: Request) -> str:
        """Where an order is posted to."""

    def submit_headers(self, places: AttachmentUrls) -> dict[str, str]:
        """Further headers of an order."""
        return {}

    @abstractmethod
    def body(self, request: Request, places: AttachmentUrls) -> dict[str, Any]:
        """An order, as JSON. Pure: the same for `explain` and for the wire."""

    @abstractmethod
    def read_submission(self, answer: Any, request: Request) -> Submission:
        """Read the answer to an order; without a task where it names none."""

    @abstractmethod
    def status_path(self, task: str) -> tuple[str, dict[str, str | int]]:
        """Path and query that show a task."""

    @abstractmethod
    def read_status(self, answer: Any, task: str) -> TaskStatus:
        """Read how a task stands; a word that is not known is pending. Raises `failed` and `forgotten`."""

    def error_in(self, answer: Answer) -> ProviderError | None:
        """The service's own reading of an answer, where it is not what the HTTP status says."""
        return None

    async def upload(self, file: Path, name: str, model: str) -> str:
        """Bring a local file to the service's own store, where it has one; gives its address."""
        raise NotImplementedError
