"""The base of all hosted services: a key, a paid order, a task to poll, a clip behind a link.

The HTTP client is imported when a service is opened: a plan asks each only for its limits.
"""

from __future__ import annotations

import json
import os
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from storyreel.tasks.providers.answer_table import AnswerTable
from storyreel.tasks.providers.capability import Capability, Model
from storyreel.tasks.providers.errors import (
    Ambiguous,
    Denied,
    NotFound,
    ProviderError,
    TaskFailed,
    TaskForgotten,
    Terminal,
    Transient,
)
from storyreel.tasks.providers.http.response import id_at, shortened
from storyreel.tasks.providers.models import answers_at_once, find_capability, models_of
from storyreel.tasks.providers.provider import Provider, Submission, TaskStatus
from storyreel.tasks.providers.refusals import refusal
from storyreel.tasks.providers.request import Attachment, Request, Use
from storyreel.tasks.providers.sent_file import SentFile, read_planned
from storyreel.tasks.settings import MEDIA_URL, ServiceSettings, service_variable

if TYPE_CHECKING:
    import asyncio

    from storyreel.tasks.progress import Progress
    from storyreel.tasks.providers.http.allowed_hosts import AllowedHosts

_UNTIL_MADE = 3
"""Factor of the usual time limit for the answer to an order that is the product itself: it is made meanwhile."""

AttachmentUrls = Mapping[tuple[Use, str], str]
"""The URL or data URI from which the service reads an attachment, by its use and digest.

Both are needed: one file may be sent inside the request as the first frame, and as a link as a reference.
"""


