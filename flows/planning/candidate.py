"""A service that can make a take, and the state of the take there."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Literal

from storyreel.specs.cut import EditPoints
from storyreel.specs.frozen import Trusted
from storyreel.specs.money import Money
from storyreel.tasks.providers.request import Request
from storyreel.tasks.request.brief import Brief

TakeState = Literal["new", "cached", "resuming", "unknown"]
"""`new`: a run makes it. `cached`: its clip is in the store. `resuming`: ordered before, a run awaits or fetches it.
`unknown`: left alone, as it is not known whether the order was accepted.
"""

NEVER_MADE = "never made before"
"""The reason for a take to be new that most of them have."""


class Candidate(Trusted):
    """One service that can make a take, with the request that it would get."""

    request: Request
    key: str
    price: Money | None
    """None if unknown."""
    price_note: str = ""
    """Doubts about the price, what it includes, or why it is unknown."""
    brief_of: Callable[[], Brief]
    """Makes its `brief`, which few takes are asked for."""
    edit: EditPoints
    state: TakeState = "new"
    reason: str = NEVER_MADE
    why_laid: str = ""
    """The reason why the service is not sent the recordings of the shot; empty if it is, or if there are none."""
    changes: tuple[str, ...] = ()
    """The parts of the storyboard that differ since the last order under this slate, in the author's words."""

    def __eq__(self, other: object) -> bool:
        """Whether the two are the same, by their briefs and not by what makes these."""
        if not isinstance(other, Candidate):
            return NotImplemented
        mine, others = ({**each.__dict__, "brief": each.brief, "brief_of": None} for each in (self, other))
        return mine == others

    @cached_property
    def brief(self) -> Brief:
        """The author's words behind the request."""
        return self.brief_of()

    @property
    def is_card(self) -> bool:
        """Whether it is a card or credits, drawn from words alone."""
        return bool(self.request.board and self.request.board.written)

    @property
    def maker(self) -> str:
        """The maker, for people: the service; of a card `card`, as no service is asked for it."""
        return "card" if self.is_card else self.request.provider

    @property
    def is_free(self) -> bool:
        """Whether it is known to cost nothing."""
        return self.price is not None and not self.price.amount
