"""The interface of a service that makes clips, pictures or speech."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.capability import Capability, Model
from storyreel.tasks.providers.request import Request
from storyreel.tasks.settings import ServiceSettings

if TYPE_CHECKING:
    from storyreel.tasks.progress import Progress

_LAST_FRAME_SIDES = (360, 2560)
"""Pixels of a last frame. All services take 240 to 8000 a side (`wan.py`); a larger PNG may have too many bytes."""


class Submission(Frozen):
    """An order that a service has accepted: the id of its task there."""

    task: str
    cost: Money | None = None
    """None if the service does not name it yet."""
    remark: str = ""
    """A warning for the user about something in the answer that makes no sense; empty if there is none."""
    answer: TaskStatus | None = None
    """The finished product, of a model that answers with it at once: it cannot be asked for again."""


class TaskStatus(Frozen):
    """The status of a task at a service. A task that failed has none: `Provider.poll` raises."""

    state: Literal["pending", "finished"]
    detail: str = ""
    """The service's own word: queued, generating, …"""
    clip_url: str = ""
    """The address of the finished clip or picture at a hosted service."""
    cost: Money | None = None
    """The cost that the service names with the finished clip, or None."""
    billed_seconds: Fraction | None = None
    """The seconds, of input and output together, that the service says it billed, or None."""
    billed_pictures: Fraction | None = None
    """The pictures that the service says it billed, or None."""
    billed_characters: Fraction | None = None
    """The characters of text that the service says it billed, or None."""
    expires: datetime | None = None
    """The time at which the link ends, if the service says so."""
    is_known: bool = True
    """Whether `detail` is a word that the service is known to use."""
    is_queued: bool = False
    """Whether `detail` says that the task has not begun."""
    remark: str = ""
    """A warning for the user, as in a Submission."""

    @property
    def billed(self) -> Fraction | None:
        """The amount billed, in the unit of the price: seconds, pictures or characters. None if the service does not
        say."""
        said = (self.billed_seconds, self.billed_pictures, self.billed_characters)
        return next((amount for amount in said if amount is not None), None)


class RemoteTask(Frozen):
    """An entry of a service's list of tasks: its id, and what else the list says."""

    task: str
    model: str = ""
    mode: Mode | None = None
    """The mode of its order; None if the list does not say."""
    created: datetime | None = None
    """The time of its order, with a time zone; None if the list does not say."""
    detail: str = ""
    """The service's own word for its status."""
    key: str = ""
    """The key that the order carried, if the service repeats it."""
    outcome: Literal["", "succeeded", "failed"] = ""
    """The outcome; empty if the list does not say."""
    cost: Money | None = None
    """The charge for it; None if the list does not say."""


class PublishedPrice(Frozen):
    """The price of a second of a model's clips, as a service publishes it."""

    model: str
    resolution: str = ""
    """`720p`, in small letters; all if empty."""
    price: Money
    doubt: str = ""
    """The facts that it depends on besides, if it is the dearest of several; empty if it is sure."""


class PublishedPrices(Frozen):
    """The prices that a service publishes."""

    source: str
    """The address without its scheme: `api.aimlapi.com/v1/models`."""
    prices: tuple[PublishedPrice, ...]
    unclear: tuple[str, ...] = ()
    """A sentence for each model whose price it does not say, or in a way that is no price of a second."""


