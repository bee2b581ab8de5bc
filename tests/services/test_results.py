"""The host of the clips: ranges, tags, expiry, and OSS's refusal of a second signature."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from storyreel.testing.wire import HttpRequest, Reply
from tests.services.results import Link, ResultHost

CONTENT = bytes(range(256)) * 4


def host(*, expires: float | None = None, gets: int | None = None, oss: bool = True) -> ResultHost:
    """A host at the time 100 with one clip."""
    made = ResultHost(lambda: 100.0, refuses_authorization=oss)
    made.publish("/clip.mp4?Expires=1", Link(lambda: CONTENT, expires, gets))
    return made


def get(from_host: ResultHost, method: str = "GET", **headers: str) -> Reply:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return from_host.answer(
        HttpRequest(method, "/clip.mp4", (("Expires", "1"),), fields, b"", 100, "/clip.mp4?Expires=1")
    )


@given(first=st.integers(0, 1200), length=st.integers(1, 1200))
def test_a_range_returns_those_bytes(first: int, length: int) -> None:
    reply = get(host(), range=f"bytes={first}-{first + length - 1}")
    if first >= len(CONTENT):
        assert reply.status == 416
        assert reply.header("content-range") == f"bytes */{len(CONTENT)}"
    else:
        last = min(first + length, len(CONTENT)) - 1
        assert (reply.status, reply.body) == (206, CONTENT[first : last + 1])
        assert reply.header("content-range") == f"bytes {first}-{last}/{len(CONTENT)}"


@given(count=st.integers(1, 2000))
def test_the_last_bytes_can_be_asked_for(count: int) -> None:
    assert get(host(), range=f"bytes=-{count}").body == CONTENT[-count:]


def test_a_download_is_resumed_unless_the_file_changed() -> None:
    tag = get(host()).header("etag") or ""
    assert get(host(), range="bytes=1000-", if_range=tag).status == 206
    assert get(host(), range="bytes=1000-", if_range='"another"').body == CONTENT
    assert get(host(), if_none_match=tag).status == 304


def test_a_link_expires_by_time() -> None:
    assert get(host(expires=100)).status == 200
    late = get(host(expires=99))
    assert late.status == 403
    assert b"Request has expired" in late.body


def test_a_link_expires_by_use_and_head_does_not_count() -> None:
    clips = host(gets=1)
    assert [get(clips, "HEAD").status, get(clips).status, get(clips).status] == [200, 200, 403]


def test_oss_refuses_a_second_signature_and_others_do_not() -> None:
    refused = get(host(), authorization="Bearer sk")
    assert refused.status == 403
    assert b"SignatureDoesNotMatch" in refused.body
    assert get(host(oss=False), authorization="Bearer sk").status == 200


def test_only_the_whole_link_opens_the_file() -> None:
    assert host().answer(HttpRequest("GET", "/clip.mp4", (), {}, b"", 100, "/clip.mp4")).status == 404
    assert get(host(), "PUT").status == 405
