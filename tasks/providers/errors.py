"""How a service can fail."""

from __future__ import annotations


class ProviderError(Exception):
    """A service did not do what was asked. One of the three roots below decides what happens next.

    `service` is its name; `hint` ends the message with what to do.
    """

    def __init__(self, message: str, *, service: str = "", hint: str = "") -> None:
        self.message, self.service, self.hint = message, service, hint
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.__dict__)


class Transient(ProviderError):
    """Surely not accepted, or only a read: it may be tried again.

    `retry_after` is in seconds, where the service said so.
    """

    retry_after: float | None = None


class Terminal(ProviderError):
    """Trying the same again cannot help: something must be changed first. Of an accepted task it says nothing."""


class Refusal(Terminal):
    """What a service says, once and for all, of a request that it has read.

    `code` is its own word for the reason, where it has one. `is_content` says that its moderation objects, which
    another service may see otherwise and the author must decide.
    """

    code: str = ""
    is_content: bool = False


class Refused(Refusal):
    """The order was turned down: nothing was bought."""


class TaskFailed(Refusal):
    """The order was accepted, and has failed: no clip will ever come of it."""


class TaskForgotten(Terminal):
    """The service no longer knows a task. What was paid may be lost; it is never bought again by itself."""


class Ambiguous(ProviderError):
    """A paid submit whose fate is not known. It must not be sent again."""


def _rebuild(kind: type[ProviderError], message: str, attributes: dict[str, object]) -> ProviderError:
    error = kind(message)
    error.__dict__.update(attributes)
    return error
