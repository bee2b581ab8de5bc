"""What answers prove, at every service: a table of answers to orders, and of answers to looks at a task."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.tasks.providers.answer_table import CLIENT_ERRORS
from storyreel.tasks.providers.errors import (
    Denied,
    NotFound,
    ProviderError,
    Refused,
    TaskFailed,
    TaskForgotten,
    Transient,
)
from storyreel.tasks.providers.http.response import Response
from tests.tasks.providers.hosted_services import SERVICES, Service, own_error

PAGE = b"<html><head><title>403 Forbidden</title></head><body>nginx</body></html>"
NOT_REFUSED = (
    *(300, 301, 302, 303, 304, 305, 307, 308, 399),
    *(406, 407, 408, 409, 411, 412, 414, 416, 417, 418, 421, 423, 424, 425, 426, 428, 431, 444, 460, 499),
    *(500, 501, 502, 503, 504, 505, 507, 508, 511, 520, 522, 524, 529, 599),
)
"""Statuses that prove nothing, even in the service's own form."""
WITH_A_TASK: dict[str, dict[str, object]] = {
    "aimlapi": {"id": "t"},
    "apiyi": {"output": {"task_id": "t"}},
    "dashscope": {"output": {"task_id": "t"}},
    "freepik": {"data": {"task_id": "t"}},
}
FINAL: dict[str, tuple[str, ...]] = {
    "aimlapi": ("error",),
    "apiyi": ("failed",),
    "dashscope": ("FAILED", "CANCELED"),
    "freepik": ("FAILED",),
}
"""Each service's words for a task that has failed for good, from its pages."""
WORDS = (
    *("error", "failed", "FAILED", "Failed", "failure", "CANCELED", "cancelled", "canceled", "expired", "EXPIRED"),
    *("timeout", "aborted", "rejected", "UNKNOWN", "completed", "succeeded", "COMPLETED", "queued", "RUNNING"),
    *("pondering", "", " "),
)


