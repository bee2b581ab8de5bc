"""The interface of a service that makes clips."""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import ClassVar, Literal

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.capability import Capability
from storyreel.tasks.providers.request import Request
from storyreel.tasks.settings import ServiceSettings

Progress = Callable[[float], None]
"""Told how much of a piece of work is done, from 0 to 1."""


class Submission(Frozen):
    """A service's answer to a submit: the id of its task, and the cost where it says so."""

    task: str
    cost: Money | None = None


class TaskStatus(Frozen):
    """How a service's task stands."""

    state: Literal["pending", "finished"]
    detail: str = ""
    """The service's own word: queued, generating, …"""
    clip_url: str = ""
    """Where the finished clip is: a URL."""
    cost: Money | None = None
    """What the service says it cost, where it says so at the end."""
    billed_seconds: Fraction | None = None
    """Seconds that the service says it billed, input and output together, where it says so at the end."""
    is_known: bool = True
    """Whether `detail` is a word that the service is known to use."""
    is_queued: bool = False
    """Whether `detail` says that the service has accepted the order and not begun with it."""


class RemoteTask(Frozen):
    """An entry of a service's list of tasks."""

    task: str
    model: str = ""
    created: datetime | None = None
    """With its time zone; None where the list does not say."""
    detail: str = ""
    """The service's own word for how it stands."""


class Provider(ABC):
    """A service that makes clips. Used as an async context manager, one for all takes of a run."""

    name: ClassVar[str]
    capabilities: ClassVar[Mapping[Mode, Capability]]
    paid: ClassVar[bool] = True
    """Whether a submit costs money; what is free may be submitted again without asking."""
    min_poll_seconds: ClassVar[float] = 3
    """Seconds that must be between two looks at a task."""
    advised_poll_seconds: ClassVar[float | None] = None
    """Seconds between two looks that the service itself advises; None where it says nothing."""
    sends_webhooks: bool = False
    """Whether the service has been asked to call when a task changes."""
    lists_every_task: ClassVar[bool] = False
    """Whether `tasks` gives all that was accepted between two times of the last day, each with its time, so that what
    is not among them was never accepted."""
    max_concurrent: ClassVar[int] = 4
    """Takes that may be at the service at the same time, where the account says nothing else: see `bears`."""

    @classmethod
    def missing_variable(cls, environment: Mapping[str, str]) -> str:
        """The environment variable that must be set before the service can be used; empty when nothing is missing."""
        return ""

    @classmethod
    def concurrency_limit(cls, environment: Mapping[str, str] = os.environ) -> int:
        """Takes that may be at the service at the same time: `<SERVICE>_AT_ONCE`, else `max_concurrent`.

        Raises SettingsError.
        """
        return ServiceSettings.read(cls.name, environment).at_once or cls.max_concurrent

    async def __aenter__(self) -> Provider:
        return self

    async def __aexit__(self, *exception: object) -> None:
        return None

    async def prepare(self, request: Request) -> None:  # noqa: B027  (most have nothing to prepare)
        """Bring what a request needs to the service; costs nothing. Raises Transient or Terminal."""

    @abstractmethod
    async def submit(self, request: Request) -> Submission:
        """Order a take. Raises Transient, Terminal (Refused when the service read it and said no) or Ambiguous."""

    @abstractmethod
    async def poll(self, task: str) -> TaskStatus:
        """How a task stands.

        Raises TaskFailed, which alone means that it failed for good; TaskForgotten; Transient; or any other Terminal
        when the service does not tell, as with a key that was revoked: the task may be well all the same.
        """

    @abstractmethod
    async def fetch(self, request: Request, status: TaskStatus, into: Path, progress: Progress) -> None:
        """Bring the finished clip into the file `into`.

        Raises Transient, or Terminal when something must be changed first; the clip stays where it is.
        """

    async def cancel(self, task: str) -> bool:
        """Call a task off; whether it was, and so costs nothing. Most services cannot."""
        return False

    async def list_tasks(self, since: datetime, until: datetime) -> list[RemoteTask] | None:
        """The service's own list of what it accepted between two times; None where there is no list."""
        return None

    async def write_last_frame(self, request: Request, clip: Path, into: Path) -> bool:
        """Write the picture that a shot continuing this clip begins with, as a PNG.

        False when there is none. Usually not overwritten in subclasses.
        """
        from storyreel.tasks.media.frames import write_last_frame

        await asyncio.to_thread(write_last_frame, clip, into)
        return True
