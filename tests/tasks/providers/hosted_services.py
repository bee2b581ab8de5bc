"""The four hosted services, each with its emulator on this machine, and requests for them."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.aimlapi import Aimlapi
from storyreel.tasks.providers.apiyi import Apiyi
from storyreel.tasks.providers.dashscope import DashScope
from storyreel.tasks.providers.freepik import Freepik
from storyreel.tasks.providers.hosted import HostedProvider
from storyreel.tasks.providers.models import find_capability
from storyreel.tasks.providers.provider import TaskStatus
from storyreel.tasks.providers.request import Attachment, Request
from storyreel.testing.faults import Answer
from storyreel.testing.recorded import KEY, RecordedAnswers
from storyreel.testing.requests import image, request_for, sound, video, voice
from storyreel.testing.service import HostedService
from storyreel.testing.wire import HttpRequest, Reply, app, json_reply, listening_socket, serving
from tests.services import aimlapi, apiyi, dashscope, freepik
from tests.services.emulator import Emulator
from tests.services.jobs import Script

__all__ = [
    "AT_ONCE", "KEY", "MADE", "SERVICES", "Service", "answering", "digest_of", "finished", "image", "local", "nothing",
    "opened", "own_error", "request", "sound", "video", "voice",
]  # fmt: skip

MADE = (Mode.TEXT, Mode.IMAGE, Mode.REFERENCE)
"""The modes in which every service makes clips; edits are made at some."""
AT_ONCE = Script(waiting=0, running=0)


@dataclass(frozen=True, kw_only=True)
class Service(HostedService):
    """A service: its adapter, its emulator, and the emulator's settings."""

    emulator: type[Emulator]
    settings: type[Any]

    def emulated(self, **settings: Any) -> Emulator:
        """An emulator whose tasks finish at once unless a script says otherwise."""
        emulator: Emulator = self.emulator(self.settings(**{"script": AT_ONCE, **settings}))  # type: ignore[arg-type]
        return emulator


_ERROR = {"message": "{message}"}

SERVICES: Mapping[str, Service] = {
    service.name: service
    for service in (
        Service(
            adapter=Aimlapi,
            emulator=aimlapi.Aimlapi,
            settings=aimlapi.AimlapiSettings,
            answers=RecordedAnswers(
                accepted={"id": "{task}", "status": "queued", "meta": {"usage": {"usd_spent": "{cost}"}}},
                queued={"id": "{task}", "status": "queued"},
                running={"id": "{task}", "status": "generating"},
                finished={
                    "id": "{task}",
                    "status": "completed",
                    "video": {"url": "{clip}"},
                    "meta": {"usage": {"usd_spent": "{cost}"}},
                },
                failed={"id": "{task}", "status": "error", "error": {"name": "X", "message": "{message}"}},
                error={**_ERROR, "path": "/v2/video/generations", "statusCode": "400"},
            ),
        ),
        Service(
            adapter=Apiyi,
            emulator=apiyi.Apiyi,
            settings=apiyi.ApiyiSettings,
            answers=RecordedAnswers(
                accepted={"output": {"task_id": "{task}"}},
                queued={"task_id": "{task}", "status": "submitted"},
                running={"task_id": "{task}", "status": "in_progress"},
                finished={"task_id": "{task}", "status": "completed", "result_url": "{clip}"},
                failed={"task_id": "{task}", "status": "failed", "error": {"code": "X", "message": "{message}"}},
                error={**_ERROR, "type": "task_error"},
            ),
        ),
        Service(
            adapter=DashScope,
            emulator=dashscope.Dashscope,
            settings=dashscope.DashscopeSettings,
            answers=RecordedAnswers(
                accepted={"output": {"task_id": "{task}", "task_status": "PENDING"}},
                queued={"output": {"task_id": "{task}", "task_status": "PENDING"}},
                running={"output": {"task_id": "{task}", "task_status": "RUNNING"}},
                finished={"output": {"task_id": "{task}", "task_status": "SUCCEEDED", "video_url": "{clip}"}},
                finished_picture={
                    "output": {
                        "task_id": "{task}",
                        "task_status": "SUCCEEDED",
                        "choices": [{"message": {"content": [{"type": "image", "image": "{clip}"}]}}],
                    },
                    "usage": {"image_count": 1},
                },
                failed={"output": {"task_id": "{task}", "task_status": "FAILED", "code": "X", "message": "{message}"}},
                error={**_ERROR, "code": "SomethingElse", "request_id": "r-1"},
                cancelled={"output": {"task_id": "{task}", "task_status": "CANCELED"}},
            ),
        ),
        Service(
            adapter=Freepik,
            emulator=freepik.Freepik,
            settings=freepik.FreepikSettings,
            answers=RecordedAnswers(
                accepted={"data": {"task_id": "{task}"}},
                queued={"data": {"task_id": "{task}", "status": "CREATED"}},
                running={"data": {"task_id": "{task}", "status": "IN_PROGRESS"}},
                finished={"data": {"task_id": "{task}", "status": "COMPLETED", "generated": ["{clip}"]}},
                failed={"data": {"task_id": "{task}", "status": "FAILED"}},
                error=_ERROR,
            ),
        ),
    )
}


@asynccontextmanager
async def opened(
    service: Service, *, settings: Mapping[str, Any] | None = None, timeout: float = 10, **environment: str
) -> AsyncIterator[tuple[HostedProvider, Any]]:
    """An open adapter and the emulator that it is connected to."""
    emulator = service.emulated(**(settings or {}))
    with emulator.served() as base_url:
        async with service.provider(base_url, timeout=timeout, **environment) as provider:
            yield provider, emulator


@contextmanager
def answering(body: str) -> Iterator[str]:
    """The address of a service that answers every request with this JSON."""

    async def answer(_: HttpRequest) -> Reply:
        return json_reply(json.loads(body))

    listening = listening_socket()
    with serving((app(answer, lambda: 0.0), listening), background=asyncio.Event().wait):
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def own_error(service: Service, status: int, message: str) -> Answer:
    """An error in the form that the service documents."""
    return Answer(status, json.loads(service.answers.written("error", message=message, status=status)))


def local(file: Path, kind: Any = "image") -> Attachment:
    """A file of this machine, as it is now."""
    return Attachment(kind=kind, digest=f"sha256:{digest_of(file)}", source=str(file))


def digest_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def request(service: Service, mode: Mode = Mode.TEXT, of: str | None = None, **changes: Any) -> Request:
    """A request as a plan would build it, of a model or the service's first; `changes` are fields of Request."""
    return request_for(service.adapter, find_capability(service.adapter, of, mode), **changes)


def finished(url: str) -> TaskStatus:
    return TaskStatus(state="finished", detail="completed", clip_url=url)


def nothing(_: float) -> None:
    """A progress callback that does nothing."""
