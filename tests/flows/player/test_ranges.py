"""Which part of a file a request asks for, by RFC 9110."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.flows.player.ranges import Part, requested_part

TAG = '"a"'


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-", (206, 0, 100)),
        ("bytes=0-0", (206, 0, 1)),
        ("bytes=10-19", (206, 10, 20)),
        ("bytes=90-500", (206, 90, 100)),
        ("bytes=-1", (206, 99, 100)),
        ("bytes=-500", (206, 0, 100)),
        ("bytes=100-", (416, 0, 0)),
        ("bytes=500-600", (416, 0, 0)),
        ("bytes=-0", (416, 0, 0)),
        ("bytes=20-10", (200, 0, 100)),
        ("bytes=-", (200, 0, 100)),
        ("bytes=0-1,5-6", (200, 0, 100)),
        ("frames=0-1", (200, 0, 100)),
        ("bytes=a-b", (200, 0, 100)),
        ("bytes=٣-", (200, 0, 100)),
        ("bytes=0-" + "9" * 5000, (200, 0, 100)),
        ("", (200, 0, 100)),
    ],
)
def test_one_range_is_sent_and_what_is_none_is_ignored(asked: str, expected: tuple[int, int, int]) -> None:
    assert requested_part({"range": asked}, 100, TAG) == Part(*expected)


def test_an_empty_file_has_no_part() -> None:
    assert requested_part({"range": "bytes=0-"}, 0, TAG).status == 416
    assert requested_part({}, 0, TAG) == Part(200, 0, 0)


@pytest.mark.parametrize(
    ("known", "status"), [(TAG, 206), ('"b"', 200), ("W/" + TAG, 200), ("Sun, 29 Nov 2026 06:00:00 GMT", 200)]
)
def test_a_part_goes_only_to_whoever_has_the_rest_of_the_same_file(known: str, status: int) -> None:
    assert requested_part({"range": "bytes=5-", "if-range": known}, 100, TAG).status == status


@pytest.mark.parametrize(
    ("known", "status"), [(TAG, 304), ("W/" + TAG, 304), (f'"x", {TAG}', 304), ("*", 304), ('"b"', 206)]
)
def test_a_file_that_the_caller_has_is_not_sent_again(known: str, status: int) -> None:
    assert requested_part({"range": "bytes=5-", "if-none-match": known}, 100, TAG).status == status


@given(size=st.integers(0, 50), first=st.none() | st.integers(0, 60), last=st.none() | st.integers(0, 60))
def test_a_part_has_the_bytes_that_were_asked_for(size: int, first: int | None, last: int | None) -> None:
    content = bytes(range(size))
    asked = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    part = requested_part({"range": asked}, size, TAG)
    sent = content[part.start : part.end]
    if first is not None and last is not None and last >= first:
        assert sent == content[first : last + 1]
    elif first is not None and last is None:
        assert sent == content[first:]
    elif first is None and last:
        assert sent == content[-last:]
    assert (part.status == 416) <= (not sent) and (part.status != 206 or sent)
