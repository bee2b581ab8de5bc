"""Signed callbacks: a genuine and recent one is read, any change to it is noticed."""

from __future__ import annotations

import base64
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.tasks.providers.webhooks import (
    TOLERANCE_SECONDS,
    Callback,
    CallbackReader,
    InvalidCallback,
    InvalidSignature,
    SeenMessages,
)
from tests.services.webhooks import signature

NOW = 1_790_000_000.0
SECRET = base64.b64encode(b"a secret of the account").decode()
BODY = json.dumps({"task_id": "046b6c7f", "status": "COMPLETED", "generated": []}).encode()


def headers(body: bytes = BODY, at: float = NOW, id: str = "msg_1", *, is_base64: bool = False) -> dict[str, str]:
    stamp = str(int(at))
    signed = signature(SECRET, id, stamp, body, secret_is_base64=is_base64)
    return {"webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": signed}


@pytest.mark.parametrize("is_base64", [False, True])
def test_a_genuine_callback_is_read_with_either_reading_of_the_secret(is_base64: bool) -> None:
    callback = CallbackReader(SECRET).read(headers(is_base64=is_base64), BODY, NOW)
    assert callback == Callback(id="msg_1", task="046b6c7f", status="COMPLETED")


def test_a_secret_that_is_not_base64_is_used_as_it_is() -> None:
    secret = "not base64!"
    signed = signature(secret, "a", str(int(NOW)), BODY, secret_is_base64=False)
    given = {"webhook-id": "a", "webhook-timestamp": str(int(NOW)), "webhook-signature": signed}
    assert CallbackReader(secret).read(given, BODY, NOW).task == "046b6c7f"


@pytest.mark.parametrize("away", [-TOLERANCE_SECONDS, TOLERANCE_SECONDS])
def test_a_callback_from_the_past_or_future_is_refused(away: int) -> None:
    signed = CallbackReader(SECRET)
    assert signed.read(headers(at=NOW + away), BODY, NOW)
    with pytest.raises(InvalidSignature):
        signed.read(headers(at=NOW + away * 1.01), BODY, NOW)


@given(st.data())
def test_no_part_of_a_signed_callback_can_be_changed(data: st.DataObject) -> None:
    given = headers()
    part = data.draw(st.sampled_from(["body", "webhook-id", "webhook-timestamp", "webhook-signature"]))
    before = BODY.decode() if part == "body" else given[part]
    at = data.draw(st.integers(0, len(before) - 1))
    digits = string.digits if part == "webhook-timestamp" else string.ascii_letters + string.digits
    after = before[:at] + data.draw(st.sampled_from(digits)) + before[at + 1 :]
    body = after.encode() if part == "body" else BODY
    if after == before:
        return
    with pytest.raises(InvalidSignature):
        CallbackReader(SECRET).read(given | ({} if part == "body" else {part: after}), body, NOW)


def test_the_secret_is_never_shown() -> None:
    signed = CallbackReader(SECRET)
    with pytest.raises(InvalidSignature) as refused:
        signed.read(headers() | {"webhook-signature": "v1,b2xk"}, BODY, NOW)
    true = headers()["webhook-signature"].removeprefix("v1,")
    for words in (repr(signed), str(refused.value)):
        assert SECRET not in words and true not in words


@given(st.binary(max_size=200))
def test_a_signed_body_is_a_callback_or_an_error(body: bytes) -> None:
    try:
        callback = CallbackReader(SECRET).read(headers(body), body, NOW)
    except InvalidCallback:
        return
    assert callback.task == json.loads(body)["task_id"]


def test_seen_messages_are_kept_while_they_could_be_repeated() -> None:
    seen = SeenMessages()
    seen.add("first", NOW)
    seen.add("second", NOW + 2 * TOLERANCE_SECONDS)
    assert "first" in seen
    seen.add("third", NOW + 2 * TOLERANCE_SECONDS + 1)
    assert "first" not in seen and "second" in seen


def test_the_number_of_seen_messages_is_limited() -> None:
    seen = SeenMessages(most=100)
    for number in range(1000):
        seen.add(str(number), NOW)
    assert len(seen) == 100
    assert "999" in seen and "0" not in seen