class HostedProvider(Provider):
    """A service on the network. Subclasses say where it is, how an order is written and how responses are read.

    `timeout` is in seconds, to connect and for each wait for further bytes.
    """

    default_base_url: ClassVar[str]
    order_path: ClassVar[str]
    """The path that orders are posted to, if it is the same for all."""
    answers: ClassVar[AnswerTable]
    """The table of what its answers prove, about an order and about a task."""
    id_header: ClassVar[str] = ""
    """The header with the task's id in the answer to an order, if the service has one."""
    store_prefix: ClassVar[str] = "https://"
    """Beginning of the addresses of files in the service's own store, if it has one."""

    def __init__(self, environment: Mapping[str, str] = os.environ, *, timeout: float = 60) -> None:
        from storyreel.tasks.providers.http.local_files import ReferenceBucket

        settings = ServiceSettings.read(self.name, environment)
        self._secret = settings.key
        self.base = (settings.base_url or self.default_base_url).rstrip("/")
        self._own_base_url = settings.base_url or ""
        self._timeout = timeout
        # Read now: a file of models that is changed meanwhile must not come between an order and its clip.
        self._models = models_of(type(self), environment)
        self._bucket = ReferenceBucket.from_environment(environment)
        self._uploaded: dict[tuple[str, str], str] = {}
        self._upload_locks: dict[tuple[str, str], asyncio.Lock] = {}

    @classmethod
    def missing_variable(cls, environment: Mapping[str, str]) -> str:
        return "" if ServiceSettings.read(cls.name, environment).key else service_variable(cls.name, "API_KEY")

    @property
    def known_models(self) -> Mapping[str, Model]:
        return self._models

    @property
    def hosts(self) -> AllowedHosts:
        """The gate for all addresses that the service names. Only a host that the user chose may be a private one."""
        from storyreel.tasks.providers.http.allowed_hosts import AllowedHosts

        return AllowedHosts(self._own_base_url)

    async def __aenter__(self) -> Self:
        from storyreel.tasks.providers.http.client import Client

        key = self._key()
        error_in = partial(self.answers.error_in, self.name)
        self._client = Client(self.name, self.base, self.headers(key), error_in, secret=key, timeout=self._timeout)
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._client.close()

    async def get_public(self, path: str, query: Mapping[str, str | int]) -> Any:
        """The JSON of what the service tells everybody. The key is not sent. Raises as `Client.get`."""
        from storyreel.tasks.providers.http.client import Client

        error_in = partial(self.answers.error_in, self.name)
        client = Client(self.name, self.base, {}, error_in, secret="", timeout=self._timeout)
        try:
            return await client.get(path, query)
        finally:
            await client.close()

    async def prepare(self, request: Request) -> None:
        await self._attachment_urls(request)

    async def submit(self, request: Request) -> Submission:
        urls = await self._attachment_urls(request)
        headers = self.order_headers(request, urls)
        path, body = self.submit_path(request), self.body(request, urls)
        is_all = answers_at_once(type(self), request.model, request.mode, self._models)
        try:
            # Where the answer is the product, a header that names the order is not enough.
            id_header = "" if is_all else self.id_header
            patience = _UNTIL_MADE if is_all else 1
            answer = await self._client.post_once(path, body, headers, id_header=id_header, patience=patience)
        except Ambiguous as error:
            if not error.task:
                raise
            what = f"{self.name} has accepted it as {error.task}, which a header says; its answer cannot be read"
            return Submission(task=error.task, remark=what)
        try:
            submission = self.read_submission(answer, request)
        except Exception as error:  # An answer in an unknown form is no reason to lose the order.
            raise self._unread(answer, "in a form that cannot be read") from error
        if not submission.task:
            said = self.answers.message_in(answer)
            raise self._unread(answer, f"without a task: {shortened(said)}" if said else "without a task")
        if is_all and not (submission.answer and submission.answer.clip_url):
            raise self._unread(answer, "without the product")
        return submission

    def _unread(self, answer: Any, how: str) -> Ambiguous:
        what = f"{self.name} answered {how}; whether the take was accepted is not known"
        error = Ambiguous(what, service=self.name, next="storyreel reconcile")
        error.answer = self._client.hidden(json.dumps(answer, ensure_ascii=False)).encode()
        return error

    async def poll(self, task: str) -> TaskStatus:
        path, query = self.status_path(task)
        try:
            answer = await self._client.get(path, query)
        except NotFound as error:
            raise self.task_forgotten(task, error.message) from error
        except Denied:
            raise
        except Terminal as error:
            # It is about the request for the status, and says nothing about the task.
            raise Transient(error.message, service=self.name, hint=error.hint, next=error.next) from error
        try:
            status = self.read_status(answer, task)
        except ProviderError as error:
            raise self._client.redacted(error) from None
        return status.model_copy(update={"detail": self._client.hidden(status.detail)})

    def read_status(self, answer: Any, task: str) -> TaskStatus:
        """The status in the answer to a look at a task. An unknown word is pending.

        Raises TaskFailed and TaskForgotten for the final words of the service's table, if the answer names this task;
        Transient if it tells nothing about this task.
        """
        form, word = self.answers.form_of(answer)
        id = self.id_at_service(task)
        if not word:
            said = shortened(self.read_reason(answer)[1] or self.answers.message_in(answer))
            what = f"{self.name} gives no status of the task"
            raise Transient(f"{what}: {said}" if said else what, service=self.name)
        if form.names_another(answer, id):
            raise Transient(f"{self.name} answers about another task than {id}", service=self.name)
        if word in form.finished:
            status = self.read_finished(answer, word)
            if not status.clip_url:
                raise Transient(f"{self.name} calls the clip {word} but gives no link", service=self.name)
            return status
        if form.names(answer, id):
            if word in form.failed:
                raise self.task_failed(word, *self.read_reason(answer))
            if word in form.forgotten:
                raise self.task_forgotten(task, f"it says {word!r}")
        is_queued = word in form.queued
        is_known = is_queued or word in form.running
        return TaskStatus(state="pending", detail=shortened(word), is_known=is_known, is_queued=is_queued)

    async def fetch(self, request: Request, status: TaskStatus, into: Path, progress: Progress) -> None:
        """Download the clip. The key is not sent to the host of the clip."""
        from storyreel.tasks.providers.http.download import download

        await download(
            status.clip_url, into, service=self.name, hosts=self.hosts, progress=progress, read_timeout=self._timeout
        )

    def task_failed(self, word: str, code: str, reason: str) -> TaskFailed:
        """The failure of a task, in the service's words; of its final word if it gives no reason."""
        said = reason or ("" if code else f"it says {word!r} and gives no reason")
        return refusal(TaskFailed, "could not make it", service=self.name, code=shortened(code), reason=shortened(said))

    def task_forgotten(self, task: str, said: str) -> TaskForgotten:
        return TaskForgotten(
            f"{self.name} does not know the task {task}: it is too old, or belongs to another account ({said})",
            service=self.name,
            hint="if the clip is lost, give the order up, and the next render buys it again",
            next="storyreel reconcile",
        )

    def _key(self) -> str:
        variable = service_variable(self.name, "API_KEY")
        if self._secret is None:
            raise Terminal(
                f"{self.name} needs a key, and {variable} is not set where the film is rendered",
                service=self.name,
                hint="of a deployed film that is where its worker runs: set it there, and start the worker again",
                next=f"export {variable}=…",
            )
        key = self._secret.get_secret_value().strip()
        if not (key.isascii() and key.isprintable() and " " not in key):
            what = f"{variable} holds characters that no key has"
            raise Terminal(what, service=self.name, hint="copy it again; it may hold a line break or quotation marks")
        return key

    async def _attachment_urls(self, request: Request) -> AttachmentUrls:
        return {
            (use, attachment.digest): await self._attachment_url(use, attachment, request)
            for use, attachment in request.attachments
        }

    async def _attachment_url(self, use: Use, attachment: Attachment, request: Request) -> str:
        """The address from which the service reads an attachment. A local file is uploaded first, or put into the URL.

        Raises FileChanged if the file is not what was planned.
        """
        import asyncio

        if not attachment.is_local:
            return attachment.source
        capability = self.capability_of(request)
        if use in capability.data_uris:
            return await asyncio.to_thread(lambda: read_planned(attachment).data_uri())
        if capability.uploads:
            # A service keeps a file for one model.
            upload = partial(self.upload, model=request.model)
            return await self._upload_once(attachment, request.model, upload)
        if self._bucket:
            return await self._upload_once(attachment, "", self._bucket.put)
        raise Terminal(
            f"{self.name} cannot be sent the file {Path(attachment.source).name}: it takes links only",
            service=self.name,
            hint=f"set {MEDIA_URL} to your bucket, or write an http address in the storyboard",
        )

    def capability_of(self, request: Request) -> Capability:
        """The abilities of a request's model, in its mode."""
        return find_capability(type(self), request.model, request.mode, self._models)

    async def _upload_once(
        self, attachment: Attachment, model: str, upload: Callable[[SentFile], Awaitable[str]]
    ) -> str:
        """The address of an uploaded file; of several takes that need it, the first uploads and the others wait."""
        import asyncio

        what = (attachment.content_digest, model)
        async with self._upload_locks.setdefault(what, asyncio.Lock()):
            if what not in self._uploaded:
                self._uploaded[what] = await upload(await asyncio.to_thread(read_planned, attachment))
            return self._uploaded[what]

    def headers(self, key: str) -> dict[str, str]:
        """The headers of every request, the key included: a bearer token."""
        return {"Authorization": f"Bearer {key}"}

    def submit_path(self, request: Request) -> str:
        """The path that an order is posted to."""
        return self.order_path

    def submit_headers(self, urls: AttachmentUrls) -> dict[str, str]:
        """Further headers of an order."""
        return {}

    def order_headers(self, request: Request, urls: AttachmentUrls) -> dict[str, str]:
        """All further headers of an order."""
        return self.submit_headers(urls) | self.order_id_headers(request)

    def order_id_headers(self, request: Request) -> dict[str, str]:
        """The headers that tell the service the take's key, by which its list of orders names the order."""
        return {}

    @abstractmethod
    def body(self, request: Request, urls: AttachmentUrls) -> dict[str, Any]:
        """The body of an order, as JSON. Pure: `explain` shows it with other URLs."""

    def read_submission(self, answer: Any, request: Request) -> Submission:
        """The task in the response to an order; its id is empty if the response names none. Where a model answers at
        once, with the product as `answer`."""
        return Submission(task=self.answers.task_in(answer))

    @abstractmethod
    def status_path(self, task: str) -> tuple[str, dict[str, str | int]]:
        """Path and query of a task's status."""

    def id_at_service(self, task: str) -> str:
        """The id as the service repeats it in its answers."""
        return task

    @abstractmethod
    def read_finished(self, answer: Any, word: str) -> TaskStatus:
        """The status of a task with a final word of success: its link, empty if there is none, and its cost."""

    @abstractmethod
    def read_reason(self, answer: Any) -> tuple[str, str]:
        """Code and text of a failed task's reason, each empty if there is none."""

    async def upload(self, file: SentFile, model: str) -> str:
        """Upload a local file to the service's store and return its address. For services with `uploads` only."""
        raise NotImplementedError


def listed_task(service: str, entry: Any) -> str:
    """The id in an entry of a list of tasks. Raises Transient if it has none: the list is then no proof of anything."""
    if task := id_at(entry, "task_id"):
        return task
    raise Transient(f"{service} gave a list in which a task has no id", service=service)
