"""Mistakes in the adapter of docs/services.md, each in a class named by the test of the contract that must find it."""

from __future__ import annotations

from abc import ABC
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from lumen_answers import ANSWERS
from storyreel_lumen import Lumen

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.answer_table import CLIENT_ERRORS, AnswerTable, Meaning, Rule
from storyreel.tasks.providers.capability import Capability, Model, model_of
from storyreel.tasks.providers.errors import Ambiguous
from storyreel.tasks.providers.provider import Submission, TaskStatus
from storyreel.tasks.providers.request import Request
from storyreel.testing import HostedContract, HostedService


def changed(**fields: Any) -> AnswerTable:
    return AnswerTable(**{name: getattr(Lumen.answers, name) for name in AnswerTable._fields} | fields)


class OrdersAgain(Lumen):
    name = "lumen"

    async def submit(self, request: Request) -> Submission:
        try:
            return await super().submit(request)
        except Ambiguous:
            return await super().submit(request)


class CallsTroubleARefusal(Lumen):
    name = "lumen"
    answers = changed(rules=(*Lumen.answers.rules, Rule(meaning=Meaning.REFUSED, statuses=CLIENT_ERRORS | {500, 503})))


class IsNeverBusy(Lumen):
    name = "lumen"
    answers = changed(rules=Lumen.answers.rules[1:])


class BelievesAnyTask(Lumen):
    name = "lumen"

    def read_status(self, answer: Any, task: str) -> TaskStatus:
        return super().read_status(answer, answer["id"])


class QuotesNoId(Lumen):
    name = "lumen"

    def status_path(self, task: str) -> tuple[str, dict[str, str | int]]:
        return f"/v1/clips/{task}", {}


class FollowsAnyLink(Lumen):
    name = "lumen"

    async def fetch(self, request: Request, status: TaskStatus, into: Any, progress: Any) -> None:
        into.write_bytes(b"")


class TakesAnyCost(Lumen):
    name = "lumen"

    def read_submission(self, answer: Any, request: Request) -> Submission:
        return Submission(task=self.answers.task_in(answer))


class SendsTheKeyInTheAddress(Lumen):
    name = "lumen"

    def status_path(self, task: str) -> tuple[str, dict[str, str | int]]:
        path, query = super().status_path(task)
        return path, {**query, "key": self._key()}


class ForgetsThePicture(Lumen):
    name = "lumen"

    def body(self, request: Request, urls: Any) -> dict[str, Any]:
        return {name: value for name, value in super().body(request, urls).items() if name != "from"}


class SendsThePath(Lumen):
    name = "lumen"

    def body(self, request: Request, urls: Any) -> dict[str, Any]:
        body = super().body(request, urls)
        return body | ({"from": request.first_frame.source} if request.first_frame else {})


class ForgetsTheLength(Lumen):
    name = "lumen"

    def body(self, request: Request, urls: Any) -> dict[str, Any]:
        return super().body(request, urls) | {"seconds": 6}


class CancelsByGuess(Lumen):
    name = "lumen"

    async def cancel(self, task: str) -> bool:
        return True


class ListsNothingInTrouble(Lumen):
    name = "lumen"

    async def list_tasks(self, since: Any, until: Any) -> list[Any]:
        return []


PICTURE = Capability(
    mode=Mode.STILL, model="lumen-still", durations=(0,), resolutions=("1080p",), images=3, videos=0, first_frame=False
)


class WithPictures(Lumen, ABC):
    """No mistake: it sells pictures beside clips, and calls their links by another name."""

    name = "lumen"
    models: ClassVar = {"lumen-1": Model(modes=Lumen.capabilities), "lumen-still": model_of(PICTURE)}

    def body(self, request: Request, urls: Any) -> dict[str, Any]:
        of = [urls[reference.kind, reference.digest] for reference in request.references]
        return super().body(request, urls) | ({"of": of} if of else {})

    def read_finished(self, answer: Any, word: str) -> TaskStatus:
        return TaskStatus(state="finished", detail=word, clip_url=answer.get("picture") or answer.get("clip") or "")


class FindsNoPicture(WithPictures):
    name = "lumen"
    read_finished = Lumen.read_finished


class ForgetsTheSheets(WithPictures):
    name = "lumen"
    body = Lumen.body


class SellsPicturesByTheSecond(WithPictures):
    name = "lumen"
    models: ClassVar = {
        **WithPictures.models,
        "lumen-still": model_of(PICTURE.model_copy(update={"durations": (5,)})),
    }


