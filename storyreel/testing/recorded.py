"""A service that gives the answers of its documentation, one of each kind."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import unquote_to_bytes

from storyreel.testing.emulated import EmulatedService, Work
from storyreel.testing.faults import Call
from storyreel.testing.footage import footage, speech, still
from storyreel.testing.wire import HttpRequest, Reply

KEY = "sk-emulator"
"""The only API key that is accepted."""

_JSON = (("content-type", "application/json"),)


@dataclass(frozen=True, kw_only=True)
class RecordedAnswers:
    """One answer of each kind, in JSON, as the service's pages show it.

    In its texts `{task}` stands for the id of a task, `{clip}` for the link to a clip, `{message}` for what the service
    says, and a text that is `{status}` or `{cost}` alone for a number.
    """

    accepted: object
    """To an order: a task was made."""
    queued: object
    """To a look at a task that has not begun."""
    running: object
    """To a look at a task that has begun."""
    finished: object
    finished_picture: object = None
    """To a look at a task that has made a picture, if its form is another one than that of `finished`."""
    spoken: object = None
    """To an order of a model that answers with the speech itself: `{task}` is its id, `{clip}` the link."""
    failed: object
    """To a look at a task that has failed for good."""
    error: object
    """An error, in the form in which the service documents them."""
    listed: object = None
    """The list of its tasks, with one in it, if it has a list."""
    cancelled: object = None
    """To a cancel that was possible, if it has one."""

    def written(
        self, kind: str, *, task: str = "t-1", clip: str = "", message: str = "no", status: int = 400, cost: str = "0.5"
    ) -> bytes:
        """The answer of a kind, the name of a field, as bytes. `cost` is put in as it is written."""
        text = json.dumps(getattr(self, kind))
        for name, value in (("status", str(status)), ("cost", cost)):
            text = text.replace(f'"{{{name}}}"', value)
        texts = {"task": task, "clip": clip, "message": message}
        return re.sub(r"\{(task|clip|message)\}", lambda found: json.dumps(texts[found[1]])[1:-1], text).encode()

    @property
    def kind_of_picture(self) -> str:
        """The kind of the answer to a look at a task that has made a picture."""
        return "finished" if self.finished_picture is None else "finished_picture"

    def has(self, kind: str, placeholder: str) -> bool:
        """Whether the answer of a kind has a placeholder: `has("failed", "message")`."""
        return f"{{{placeholder}}}" in json.dumps(getattr(self, kind))


def no_complaint(path: str, body: Mapping[str, Any]) -> str:
    """Accepts every order."""
    return ""


Complaint = Callable[[str, Mapping[str, Any]], str]
"""Returns the service's objection to an order of this path and body; empty if there is none."""


class RecordedService(EmulatedService):
    """Takes every POST to an address without a task's id for an order, and every GET to one with an id for a look.

    A task waits at the first look, runs at the second, and is finished at the third; `looks` are the kinds of these
    answers. All clips are the same: `clip`, or 5 seconds of 1280 × 720. An order makes a picture of 1920 × 1080 if its
    address or body names one of `picture_models`, and is answered with speech if it names one of `speech_models`.
    """

    def __init__(
        self,
        answers: RecordedAnswers,
        *,
        objects: Complaint = no_complaint,
        looks: tuple[str, ...] = ("queued", "running", "finished"),
        clip: bytes = b"",
        picture_models: Iterable[str] = (),
        speech_models: Iterable[str] = (),
    ) -> None:
        super().__init__(time.time)
        self.answers, self.objects, self.looks = answers, objects, looks
        self.content, self.picture_models, self.speech_models = clip, tuple(picture_models), tuple(speech_models)
        self.accepted: list[str] = []
        """The ids of the tasks that were made."""
        self._pictures: set[str] = set()
        self._looked: dict[str, int] = {}
        self._ids = (f"task-{number}" for number in count(1))

    def call_of(self, request: HttpRequest) -> tuple[Call, Work] | None:
        target = unquote_to_bytes(request.target).decode(errors="replace")
        # Whole words, or `task-1` would be found in the address of `task-10`.
        task = next((id for id in self.accepted if re.search(rf"\b{re.escape(id)}\b", target)), "")
        if KEY not in str(request.headers):
            return Call.POLL if request.method == "GET" else Call.CREATE, self._says(401, "no such key")
        if task:
            is_look = request.method == "GET"
            return (Call.POLL, self._look(task)) if is_look else (Call.CANCEL, self._gives("cancelled", task))
        if request.method == "POST":
            return Call.CREATE, self._order(request)
        return (Call.LIST, self._list) if self.answers.listed else (Call.POLL, self._says(404, "no such task"))

    def _order(self, request: HttpRequest) -> Work:
        async def work() -> Reply:
            if complaint := self.objects(request.path, request.json()):
                return Reply(400, self.answers.written("error", message=complaint), _JSON)
            task = next(self._ids)
            self.accepted.append(task)
            told = f"{request.path} {request.body.decode()}"
            if any(model in told for model in self.speech_models):
                link = f"{self.results_url}/{task}.wav"
                return Reply(200, self.answers.written("spoken", task=task, clip=link), _JSON)
            if any(model in told for model in self.picture_models):
                self._pictures.add(task)
            return Reply(200, self.answers.written("accepted", task=task), _JSON)

        return work

    def _look(self, task: str) -> Work:
        async def work() -> Reply:
            look = self.looks[min(self._looked.get(task, 0), len(self.looks) - 1)]
            self._looked[task] = self._looked.get(task, 0) + 1
            link = f"{self.results_url}/{task}.{'png' if task in self._pictures else 'mp4'}"
            if look == "finished" and task in self._pictures:
                look = self.answers.kind_of_picture
            return Reply(200, self.answers.written(look, task=task, clip=link), _JSON)

        return work

    def _gives(self, kind: str, task: str) -> Work:
        async def work() -> Reply:
            if getattr(self.answers, kind) is None:
                return self.error_reply(404)
            return Reply(200, self.answers.written(kind, task=task), _JSON)

        return work

    async def _list(self) -> Reply:
        task = self.accepted[-1] if self.accepted else "none"
        return Reply(200, self.answers.written("listed", task=task), _JSON)

    def _says(self, status: int, message: str) -> Callable[[], Awaitable[Reply]]:
        async def work() -> Reply:
            return Reply(status, self.answers.written("error", message=message, status=status), _JSON)

        return work

    def clip(self, request: HttpRequest) -> Reply:
        if request.path.endswith(".png"):
            return Reply(200, still(1920, 1080, request.path), (("content-type", "image/png"),))
        if request.path.endswith(".wav"):
            return Reply(200, speech("A lamp is lit.", "Ann", request.path), (("content-type", "audio/wav"),))
        return Reply(200, self.content or footage(5, 1280, 720, request.path), (("content-type", "video/mp4"),))

    def error_reply(self, status: int) -> Reply:
        return Reply(status, self.answers.written("error", message=f"error {status}", status=status), _JSON)

    def not_found(self, request: HttpRequest) -> Reply:
        return self.error_reply(404)
