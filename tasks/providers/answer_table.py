"""Tables of the proofs in services' answers, one in the module of each service, and the reading of them.

An order was refused only if the answer is in the service's own documented form, names no task, and a rule of the table
lists it. Any other answer to an order proves nothing: redirects, errors of a gateway, HTML under any status, timeouts.
A task has ended only if the answer names this task beside one of the table's final words. Any other answer to a look
proves nothing either: the task is looked at again.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple, TypeAlias, TypeVar

from storyreel.tasks.providers.errors import Denied, NotFound, ProviderError, Refused, Transient
from storyreel.tasks.providers.http.response import Response, id_at, is_page, shortened, text_at, value_at
from storyreel.tasks.providers.refusals import refusal, split_code

Error = TypeVar("Error", bound=ProviderError)
JsonPath: TypeAlias = "tuple[str | int, ...]"

CLIENT_ERRORS = frozenset({400, 401, 402, 403, 404, 405, 410, 413, 415, 422, 451})
"""Statuses that blame the request, so that a service which uses one in its own form has not carried it out.

RFC 9110, 15.5, and RFC 7725. Not among them are those that blame the moment or the way, after which the service may
have worked on, or had done so before: 408, 409, 421, 423, 424, 425, 499.
"""


class Meaning(Enum):
    """The meaning of an answer in a service's own form. All prove that the request was not carried out."""

    REFUSED = "the request was read and turned down"
    NOT_FOUND = "nothing is under this address"
    KEY = "the key is not accepted"
    DENIED = "the account may not do this"
    UNPAID = "the account cannot pay"
    BUSY = "too much was asked for; later it may be granted"
    UNREACHABLE = "a reference could not be downloaded; later it may be"


class Rule(NamedTuple):
    """The answers that have one meaning: those of these statuses, with one of these codes, and one of these words."""

    meaning: Meaning
    statuses: frozenset[int] = CLIENT_ERRORS
    codes: tuple[str, ...] = ()
    """Beginnings of the service's code; empty if any code, or none, will do."""
    words: tuple[str, ...] = ()
    """Words in small letters, of which one is in the message; empty if any message will do."""
    hint: str = ""
    """Advice to the user."""
    without_body: bool = False
    """Whether an empty body will do, for a status whose body the service does not document."""
    of_orders: bool = True
    """Whether it proves anything about an order, and not only about a look."""


class TaskForm(NamedTuple):
    """The form in which a look at a task is answered, and the words for its status there, in small letters."""

    word: JsonPath
    tasks: tuple[JsonPath, ...]
    """Paths at which the answer repeats the task's id."""
    queued: tuple[str, ...]
    """Words of a task that has not begun."""
    running: tuple[str, ...]
    """Words of a task that has begun and not ended."""
    finished: tuple[str, ...]
    failed: tuple[str, ...]
    """Final words of a task without a clip."""
    forgotten: tuple[str, ...] = ()
    """Words for a task that the service does not know any more."""

    def names_another(self, answer: Any, task: str) -> bool:
        """Whether the answer repeats an id, and it is not the task's."""
        named = self._named(answer)
        return bool(named) and task not in named

    def names(self, answer: Any, task: str) -> bool:
        """Whether the answer repeats the task's id."""
        return task in self._named(answer)

    def _named(self, answer: Any) -> set[str]:
        return {id for path in self.tasks if (id := id_at(answer, *path))}


class AnswerTable(NamedTuple):
    """The table of one service."""

    forms: tuple[TaskForm, ...]
    """The forms of answers to looks; an answer has the first one whose word it has."""
    new_task: tuple[JsonPath, ...]
    """Paths of the new task's id in the answer to an order."""
    messages: tuple[JsonPath, ...]
    """Paths of the message in an error of the service's own form."""
    codes: tuple[JsonPath, ...] = ()
    """Paths of its code, which is shown with the message."""
    types: tuple[JsonPath, ...] = ()
    """Paths of a word for the kind of error, which is not shown."""
    needs_code: bool = False
    """Whether every error in the service's own form has a code."""
    unsure: tuple[str, ...] = ()
    """Beginnings of codes that, with any status, do not tell whether an order was carried out."""
    rules: tuple[Rule, ...] = ()
    """The rules; the first that fits an answer has its meaning."""

    def task_in(self, answer: Any) -> str:
        """The id of the task in the answer to an order; empty if it names none."""
        return next(filter(None, (id_at(answer, *path) for path in self.new_task)), "")

    def message_in(self, answer: Any) -> str:
        """The message of an error in the service's own form; empty if there is none."""
        return next(filter(None, (text_at(answer, *path) for path in self.messages)), "")

    def form_of(self, answer: Any) -> tuple[TaskForm, str]:
        """The form of the answer to a look, and its word in small letters; empty if it has none."""
        for form in self.forms:
            if word := text_at(answer, *form.word):
                return form, word.casefold()
        return self.forms[0], ""

    def error_in(self, service: str, response: Response, *, is_order: bool) -> ProviderError | None:
        """The error that a response proves; None if it proves none."""
        message = self.message_in(response.body)
        bracketed, _ = split_code("", message)
        written = [text_at(response.body, *path) for path in self.codes]
        code = next(filter(None, (bracketed, *written)), "")
        codes = {code, *written, *(text_at(response.body, *path) for path in self.types)} - {""}
        names_task = any(value_at(response.body, *path) for path in self.new_task)
        is_own = bool(code if self.needs_code else message) and not is_page(message) and not names_task
        if any(one.startswith(self.unsure) for one in codes):
            return None
        for rule in self.rules:
            if (
                response.status in rule.statuses
                and (is_own or (rule.without_body and not response.content.strip()))
                and (not rule.codes or any(one.startswith(rule.codes) for one in codes))
                and (not rule.words or any(word in message.casefold() for word in rule.words))
                and (rule.of_orders or not is_order)
            ):
                return _error(rule, service, response, shortened(code))
        return None


def _error(rule: Rule, service: str, response: Response, code: str) -> ProviderError:
    """The error of an answer that has a rule's meaning: in the service's own words, and with the rule's advice."""
    status = response.status
    _, message = split_code("", response.message())
    words = f"{code}: {message}" if code and code not in message else message

    def error(kind: type[Error], what: str, next: str = "") -> Error:
        return kind(f"{service} {what}: {words}", service=service, hint=rule.hint, next=next)

    match rule.meaning:
        case Meaning.REFUSED:
            return refusal(Refused, f"refused it ({status})", service=service, code=code, reason=message)
        case Meaning.NOT_FOUND:
            return refusal(NotFound, f"has nothing there ({status})", service=service, code=code, reason=message)
        case Meaning.KEY:
            return error(Denied, f"does not accept the key ({status})", "storyreel doctor")
        case Meaning.DENIED:
            return error(Denied, f"denies access ({status})", "storyreel doctor")
        case Meaning.UNPAID:
            return error(Denied, f"wants payment ({status})")
        case Meaning.UNREACHABLE:
            return error(Transient, f"could not download a reference ({status})")
        case Meaning.BUSY:
            busy = error(Transient, f"is busy ({status})")
            busy.retry_after = response.retry_after
            return busy
