"""What becomes of a take: it is there, or it could not be made."""

from __future__ import annotations

from storyreel.flows.planning.model import Candidate, PlannedTake
from storyreel.specs.frozen import Frozen
from storyreel.tasks.clips import Clip
from storyreel.tasks.inspection.inspect import Inspection
from storyreel.tasks.ledger.budget import BudgetExceeded
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.providers.errors import Ambiguous, ProviderError, TaskForgotten


class Failure(Frozen):
    """A shot that could not be made."""

    shot: str
    take: int
    service: str
    what: str
    hint: str = ""
    is_budget: bool = False
    """Whether only the budget kept it from being made."""
    is_unknown: bool = False
    """Whether nobody can know if the service has the order."""

    def __str__(self) -> str:
        by = f" ({self.service})" if self.service else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.shot} take {self.take}{by}: {self.what}{hint}"


class MadeTake(Frozen):
    """A take that is there: who made it, its clip, and what was seen in it."""

    way: Candidate
    clip: Clip
    inspection: Inspection | None
    """None where nothing is paid and so nothing can be wrong that is not ours."""


class NotMade(Exception):
    """A take was not begun, because the one it continues failed."""


def failure_of(take: PlannedTake, error: BaseException) -> Failure:
    """A failure in words. What is no failure of a service, a file or ffmpeg is a fault of ours and goes up."""
    if isinstance(error, NotMade):
        return Failure(shot=take.shot, take=take.take, service="", what=str(error))
    if isinstance(error, ProviderError):
        service = error.service or take.request.provider
        open_question = isinstance(error, (Ambiguous, TaskForgotten))
        hint = "; ".join(filter(None, (error.hint, error.next)))
        return Failure(shot=take.shot, take=take.take, service=service, what=error.message, hint=hint,
                       is_unknown=open_question)  # fmt: skip
    if isinstance(error, BudgetExceeded):
        return Failure(shot=take.shot, take=take.take, service="", what=error.message, hint=error.hint, is_budget=True)
    if isinstance(error, MediaError):
        hint = error.hint or error.next
        return Failure(shot=take.shot, take=take.take, service="", what=error.message, hint=hint)
    raise error
