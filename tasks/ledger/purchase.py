"""A purchase: what was ordered, how far it is, who is at work on it, and all that happened to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from pydantic import Field

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money
from storyreel.tasks.ledger.owner import Owner, this_process

LEASE = timedelta(seconds=60)
"""How long a row counts as held after its owner was last heard of."""

_SILENT_HERE = timedelta(minutes=10)
"""How long a living process of this host may be silent. One that was suspended with its machine wakes before."""


class State(StrEnum):
    """How far a purchase is."""

    INTENDED = "intended"
    SUBMITTED = "submitted"
    FINISHED = "finished"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Order(Frozen):
    """What is wanted: the key of a request, the request itself, and what the author calls it."""

    key: str
    provider: str
    model: str
    request: str
    """The request's canonical form."""
    film: str
    slate: str
    take: int
    scene: str = ""
    """The scene's number, may be empty."""
    brief: str = ""
    """The author's words that led to the request, as JSON that the ledger does not look into."""
    price: Money | None = None
    """What it will cost by the price list: an estimate. None where nobody knows."""
    run: str = ""
    """The Prefect flow run that orders it."""

    @property
    def name(self) -> str:
        """As people call it: `The Keeper 1B take 2`."""
        return f"{self.film} {self.slate} take {self.take}"


def _now() -> datetime:
    return datetime.now(UTC)


class Purchase(Frozen):
    """One row of the ledger, as it was read. All times are the database's."""

    order: Order
    state: State
    task: str | None
    """The service's id of it, once it has one."""
    clip: str | None
    """Digest of the finished clip."""
    cost: Money | None
    owed: bool = True
    """Whether it may have to be paid even where no cost was told: not what the service refused or failed."""
    reason: str
    """Why it failed, or why nobody knows."""
    owner: Owner
    """The run that is, or was last, at work on it."""
    created: datetime
    """When its key was first ordered."""
    changed: datetime
    lease_until: datetime | None = None
    """Until when its owner holds it; the owner moves it on. None in rows that an older storyreel wrote."""
    intended: datetime | None = None
    """When the present order was noted, which is before it was sent."""
    submitted: datetime | None = None
    """When the service's id was noted. None where that says nothing of how long the clip took."""
    finished: datetime | None = None
    read: datetime = Field(default_factory=_now, repr=False)
    """When the row was read."""
    reader: Owner = Field(default_factory=this_process, repr=False)
    """Who read it."""

    def is_ours(self) -> bool:
        """Whether the run that read it is at work on it."""
        return self.owner == self.reader

    def is_abandoned(self, now: datetime | None = None) -> bool:
        """Whether whoever was at work on it is gone, or was when it was read.

        On the owner's own host its process tells, elsewhere the lease. Both times are the database's, so that no
        two machines' clocks are ever compared.
        """
        if self.is_ours():
            return False
        silent = (now or self.read) - (self.lease_until or self.changed + LEASE)
        if self.owner.is_here():
            return not self.owner.is_alive() or silent > _SILENT_HERE
        return silent > timedelta(0)

    @property
    def estimate(self) -> Money | None:
        """What it costs by the price list, where the service has not told and may want to be paid."""
        return self.order.price if self.owed and self.cost is None else None

    @property
    def sent_between(self) -> tuple[datetime, datetime]:
        """Between which times the present order was sent, if it was."""
        begin = self.intended or self.created
        held = self.lease_until or self.changed
        return begin, max(begin, min(held, self.changed) if self.state is State.UNKNOWN else held)


class Event(Frozen):
    """Something that happened to a purchase. Events are only ever added."""

    key: str
    at: datetime
    state: State | None
    """The state from then on; None when the row was taken back."""
    task: str | None
    clip: str | None
    reason: str
    cost: Money | None
    host: str
    """The host and process that were at work on it."""
    pid: int