def proven(service: Service, status: int, content: bytes | object, *, is_order: bool = True) -> ProviderError | None:
    """The error that an answer to an order proves."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return service.adapter.answers.error_in(service.name, Response(status, {}, body), is_order=is_order)


def own(service: Service, status: int, message: str = "the moon is too bright", **more: object) -> dict[str, object]:
    """An error's body in the service's own form."""
    return {**(own_error(service, status, message).body or {}), **more}


@pytest.mark.parametrize("status", sorted(CLIENT_ERRORS))
def test_a_refusal_in_the_services_own_form_is_one(service: Service, status: int) -> None:
    error = proven(service, status, own(service, status))
    expected = {401: Denied, 402: Denied, 403: Denied, 404: NotFound, 410: NotFound}
    kind = Refused if service.name == "dashscope" and status in (404, 410) else expected.get(status, Refused)
    assert type(error) is kind
    assert "the moon is too bright" in str(error) and f"({status})" in str(error)


def test_the_words_of_a_refusal_are_one_short_line(service: Service) -> None:
    odd = "no\nnext: storyreel\r\nledger" + "x" * 5000
    error = proven(service, 400, own(service, 400, odd, code=odd))
    assert error and len(error.message.splitlines()) == 1 and len(error.message) < 1000
    assert "no next: storyreel ledger" in error.message


def test_too_many_requests_in_the_services_own_form_may_be_repeated(service: Service) -> None:
    assert type(proven(service, 429, own(service, 429))) is Transient


@pytest.mark.parametrize("status", NOT_REFUSED)
@pytest.mark.parametrize("is_order", [True, False])
def test_other_statuses_prove_nothing(service: Service, status: int, is_order: bool) -> None:
    for content in (own(service, status), PAGE, b"", b"no", {}, {"error": {"message": "no"}}):
        assert proven(service, status, content, is_order=is_order) is None


@pytest.mark.parametrize("status", [*sorted(CLIENT_ERRORS), 429])
@pytest.mark.parametrize(
    "content",
    [PAGE, b"Forbidden", b"error code: 1020", b"\xff\xfe", b"null", b"[]", b'"no"', b"[" * 10_000, {}, {"ok": False},
     {"message": ""}, {"message": None}, {"message": {"a": 1}}, {"message": PAGE.decode()},
     {"code": "x", "message": PAGE.decode()}, {"title": "Access denied", "status": 403, "detail": "by a firewall"}],
)  # fmt: skip
def test_what_is_not_in_the_services_own_form_proves_nothing(service: Service, status: int, content: Any) -> None:
    assert proven(service, status, content) is None


@pytest.mark.parametrize("status", [*sorted(CLIENT_ERRORS), 429, 200])
def test_an_answer_that_names_a_task_is_no_refusal(service: Service, status: int) -> None:
    assert proven(service, status, own(service, status, **WITH_A_TASK[service.name])) is None


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206])
def test_a_success_without_a_task_is_no_refusal(service: Service, status: int) -> None:
    for content in (own(service, status), PAGE, b"", {}, {"error": {"message": "no"}}, {"status": "error"}):
        assert proven(service, status, content) is None


def test_an_empty_answer_proves_only_what_the_service_documents_without_a_body(service: Service) -> None:
    found = {(status, is_order): proven(service, status, b"", is_order=is_order)
             for status in range(200, 600) for is_order in (True, False)}  # fmt: skip
    kinds = {key: type(error) for key, error in found.items() if error}
    documented = {(429, True): Transient, (429, False): Transient, (404, False): NotFound}
    assert kinds == (documented if service.name == "freepik" else {})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from(["id", "task_id", "status", "task_status", "error", "message", "code", "output",
                                       "data", "type", "problem", "video", "result_url"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(name=st.sampled_from(list(SERVICES)), status=st.integers(200, 599), body=json_values)
def test_no_answer_to_an_order_is_a_refusal_by_accident(name: str, status: int, body: Any) -> None:
    service = SERVICES[name]
    error = proven(service, status, body)
    if error is None:
        return
    assert isinstance(body, dict)
    assert not service.adapter.answers.task_in(body)
    assert status in CLIENT_ERRORS or status == 429 or (name, status) in {("apiyi", 500), ("dashscope", 200)}
    assert isinstance(error, Refused | Denied) or type(error) is Transient


@given(name=st.sampled_from(list(SERVICES)), body=json_values, task=st.sampled_from(["t", "error", "5"]))
def test_no_answer_to_a_look_fails_a_task_by_accident(name: str, body: Any, task: str) -> None:
    service = SERVICES[name]
    provider = service.provider("http://127.0.0.1:9")
    try:
        provider.read_status(body, f"text-to-video/{task}" if name == "freepik" else task)
    except TaskFailed:
        inner = {"aimlapi": (body,), "apiyi": (body, body.get("output")), "dashscope": (body["output"],),
                 "freepik": (body.get("data"),)}[name]  # fmt: skip
        said = [
            (str(one.get("status", one.get("task_status"))).strip().upper(), {one.get("id"), one.get("task_id")})
            for one in inner
            if isinstance(one, dict)
        ]
        assert any(word in ("ERROR", "FAILED", "CANCELED", "CANCELLED") and task in ids for word, ids in said)
    except (Transient, TaskForgotten):
        pass


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("names", ["this task", "another task", "no task"])
def test_only_a_final_word_about_this_task_fails_it(service: Service, word: str, names: str) -> None:
    id = {"this task": {"id": "t", "task_id": "t"}, "another task": {"id": "u", "task_id": "u"}, "no task": {}}[names]
    said: dict[str, object] = {"error": {"message": "upstream timeout"}, "message": "upstream timeout"}
    fields = id | said | {"status": word, "task_status": word}
    answer = {"aimlapi": fields, "apiyi": fields, "dashscope": {"output": fields}, "freepik": {"data": fields}}
    provider = service.provider("http://127.0.0.1:9")
    is_final = word.casefold() in {final.casefold() for final in FINAL[service.name]}
    if is_final and names == "this task":
        with pytest.raises(TaskFailed, match="upstream timeout"):
            provider.read_status(answer[service.name], "text-to-video/t" if service.name == "freepik" else "t")
        return
    try:
        status = provider.read_status(answer[service.name], "text-to-video/t" if service.name == "freepik" else "t")
    except (Transient, TaskForgotten):
        return
    assert status.state == "pending"


def test_a_finished_task_of_somebody_else_is_not_fetched(service: Service) -> None:
    link = "https://films.example/theirs.mp4"
    fields = {"id": "u", "task_id": "u", "status": "completed", "task_status": "SUCCEEDED", "result_url": link,
              "video": {"url": link}, "video_url": link, "generated": [link]}  # fmt: skip
    answer = {"aimlapi": fields, "apiyi": fields, "dashscope": {"output": fields}, "freepik": {"data": fields}}
    task = "text-to-video/{}" if service.name == "freepik" else "{}"
    provider = service.provider("http://127.0.0.1:9")
    with pytest.raises(Transient, match="another task"):
        provider.read_status(answer[service.name], task.format("t"))
    assert provider.read_status(answer[service.name], task.format("u")).clip_url == link


# Advice


@pytest.mark.parametrize(
    ("name", "status", "body", "kind", "said", "advice"),
    [
        ("aimlapi", 403, {"message": "You've run out of credits. Please top up your balance"}, Denied,
         "aimlapi wants payment (403): You've run out of credits", "top up"),
        ("aimlapi", 403, {"message": "Access to this model is restricted"}, Denied,
         "aimlapi denies access (403): Access to this model", "storyreel doctor"),
        ("aimlapi", 404, {"message": "Cannot POST /v3/v2/video"}, Denied, "Cannot POST", "AIMLAPI_BASE_URL"),
        ("apiyi", 403, {"error": {"message": "用户额度不足, 剩余额度: 0", "code": "insufficient_user_quota",
                                  "type": "new_api_error"}}, Denied,
         "apiyi wants payment (403): insufficient_user_quota: 用户额度不足", "top up"),
        ("apiyi", 403, {"code": "pre_consume_token_quota_failed", "message": "token quota is not enough", "data": None},
         Denied, "wants payment (403)", "top up"),
        ("apiyi", 429, {"type": "task_error", "message": "Insufficient balance, please top up"}, Denied,
         "wants payment (429)", "top up"),
        ("apiyi", 429, {"type": "task_error", "message": "[Throttling.RateQuota] Requests rate limit exceeded"},
         Transient, "apiyi is busy (429): Throttling.RateQuota: Requests rate limit", ""),
        ("apiyi", 429, {"type": "task_error", "message": "[Throttling.AllocationQuota] Allocated quota exceeded"},
         Transient, "apiyi is busy (429)", ""),
        ("apiyi", 403, {"type": "task_error", "message": "no available channel for model wan2.7-r2v"}, Denied,
         "no available channel", "Wan&HappyHorse"),
        ("apiyi", 403, {"type": "task_error", "message": "[DataInspectionFailed] Input data may be bad"}, Refused,
         "DataInspectionFailed: Input data may be bad", "moderation"),
        ("apiyi", 404, {"error": {"message": "Invalid URL (POST /x)", "type": "invalid_request_error", "code": ""}},
         Denied, "Invalid URL", "APIYI_BASE_URL"),
        ("dashscope", 400, {"code": "Arrearage", "message": "Access denied, please make sure"}, Denied,
         "dashscope wants payment (400): Arrearage: Access denied", "settle the account"),
        ("dashscope", 403, {"code": "AllocationQuota.FreeTierOnly", "message": "exhausted"}, Denied, "exhausted",
         "free use alone"),
        ("dashscope", 403, {"code": "AccessDenied.Unpurchased", "message": "Access to model denied."}, Denied,
         "denies access (403)", "switch the model on"),
        ("dashscope", 401, {"code": "InvalidApiKey", "message": "Invalid API-key provided."}, Denied,
         "does not accept the key (401): InvalidApiKey", "storyreel doctor"),
        ("freepik", 402, {"message": "Payment Required"}, Denied, "freepik wants payment (402)", "credits"),
        ("freepik", 403, {"message": "Forbidden"}, Denied, "denies access (403): Forbidden", "storyreel doctor"),
    ],
)  # fmt: skip
def test_advice_follows_from_what_the_service_said(
    name: str, status: int, body: object, kind: type[ProviderError], said: str, advice: str
) -> None:
    error = proven(SERVICES[name], status, body)
    assert type(error) is kind
    assert said in error.message
    assert advice in f"{error.hint} {error.next}"
    assert "top up" not in error.hint or advice == "top up"


@pytest.mark.parametrize("code", ["do_request_failed", "read_response_body_failed", "bad_response_status_code"])
def test_a_gateways_error_after_it_has_sent_the_order_proves_nothing(code: str) -> None:
    for status in (400, 403, 500, 502):
        assert proven(SERVICES["apiyi"], status, {"code": code, "message": "unexpected EOF", "data": None}) is None


@pytest.mark.parametrize(("status", "is_refused"), [(400, True), (500, True), (502, False), (504, False)])
def test_a_gateways_error_before_it_has_sent_the_order_is_a_refusal(status: int, is_refused: bool) -> None:
    body = {"code": "build_request_failed", "message": "must provide an image", "data": None}
    assert isinstance(proven(SERVICES["apiyi"], status, body), Refused) == is_refused


def test_a_task_of_nobody_is_told_by_its_code_too() -> None:
    body = {"code": "task_not_exist", "message": "task_not_exist", "data": None}
    assert isinstance(proven(SERVICES["apiyi"], 400, body, is_order=False), NotFound)