class Provider(ABC):
    """A service that makes clips, pictures or speech. An async context manager, one for all takes of a run."""

    name: ClassVar[str]
    models: ClassVar[Mapping[str, Model]]
    """Its models, by the names that storyboards use; the first is made if a storyboard names none."""
    capabilities: ClassVar[Mapping[Mode, Capability]]
    """The first of `models`, by mode. A service that sells one thing writes this instead of `models`."""
    paid: ClassVar[bool] = True
    """Whether an order costs money. Free orders may be repeated at will."""
    min_poll_seconds: ClassVar[float] = 3
    """Least time between two polls of a task."""
    advised_poll_seconds: ClassVar[float | None] = None
    """Time between two polls that the service advises, or None."""
    sends_webhooks: bool = False
    """Whether the service has been asked for a callback when a task changes."""
    lists_every_task: ClassVar[bool] = False
    """Whether `list_tasks` omits no task, so that an order that it does not list was never accepted."""
    lists_keys: ClassVar[bool] = False
    """Whether `list_tasks` repeats the key that an order carried, so that no other task is that order's."""
    listed_after: ClassVar[timedelta] = timedelta(minutes=10)
    """Time after an order for which its task may still be missing in `list_tasks`."""
    listed_for: ClassVar[timedelta] = timedelta(hours=23)
    """Greatest age at which a task is in `list_tasks` for certain. Most services list tasks for 24 hours."""
    publishes_prices: ClassVar[bool] = False
    """Whether `published_prices` asks the service for them."""
    max_concurrent: ClassVar[int] = 4
    """Tasks that the service runs at the same time by default; an account may have more: `concurrency_limit`."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "models" in vars(cls):
            cls.capabilities = next(iter(cls.models.values())).modes
        elif "capabilities" in vars(cls):
            ids = {capability.model for capability in cls.capabilities.values()}
            cls.models = {ids.pop() if len(ids) == 1 else cls.name: Model(modes=cls.capabilities)}

    @property
    def known_models(self) -> Mapping[str, Model]:
        """Its models, as `models`; those of the user's own file too, as it was when the service was opened."""
        return self.models

    @classmethod
    def missing_variable(cls, environment: Mapping[str, str]) -> str:
        """The environment variable that must be set before the service can be used, empty if none is missing."""
        return ""

    @classmethod
    def concurrency_limit(cls, environment: Mapping[str, str] = os.environ) -> int:
        """Tasks at a time: `<SERVICE>_AT_ONCE`, else `max_concurrent`. Raises SettingsError unless it is 1 to 9999."""
        return ServiceSettings.read(cls.name, environment).at_once or cls.max_concurrent

    @classmethod
    def model_now(cls, capability: Capability) -> str:
        """The model of a request that is made now: that of the capability, but of a program of this machine."""
        return capability.model

    async def published_prices(self, models: Sequence[str]) -> PublishedPrices:
        """The prices of models, by its ids of them, as it tells everybody. Needs no key; it need not be opened.

        Raises Transient or Terminal if it does not tell them.
        """
        raise NotImplementedError

    async def __aenter__(self) -> Provider:
        return self

    async def __aexit__(self, *exception: object) -> None:
        return None

    async def prepare(self, request: Request) -> None:  # noqa: B027  (most have nothing to prepare)
        """Upload what a request needs. Costs nothing. Raises Transient or Terminal."""

    @abstractmethod
    async def submit(self, request: Request) -> Submission:
        """Order a take. Raises Transient, Terminal (Refused if the service read and refused it) or Ambiguous."""

    @abstractmethod
    async def poll(self, task: str) -> TaskStatus:
        """The status of a task.

        Raises TaskFailed if, and only if, the service says that it failed for good; TaskForgotten; Transient; any
        other Terminal if the service does not tell, for example to a revoked key, and the task may be well.
        """

    @abstractmethod
    async def fetch(self, request: Request, status: TaskStatus, into: Path, progress: Progress) -> None:
        """Write the finished clip to `into`. Raises Transient, or Terminal if something must be changed first."""

    async def cancel(self, task: str) -> bool:
        """Cancel a task, and return whether that was possible, so that it costs nothing. Most services cannot."""
        return False

    async def list_tasks(self, since: datetime, until: datetime) -> list[RemoteTask] | None:
        """The tasks that the service accepted between two times; None if the service has no list."""
        return None

    async def write_last_frame(self, request: Request, clip: Path, into: Path) -> bool:
        """Write the picture that a shot continuing this clip begins with, as a PNG. False if there is none."""
        import asyncio

        from storyreel.tasks.media.frames import write_last_frame

        await asyncio.to_thread(write_last_frame, clip, into, sides=_LAST_FRAME_SIDES)
        return True
