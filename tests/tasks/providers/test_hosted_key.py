"""The key and the base URL of every hosted service: errors in them are reported, the key is sent nowhere else."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from storyreel.tasks.providers.errors import Ambiguous, Terminal, Transient
from storyreel.tasks.settings import SettingsError
from tests.services.faults import Call, Redirect
from tests.tasks.providers.hosted_services import KEY, Service, nothing, opened, own_error, request


async def test_the_key_goes_to_the_service_alone(service: Service, tmp_path: Path) -> None:
    async with opened(service) as (provider, emulator):
        status = await provider.poll((await provider.submit(request(service))).task)
        await provider.fetch(request(service), status, tmp_path / "take.mp4", nothing)
    assert all(KEY in str(received.headers) for received in emulator.requests)
    assert emulator.fetches and not any(KEY in str(received.headers) + received.target for received in emulator.fetches)


async def test_a_wrong_key_is_reported_and_never_shown(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    emulator = service.emulated()
    with emulator.served() as base_url:
        async with service.provider(base_url, key="sk-of-somebody-else") as provider:
            emulator.fault(Call.CREATE, own_error(service, 401, "no such key: sk-of-somebody-else"))
            for _ in range(2):
                with pytest.raises(Terminal, match="key") as refused:
                    await provider.submit(request(service))
                text = f"{refused.value!r} {refused.value} {vars(refused.value)}"
                assert "somebody-else" not in text
                assert "storyreel doctor" in refused.value.next
    assert "somebody-else" not in caplog.text


@pytest.mark.parametrize("key", ["sk-one\nsk-two", "sk-ключ", "sk with space", "“sk-quoted”"])
async def test_an_impossible_key_is_refused_and_never_shown(service: Service, key: str) -> None:
    with pytest.raises(Terminal) as refused:
        async with service.provider("http://127.0.0.1:9", key=key):
            pass
    assert service.key_variable in str(refused.value)
    assert "sk" not in str(refused.value).replace("DASHSCOPE", "")


async def test_a_key_with_a_line_break_at_its_end_works(service: Service) -> None:
    emulator = service.emulated()
    with emulator.served() as base_url:
        async with service.provider(base_url, key=f"{KEY}\n") as provider:
            await provider.submit(request(service))
    assert len(emulator.accepted) == 1


async def test_without_a_key_nothing_is_opened(service: Service) -> None:
    assert service.adapter.missing_variable({}) == service.adapter.missing_variable({service.key_variable: " "})
    with pytest.raises(Terminal, match="needs a key") as refused:
        async with service.adapter({}):
            pass
    assert service.key_variable in refused.value.next


@pytest.mark.parametrize("base", ["api.example.com", "ftp://example.com", "http://", "https://[::1"])
async def test_an_invalid_base_url_is_refused(service: Service, base: str) -> None:
    with pytest.raises(SettingsError, match=service.base_url_variable):
        async with service.provider(base):
            pass


@pytest.mark.parametrize("call", [Call.CREATE, Call.POLL])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed_with_the_key(service: Service, call: Call, status: int) -> None:
    async with opened(service) as (provider, emulator):
        accepted = await provider.submit(request(service))
        other = service.emulated()
        with other.served() as elsewhere:
            emulator.fault(call, Redirect(elsewhere, status))
            kind = Ambiguous if call is Call.CREATE else Transient
            with pytest.raises(kind, match=r"redirects to 127\.0\.0\.1") as told:
                await (provider.submit(request(service)) if call is Call.CREATE else provider.poll(accepted.task))
    assert "_BASE_URL" in told.value.hint
    assert other.requests == []
    assert len(emulator.accepted) == 1
