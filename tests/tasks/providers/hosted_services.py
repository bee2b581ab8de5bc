"""The four hosted services, each with its emulator on this machine, and requests for them."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from fractions import Fraction
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
from storyreel.tasks.settings import service_variable
from tests.services import aimlapi, apiyi, dashscope, freepik
from tests.services.emulator import Emulator
from tests.services.faults import Answer
from tests.services.jobs import Script
from tests.services.wire import HttpRequest, Reply, app, json_reply, listening_socket, serving

MADE = tuple(mode for mode in Mode if mode is not Mode.EDIT)
"""The modes in which every service makes clips; edits are made at some."""
KEY = "sk-emulator"
AT_ONCE = Script(waiting=0, running=0)


@dataclass(frozen=True)
class Service:
    """A service: its adapter, its emulator, and the emulator's settings."""

    adapter: type[HostedProvider]
    emulator: type[Emulator]
    settings: type[Any]

    @property
    def name(self) -> str:
        return self.adapter.name

    @property
    def key_variable(self) -> str:
        return service_variable(self.name, "API_KEY")

    @property
    def base_url_variable(self) -> str:
        return service_variable(self.name, "BASE_URL")

    def emulated(self, **settings: Any) -> Emulator:
        """An emulator whose tasks finish at once unless a script says otherwise."""
        emulator: Emulator = self.emulator(self.settings(**{"script": AT_ONCE, **settings}))  # type: ignore[arg-type]
        return emulator

    def environment(self, base_url: str, key: str = KEY, **more: str) -> dict[str, str]:
        return {self.key_variable: key, self.base_url_variable: base_url, **more}

    def provider(self, base_url: str, *, key: str = KEY, timeout: float = 10, **more: str) -> HostedProvider:
        return self.adapter(self.environment(base_url, key, **more), timeout=timeout)


SERVICES: Mapping[str, Service] = {
    service.name: service
    for service in (
        Service(Aimlapi, aimlapi.Aimlapi, aimlapi.AimlapiSettings),
        Service(Apiyi, apiyi.Apiyi, apiyi.ApiyiSettings),
        Service(DashScope, dashscope.Dashscope, dashscope.DashscopeSettings),
        Service(Freepik, freepik.Freepik, freepik.FreepikSettings),
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
    forms: Mapping[str, Mapping[str, object]] = {
        "aimlapi": {"message": message, "path": "/v2/video/generations", "statusCode": str(status)},
        "apiyi": {"type": "task_error", "message": message},
        "dashscope": {"code": "SomethingElse", "message": message, "request_id": "r-1"},
        "freepik": {"message": message},
    }
    return Answer(status, forms[service.name])


def image(name: str = "https://films.example/mira.png", **more: Any) -> Attachment:
    return Attachment(kind="image", digest=f"url:{name}", source=name, **more)


def video(name: str = "https://films.example/walk.mp4", **more: Any) -> Attachment:
    return Attachment(kind="video", digest=f"url:{name}", source=name, **more)


def voice(name: str = "https://films.example/mira.wav") -> Attachment:
    return Attachment(kind="voice", digest=f"url:{name}", source=name)


def sound(name: str = "https://films.example/line.wav") -> Attachment:
    return Attachment(kind="sound", digest=f"url:{name}", source=name)


def local(file: Path, kind: Any = "image") -> Attachment:
    """A file of this machine, as it is now."""
    return Attachment(kind=kind, digest=f"sha256:{digest_of(file)}", source=str(file))


def digest_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def request(service: Service, mode: Mode = Mode.TEXT, of: str | None = None, **changes: Any) -> Request:
    """A request as a plan would build it, of a model or the service's first; `changes` are fields of Request."""
    capability = find_capability(service.adapter, of, mode)
    fields: dict[str, Any] = {
        "provider": service.name,
        "model": capability.model,
        "mode": mode,
        "prompt": "A lamp is lit.",
        "negative_prompt": "",
        "seed": 7,
        "seconds": Fraction(5),
        "aspect_ratio": "16:9",
        "resolution": "720p",
        "width": 1280,
        "height": 720,
        "references": (image(),) if mode is Mode.REFERENCE else (),
        "first_frame": image("https://films.example/board.png") if mode is Mode.IMAGE else None,
        "take": 1,
    }
    return Request(**{**fields, **changes})


def finished(url: str) -> TaskStatus:
    return TaskStatus(state="finished", detail="completed", clip_url=url)


def nothing(_: float) -> None:
    """A progress callback that does nothing."""
