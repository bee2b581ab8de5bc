"""APIYI: a gateway to DashScope. Orders are DashScope's; tasks have their own path and their own words.

Source: its pages on Wan's image-to-video and reference-to-video.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.answer_table import CLIENT_ERRORS, AnswerTable, Meaning, Rule, TaskForm
from storyreel.tasks.providers.capability import model_of
from storyreel.tasks.providers.hosted import AttachmentUrls, HostedProvider
from storyreel.tasks.providers.http.response import odd_amount, text_at, url_part
from storyreel.tasks.providers.provider import TaskStatus
from storyreel.tasks.providers.refusals import CONTENT_CODES, CONTENT_WORDS
from storyreel.tasks.providers.request import Request
from storyreel.tasks.providers.wan.answers import INTERNAL_CODES, TASK_FORM
from storyreel.tasks.providers.wan.capabilities import HAPPY_HORSE, happy_horse, wan, wan_3
from storyreel.tasks.providers.wan.request import BILLED, billed_seconds, order_body

_TOP_UP = "top up the balance at apiyi.com"

ANSWERS = AnswerTable(
    forms=(
        # Its pages on Wan: `submitted`, `in_progress`, `completed`, `failed`; after 24 h `UNKNOWN`. Read 2026-11-21.
        # The other words are those of gateways of its kind; of failure, only its own word is believed.
        TaskForm(
            word=("status",),
            tasks=(("task_id",), ("id",)),
            queued=("submitted", "pending", "queued", "not_start"),
            running=("in_progress", "running", "suspended"),
            finished=("completed", "succeeded", "success"),
            failed=("failed",),
            forgotten=("unknown",),
        ),
        # DashScope's form, which a gateway may pass on.
        TASK_FORM,
    ),
    new_task=(("output", "task_id"), ("task_id",)),
    # Its pages on Wan: `{type, message}`, `type` being `task_error`, `parse_request_failed` or `build_request_failed`;
    # 400, 401, 403, 429, 500. Read 2026-11-21. The open source of its kind of gateway, github.com/QuantumNous/new-api
    # (relay/relay_task.go, controller/relay.go, types/error.go), has `{code, message, data}`, and of the account
    # `{error: {message, type, code}}`. Read 2026-11-29.
    messages=(("message",), ("error", "message")),
    codes=(("code",), ("error", "code")),
    types=(("type",), ("error", "type")),
    # The gateway had sent the order, or was sending it.
    unsure=(*INTERNAL_CODES, "do_request_failed", "read_response", "unmarshal_response", "bad_response"),
    rules=(
        # Both before the balance: the codes of Model Studio, in brackets, speak of a "quota" too.
        Rule(meaning=Meaning.BUSY, statuses=CLIENT_ERRORS | {429}, codes=("Throttling",)),
        Rule(
            meaning=Meaning.UNPAID,
            statuses=CLIENT_ERRORS | {429},
            codes=("insufficient_user_quota", "pre_consume_token_quota_failed"),
            hint=_TOP_UP,
        ),
        # "429: rate limit or insufficient balance", told apart by the message alone.
        Rule(
            meaning=Meaning.UNPAID,
            statuses=frozenset({402, 403, 429}),
            words=("balance", "insufficient", "arrear", "not enough", "余额", "额度"),
            hint=_TOP_UP,
        ),
        Rule(meaning=Meaning.BUSY, statuses=frozenset({429})),
        Rule(meaning=Meaning.KEY, statuses=frozenset({401})),
        # 403: "moderation, or the token's group lacks permission".
        Rule(meaning=Meaning.REFUSED, statuses=frozenset({403}), codes=(*CONTENT_CODES, "Invalid")),
        Rule(meaning=Meaning.REFUSED, statuses=frozenset({403}), words=CONTENT_WORDS),
        Rule(
            meaning=Meaning.DENIED,
            words=("no available channel",),
            hint="make a key of the group Wan&HappyHorse, pay-as-you-go, at apiyi.com",
        ),
        Rule(meaning=Meaning.DENIED, statuses=frozenset({402, 403})),
        Rule(
            meaning=Meaning.DENIED,
            statuses=frozenset({404}),
            words=("invalid url (",),
            hint="look at APIYI_BASE_URL",
        ),
        # A task that does not exist, or is of another account, is a 400 with this code.
        Rule(meaning=Meaning.NOT_FOUND, codes=("task_not_exist",)),
        Rule(meaning=Meaning.NOT_FOUND, statuses=frozenset({404, 410})),
        # Raised by the gateway before it sends anything to DashScope, whatever the status.
        Rule(
            meaning=Meaning.REFUSED,
            statuses=CLIENT_ERRORS | {500},
            codes=("build_request_failed", "parse_request_failed"),
        ),
        # "500: missing media": `[InvalidParameter] Field required: input.media`.
        Rule(meaning=Meaning.REFUSED, statuses=CLIENT_ERRORS | {500}, codes=("Invalid",)),
        Rule(meaning=Meaning.REFUSED),
    ),
)


_LIKE_2_7: Mapping[str, Any] = {"label": "image 1", "data_uris": ("first_frame", "last_frame", "image")}


class Apiyi(HostedProvider):
    """api.apiyi.com"""

    name = "apiyi"
    default_base_url = "https://api.apiyi.com"
    # Not `/v1/videos`, which drops the references.
    order_path = "/wan/api/v1/services/aigc/video-generation/video-synthesis"
    min_poll_seconds = 3
    advised_poll_seconds = 10  # its pages: every 5 to 10 s, 10 recommended
    max_concurrent = 8
    answers = ANSWERS
    models: ClassVar = {
        "wan2.7": model_of(
            wan(Mode.REFERENCE, "wan2.7-r2v", data_uris=("first_frame", "image"), label="image 1"),
            # A last frame is documented for DashScope alone.
            wan(Mode.IMAGE, "wan2.7-i2v", data_uris=("first_frame",), label="image 1"),
            wan(Mode.TEXT, "wan2.7-t2v"),
            wan(Mode.EDIT, "wan2.7-videoedit", data_uris=("image",), label="image 1"),
        ),
        # Its overview of Wan, read 2026-11-28: the same path as Wan 2.7, whose label and data URIs are taken over.
        "wan3.0-video": wan_3("wan3.0-video", **_LIKE_2_7),
        "wan3.0-video-prime": wan_3("wan3.0-video-prime", **_LIKE_2_7),
        "happyhorse-1.1": happy_horse(HAPPY_HORSE, data_uris=_LIKE_2_7["data_uris"]),
    }

    def submit_headers(self, urls: AttachmentUrls) -> dict[str, str]:
        return {"X-DashScope-Async": "enable"}

    def body(self, request: Request, urls: AttachmentUrls) -> dict[str, Any]:
        return order_body(request, urls, self.capability_of(request))

    def status_path(self, task: str) -> tuple[str, dict[str, str | int]]:
        return f"/v1/tasks/{url_part(task)}", {}

    def read_finished(self, answer: Any, word: str) -> TaskStatus:
        """In the gateway's own form or in DashScope's, which alone has the billed seconds."""
        url = text_at(answer, "result_url") or text_at(answer, "output", "video_url")
        billed, remark = billed_seconds(answer), odd_amount(answer, *BILLED)
        return TaskStatus(state="finished", detail=word, clip_url=url, billed_seconds=billed, remark=remark)

    def read_reason(self, answer: Any) -> tuple[str, str]:
        """Its form is not published; each of these was seen or reported."""
        error = text_at(answer, "error", "message") or text_at(answer, "error") or text_at(answer, "fail_reason")
        if error:
            return text_at(answer, "error", "code"), error
        return text_at(answer, "output", "code"), text_at(answer, "output", "message")
