"""The errors of a service. Their three roots, and nothing else, decide what happens to a take.

    StoryreelError
    └── ProviderError
        ├── Transient            nothing was bought, or it was only a read: tried again, with backoff and jitter
        │   └── LinkExpired      the task is polled again for a fresh link to its clip
        ├── Terminal             trying the same again cannot help: the take fails, and says what must be changed
        │   ├── FileChanged      a local file is not what was planned: the take is not ordered
        │   ├── Denied           the service turns the account down: its key, its rights, its balance
        │   ├── TaskForgotten    the service has lost a task that it accepted: settled by `storyreel reconcile`
        │   └── Refusal          the service's final word on a request that it has read
        │       ├── Refused      the order was turned down: nothing was bought, another service may be asked
        │       │   └── NotFound the service has nothing under an address
        │       └── TaskFailed   the order was accepted and has failed: it may be bought again
        ├── Ambiguous            a paid order whose fate is unknown: never sent again, settled by `storyreel reconcile`
        └── Overdue              not made in the take's time: an accepted order stays open, and the next run goes on

Only `TaskFailed` closes an accepted order in the ledger. Any other Terminal, such as a revoked key, leaves it open, for
the task may be well. `answer_table` decides which answer becomes which of them. `LinkExpired` and `Overdue` are defined
beside the code that raises them.
"""

from __future__ import annotations

from storyreel.specs.errors import StoryreelError


class ProviderError(StoryreelError):
    """A service did not do what was asked. `service` is its name, empty if the error is not one of a service."""

    def __init__(self, message: str, *, service: str = "", hint: str = "", next: str = "") -> None:
        super().__init__(message, hint=hint, next=next)
        self.service = service


class Transient(ProviderError):
    """An error before anything was accepted, or of a read: it may be tried again."""

    retry_after: float | None = None
    """Seconds that the service asks to wait, or None."""


class Terminal(ProviderError):
    """Trying the same again cannot help. It says nothing about a task that was accepted."""


class FileChanged(Terminal):
    """A local file is not what was planned. Nothing was sent, and no other service is asked with it either."""


class Denied(Terminal):
    """The service turns the account down, whatever it asks for: its key, its rights or its balance."""


class Refusal(Terminal):
    """The service's final word on a request that it has read."""

    code: str = ""
    """The service's code for the reason, empty if it gave none."""
    is_content: bool = False
    """Whether its moderation objects. Another service may judge otherwise; the author decides."""


class Refused(Refusal):
    """The order was turned down; nothing was bought."""


class NotFound(Refused):
    """The service has nothing under an address."""


class TaskFailed(Refusal):
    """The order was accepted and has failed; there will be no clip."""


class TaskForgotten(Terminal):
    """The service no longer knows a task. What was paid may be lost; it is not bought again unless the user says so."""


class Ambiguous(ProviderError):
    """A paid order whose fate is unknown. It must not be sent again."""

    answer: bytes = b""
    """The response to the order, as it came, for a person to read; empty if none came."""
    task: str = ""
    """The id of the task, if a header of a success named it; empty if not, as of most services."""
