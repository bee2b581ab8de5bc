"""Each fault does what it says, on the connection and in the emulator's records."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from pathlib import Path

import av
import httpx
import pytest

from storyreel.testing.faults import (
    Answer,
    Call,
    Claims,
    Corrupt,
    HangUp,
    Labelled,
    Page,
    Redirect,
    Reset,
    Shortened,
    Silence,
    Trouble,
    Truncated,
)
from storyreel.testing.wire import Ending
from tests.services.aimlapi import Aimlapi, AimlapiSettings
from tests.services.jobs import Script

PATH = "/v2/video/generations"
BODY = {"model": "alibaba/wan-2-7-t2v", "prompt": "A lighthouse in rain", "duration": 5, "resolution": "720p"}
PATIENCE = 1.0
"""Seconds to wait for a reply that never comes: longer than a busy machine takes for one that does."""


@pytest.fixture
def service() -> Iterator[Aimlapi]:
    emulator = Aimlapi(AimlapiSettings(script=Script(waiting=0, running=0)))
    with emulator.served():
        yield emulator


@pytest.fixture
def client(service: Aimlapi) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {service.settings.key}"}
    with httpx.Client(base_url=service.base_url, headers=headers, timeout=20) as client:
        yield client


def link(client: httpx.Client) -> str:
    """The URL of a finished clip."""
    id = client.post(PATH, json=BODY).json()["id"]
    url: str = client.get(PATH, params={"generation_id": id}).json()["video"]["url"]
    return url


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize(
    ("trouble", "error"),
    [(Reset(), httpx.ReadError), (HangUp(), httpx.RemoteProtocolError), (Silence(), httpx.ReadTimeout)],
)
def test_a_lost_response_is_lost_and_its_order_recorded(
    service: Aimlapi, client: httpx.Client, trouble: Trouble, error: type[Exception], accepted: bool
) -> None:
    service.fault(Call.CREATE, trouble, accepted=accepted)
    with pytest.raises(error):
        client.post(PATH, json=BODY, timeout=PATIENCE if error is httpx.ReadTimeout else 20)
    assert len(service.accepted) == accepted
    assert len(service.requests) == 1


def test_a_reset_is_no_orderly_close(service: Aimlapi) -> None:
    service.fault(Call.POLL, Reset())
    host, port = service.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(f"GET {PATH}?generation_id=1 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            line.recv(1)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("accepted", [False, True])
def test_an_order_may_be_accepted_under_an_error_status(
    service: Aimlapi, client: httpx.Client, status: int, accepted: bool
) -> None:
    service.fault(Call.CREATE, Answer(status), accepted=accepted)
    reply = client.post(PATH, json=BODY)
    assert reply.status_code == status
    assert reply.json()["statusCode"] == str(status)
    assert len(service.accepted) == accepted


@pytest.mark.parametrize("retry_after", [None, "2", "Fri, 20 Nov 2026 10:00:00 GMT"])
def test_too_many_requests_with_and_without_a_time_to_wait(
    service: Aimlapi, client: httpx.Client, retry_after: str | None
) -> None:
    service.fault(Call.CREATE, Answer(429, retry_after=retry_after))
    reply = client.post(PATH, json=BODY)
    assert reply.status_code == 429
    assert reply.headers.get("retry-after") == retry_after
    assert service.accepted == []


def test_faults_come_when_and_as_often_as_planned(service: Aimlapi, client: httpx.Client) -> None:
    service.fault(Call.POLL, Answer(503), times=2, after=1)
    service.fault(Call.POLL, Answer(500), when=lambda request: request.query_value("generation_id") == "other")
    id = client.post(PATH, json=BODY).json()["id"]
    polls = [client.get(PATH, params={"generation_id": id}).status_code for _ in range(4)]
    assert polls == [200, 503, 503, 200]
    assert client.get(PATH, params={"generation_id": "other"}).status_code == 500


def test_a_page_of_html_comes_with_200(service: Aimlapi, client: httpx.Client) -> None:
    service.fault(Call.POLL, Page())
    reply = client.get(PATH, params={"generation_id": "any"})
    assert reply.status_code == 200
    assert reply.text.startswith("<!DOCTYPE html>")


def test_a_false_content_encoding_cannot_be_decoded(service: Aimlapi, client: httpx.Client) -> None:
    id = client.post(PATH, json=BODY).json()["id"]
    service.fault(Call.POLL, Labelled())
    with pytest.raises(httpx.DecodingError):
        client.get(PATH, params={"generation_id": id})


@pytest.mark.parametrize("ending", [Ending.CLOSED, Ending.RESET, Ending.SILENT])
def test_a_truncated_file_ends_before_its_length(service: Aimlapi, client: httpx.Client, ending: Ending) -> None:
    url = link(client)
    service.fault(Call.FETCH, Truncated(0.25, ending))
    received = 0
    with (
        pytest.raises((httpx.RemoteProtocolError, httpx.ReadError, httpx.ReadTimeout)),
        httpx.stream("GET", url, timeout=httpx.Timeout(20, read=PATIENCE)) as reply,
    ):
        length = int(reply.headers["content-length"])
        for block in reply.iter_raw():
            received += len(block)
    assert 0 < received <= length // 4


def test_a_shortened_file_looks_whole_and_is_not(service: Aimlapi, client: httpx.Client) -> None:
    url = link(client)
    whole = httpx.get(url).content
    service.fault(Call.FETCH, Shortened())
    part = httpx.get(url)
    assert part.status_code == 200
    assert part.content == whole[: len(whole) // 2]


def test_a_corrupt_file_has_its_length_and_cannot_be_decoded(service: Aimlapi, client: httpx.Client) -> None:
    url = link(client)
    whole = httpx.get(url).content
    service.fault(Call.FETCH, Corrupt())
    content = httpx.get(url).content
    assert len(content) == len(whole)
    with pytest.raises(av.error.FFmpegError), av.open(io.BytesIO(content), "r") as container:
        list(container.decode(video=0))


def test_a_length_above_the_truth_never_ends(service: Aimlapi, client: httpx.Client) -> None:
    url = link(client)
    service.fault(Call.FETCH, Claims())
    with (
        pytest.raises(httpx.ReadTimeout),
        httpx.stream("GET", url, timeout=httpx.Timeout(20, read=PATIENCE)) as reply,
    ):
        assert reply.headers["content-length"] == "10000000000"
        list(reply.iter_raw())


def test_a_length_below_the_truth_cuts_the_file(service: Aimlapi, client: httpx.Client) -> None:
    url = link(client)
    service.fault(Call.FETCH, Claims(100, Ending.CLOSED))
    assert len(httpx.get(url).content) == 100


def test_a_redirect_leads_to_another_host(service: Aimlapi, client: httpx.Client) -> None:
    url = link(client)
    service.fault(Call.FETCH, Redirect())
    reply = httpx.get(url, follow_redirects=True, headers={"Authorization": "Bearer secret"})
    assert reply.status_code == 200
    assert [
        (request.headers["host"].split(":")[0], "authorization" in request.headers) for request in service.fetches
    ] == [
        ("127.0.0.1", True),
        ("localhost", False),
    ]


def test_a_restarted_service_keeps_its_tasks() -> None:
    other = Aimlapi(AimlapiSettings(script=Script(waiting=0, running=0)))
    headers = {"Authorization": f"Bearer {other.settings.key}"}
    with other.served() as base_url, httpx.Client(base_url=base_url, headers=headers) as lasting:
        old = link(lasting)
    with pytest.raises(httpx.ConnectError):
        httpx.get(base_url)
    id = other.accepted[0].task
    with other.served(int(base_url.rpartition(":")[2])) as again:
        assert again == base_url
        new = httpx.get(base_url + PATH, params={"generation_id": id}, headers=headers).json()["video"]["url"]
        assert new != old
        assert httpx.get(new).status_code == 200


def test_another_file_can_be_delivered(service: Aimlapi, client: httpx.Client, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.mp4"
    wrong.write_bytes(b"not a film")
    service.use_script(Script(waiting=0, running=0, delivers=wrong), when=lambda order: "rain" not in order.prompt)
    other = link(client)
    id = client.post(PATH, json=BODY | {"prompt": "Sunshine"}).json()["id"]
    url = client.get(PATH, params={"generation_id": id}).json()["video"]["url"]
    assert httpx.get(url).content == b"not a film"
    assert httpx.get(other).content != b"not a film"


def test_a_bug_in_the_emulator_fails_the_test(tmp_path: Path) -> None:
    emulator = Aimlapi()
    emulator.use_script(Script(waiting=0, running=0, delivers=tmp_path / "absent.mp4"))
    with pytest.raises(RuntimeError, match=r"absent\.mp4"), emulator.served() as base_url:
        headers = {"Authorization": f"Bearer {emulator.settings.key}"}
        with httpx.Client(base_url=base_url, headers=headers) as client:
            httpx.get(link(client))
