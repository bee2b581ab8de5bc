"""Models of the ledger: an order, the purchase that it leads to, the events of a purchase, and verdicts on takes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Literal, TypedDict

from pydantic import Field

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money
from storyreel.tasks.ledger.owner import Owner, this_process

LEASE = timedelta(seconds=60)
"""Time for which a row stays its owner's after the last renewal."""

_SUSPENDED = timedelta(minutes=10)
"""Time after its lease for which a running process of this host keeps a row: the machine may have been suspended."""


By = Literal["film", "scene", "service", "month"]
"""The division of a sum; scenes within their film, months in UTC."""


DRAFT_WORD = "draft"
"""The first word of the brief of a draft."""
DRAFT_BRIEF = f'{{"{DRAFT_WORD}":'
"""Beginning of the brief of a draft, as an order has it."""


GIVEN_UP = "given up by hand: the next render buys it again"
"""The reason of an order that a person has given up: it has failed, and may be charged."""
CHARGED = "it is charged all the same, by the price list"
"""The end of the reason of an order that has failed, if what the service named when it accepted it is charged."""


class State(StrEnum):
    """The state of a purchase."""

    INTENDED = "intended"
    SUBMITTED = "submitted"
    FINISHED = "finished"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Order(Frozen):
    """A request to a service with its key, its price, and the names that it has in the storyboard."""

    key: str
    provider: str
    model: str
    request: str
    """Canonical JSON."""
    film: str
    slate: str
    take: int
    scene: str = ""
    """The scene's number, empty if it has none."""
    brief: str = ""
    """The part of the storyboard that the request was made from, as JSON that the ledger does not parse."""
    price: Money | None = None
    """Estimate by the price list, None if unknown."""
    run: str = ""
    """Id of the Prefect flow run that orders it."""

    @property
    def name(self) -> str:
        """For messages: `The Keeper 1B take 2`."""
        return f"{self.film} {self.slate} {'draft ' if self.is_draft else ''}take {self.take}"

    @property
    def mode(self) -> str:
        """The mode of its request, a value of `Mode`; empty if an earlier version has ordered it without one."""
        try:
            return str(json.loads(self.request)["mode"])
        except (LookupError, ValueError, TypeError):
            return ""

    @property
    def is_draft(self) -> bool:
        """Whether it is for the draft of the film."""
        return self.brief.startswith(DRAFT_BRIEF)


class Purchase(Frozen):
    """A row of the ledger as it was read. All times are the database's."""

    order: Order
    state: State
    task: str | None
    """The service's id of the order, None until it has answered."""
    clip: str | None
    """SHA-256 of the finished clip, in hex."""
    cost: Money | None
    """The service's charge, None if it has not reported it."""
    owed: bool = True
    """Whether it may be charged although no cost was reported. False once the service has refused or failed it,
    unless its price list says, or leaves open, that failures are billed."""
    reason: str
    """The reason why it failed, or why its outcome is unknown."""
    owner: Owner
    """The run that works on it, or did last."""
    created: datetime
    """Time of the first order of its key."""
    changed: datetime
    lease_until: datetime | None = None
    """End of the owner's lease, which the owner extends."""
    intended: datetime | None = None
    """The time at which the present order was stored, just before it was sent."""
    submitted: datetime | None = None
    """The time at which the service's id was stored, or the service accepted an attached order. None if unknown."""
    finished: datetime | None = None
    read: datetime = Field(default_factory=lambda: datetime.now(UTC), repr=False)
    """The time at which the row was read."""
    reader: Owner = Field(default_factory=this_process, repr=False)
    """The run that read the row."""

    def is_ours(self) -> bool:
        """Whether the run that read the row owns it."""
        return self.owner == self.reader

    def is_abandoned(self, now: datetime | None = None) -> bool:
        """Whether its owner had ended when the row was read, or `now`; another run may take it over then.

        On the owner's host its process is checked, elsewhere its lease. Both times are the database's, so that
        clocks of two machines are never compared.
        """
        if self.is_ours():
            return False
        overdue = (now or self.read) - (self.lease_until or self.changed + LEASE)
        if self.owner.is_here():
            return not self.owner.is_alive() or overdue > _SUSPENDED
        return overdue > timedelta(0)

    @property
    def estimate(self) -> Money | None:
        """The price, if the order is owed and the service has not reported its cost."""
        return self.order.price if self.owed and self.cost is None else None

    @property
    def is_free(self) -> bool:
        """Whether nothing is charged for it, as for a take that is drawn on this machine."""
        return self.order.price is not None and not self.order.price.amount and not (self.cost and self.cost.amount)

    @property
    def sent_between(self) -> tuple[datetime, datetime]:
        """The earliest and the latest time at which the present order can have been sent."""
        begin = self.intended or self.created
        end = self.lease_until or self.changed
        return begin, max(begin, min(end, self.changed) if self.state is State.UNKNOWN else end)


class Event(Frozen):
    """A change of a purchase. Events are only added."""

    key: str
    at: datetime
    state: State | None
    """The new state, None if the order was undone."""
    task: str | None
    clip: str | None
    reason: str
    cost: Money | None
    host: str
    """The owner's host; `pid` is its process there."""
    pid: int


class PurchaseFilter(TypedDict, total=False):
    """Conditions on purchases, all of which must hold."""

    key: str
    """The first characters of the key."""
    film: str
    slate: str
    provider: str
    state: State
    run: str
    """Ordered by this flow run."""
    since: datetime
    """Changed at this time or later."""


class Word(StrEnum):
    """The decision of a verdict."""

    APPROVED = "approved"
    RETAKE = "retake"


class NewVerdict(Frozen):
    """A verdict on a take that is not stored yet."""

    key: str
    """The take's key."""
    film: str
    slate: str
    take: int
    word: Word
    note: str = ""
    """For people who read it later."""
    action: str = ""
    """With a retake: the new action of the shot, empty to make the same again."""
    by: str = ""
    """The reviewer's name."""


class Verdict(NewVerdict):
    """A stored verdict."""

    number: int
    """Counts up: of two verdicts the one with the larger number is newer."""
    at: datetime
    """The database's time."""