SPEECH = Capability(
    mode=Mode.SPEECH, model="lumen-voice", first_frame=False, speakers=("Ann", "Ben"), languages=("en", "fr"),
    delivery=True, prompt_length=300, answers_at_once=True,
)  # fmt: skip


class WithSpeech(Lumen, ABC):
    """No mistake: it speaks beside its clips, and answers with the sound."""

    name = "lumen"
    models: ClassVar = {"lumen-1": Model(modes=Lumen.capabilities), "lumen-voice": model_of(SPEECH)}

    def body(self, request: Request, urls: Any) -> dict[str, Any]:
        if request.mode is not Mode.SPEECH:
            return super().body(request, urls)
        spoken = {"voice": request.voice, "language": request.language, "how": request.delivery}
        return {"model": request.model, "text": request.prompt, **spoken}

    def read_submission(self, answer: Any, request: Request) -> Submission:
        accepted = super().read_submission(answer, request)
        if request.mode is not Mode.SPEECH:
            return accepted
        status = TaskStatus(state="finished", clip_url=answer.get("sound", ""))
        return accepted.model_copy(update={"answer": status})


class SpeaksWithOneVoice(WithSpeech):
    name = "lumen"

    def body(self, request: Request, urls: Any) -> dict[str, Any]:
        return {**super().body(request, urls), "voice": "Ann"}


class GivesNoSound(WithSpeech):
    name = "lumen"
    read_submission = Lumen.read_submission


class AsksAgainForTheSound(WithSpeech):
    name = "lumen"

    async def submit(self, request: Request) -> Submission:
        try:
            return await super().submit(request)
        except Ambiguous:
            return await super().submit(request)


FOUND: dict[type[Lumen], str] = {
    OrdersAgain: "test_an_order_that_meets_an_error_is_ambiguous_and_sent_once",
    CallsTroubleARefusal: "test_an_order_that_meets_an_error_is_ambiguous_and_sent_once",
    IsNeverBusy: "test_a_busy_service_is_asked_again",
    BelievesAnyTask: "test_what_is_said_of_another_task_is_not_believed",
    QuotesNoId: "test_a_task_of_any_name_is_asked_for_by_exactly_that_name",
    FollowsAnyLink: "test_a_link_into_the_machine_is_not_followed",
    TakesAnyCost: "test_a_cost_that_makes_no_sense_is_unknown_with_a_warning",
    SendsTheKeyInTheAddress: "test_the_key_goes_to_the_service_alone",
    ForgetsThePicture: "test_what_it_promises_can_be_ordered",
    SendsThePath: "test_a_picture_of_this_machine_goes_along",
    ForgetsTheLength: "test_another_length_shape_or_prompt_is_another_order",
    CancelsByGuess: "test_a_cancel_is_believed_only_if_the_service_says_so",
    ListsNothingInTrouble: "test_a_list_of_tasks_is_whole_or_fails",
    FindsNoPicture: "test_a_take_is_ordered_once_polled_and_downloaded",
    ForgetsTheSheets: "test_what_it_promises_can_be_ordered",
    SellsPicturesByTheSecond: "test_what_it_promises_makes_sense",
    SpeaksWithOneVoice: "test_another_length_shape_or_prompt_is_another_order",
    GivesNoSound: "test_the_answer_has_the_product_and_an_id",
    AsksAgainForTheSound: "test_a_lost_answer_is_ambiguous_and_the_order_sent_once",
}


def tests_of(adapter: type[Lumen], *found: str) -> type:
    """The one test of the contract that finds the mistake."""
    picture = {"id": "{task}", "state": "ready", "picture": "{clip}"}
    spoken = {"id": "{task}", "sound": "{clip}"}
    more = {WithPictures: {"finished_picture": picture}, WithSpeech: {"spoken": spoken}}
    answers = replace(ANSWERS, **next((its for kind, its in more.items() if issubclass(adapter, kind)), {}))

    @pytest.fixture
    def service(self: object) -> HostedService:
        return HostedService(adapter=adapter, answers=answers)

    others = {name: None for name in dir(HostedContract) if name.startswith("test_") and name not in found}
    return type(f"Test{adapter.__name__}", (HostedContract,), {"service": service, **others})


globals().update({f"Test{adapter.__name__}": tests_of(adapter, found) for adapter, found in FOUND.items()})
TestWithPictures = tests_of(WithPictures, *list(FOUND.values())[-6:-3])
TestWithSpeech = tests_of(WithSpeech, "test_a_take_is_ordered_once_polled_and_downloaded", *list(FOUND.values())[-3:])
