"""The key and the address of a service."""

from __future__ import annotations

import base64
import logging
import re
from pathlib import Path

import pytest

from storyreel.tasks.providers.errors import (
    Ambiguous,
    Terminal,
    Transient,
)
from storyreel.tasks.settings import SettingsError
from storyreel.testing.faults import Call, Redirect
from storyreel.testing.recorded import KEY
from storyreel.testing.service import HostedService, finished

SECRETIVE = "sk-0123456789abcdef"


@pytest.mark.asyncio
class Key:
    """The key is sent to the service alone and shown nowhere."""

    async def test_the_key_goes_to_the_service_alone(self, service: HostedService, tmp_path: Path) -> None:
        async with service.opened() as (provider, emulator):
            status = await finished(provider, (await provider.submit(service.request())).task)
            await provider.fetch(service.request(), status, tmp_path / "take.mp4", lambda _: None)
        assert all(KEY in str(received.headers) and KEY not in received.target for received in emulator.requests)
        assert emulator.fetches
        assert not any(KEY in str(received.headers) + received.target for received in emulator.fetches)

    async def test_a_key_that_a_service_repeats_is_in_no_error_or_log(
        self, service: HostedService, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        coded = base64.b64encode(SECRETIVE.encode()).decode()
        for error in await service.told(f"the key {SECRETIVE} (in base64 {coded}) may not", SECRETIVE):
            told = f"{error}{error!r}{vars(error)}"
            assert SECRETIVE not in told and coded.rstrip("=") not in told
        assert SECRETIVE not in caplog.text

    async def test_a_wrong_key_is_reported_and_never_shown(
        self, service: HostedService, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        emulator = service.emulated()
        with emulator.served() as base_url:
            async with service.provider(base_url, key="sk-of-somebody-else") as provider:
                emulator.fault(Call.CREATE, service.refusal(401, "no such key: sk-of-somebody-else"))
                for _ in range(2):
                    with pytest.raises(Terminal, match="key") as refused:
                        await provider.submit(service.request())
                    text = f"{refused.value!r} {refused.value} {vars(refused.value)}"
                    assert "somebody-else" not in text
                    assert "storyreel doctor" in refused.value.next
        assert "somebody-else" not in caplog.text

    async def test_a_key_with_a_line_break_at_its_end_works(self, service: HostedService) -> None:
        emulator = service.emulated()
        with emulator.served() as base_url:
            async with service.provider(base_url, key=f"{KEY}\n") as provider:
                await provider.submit(service.request())
        assert len(emulator.accepted) == 1

    @pytest.mark.parametrize("key", ["sk-one\nsk-two", "sk-ключ", "sk with space", "“sk-quoted”"])
    async def test_an_impossible_key_is_refused_and_never_shown(self, service: HostedService, key: str) -> None:
        with pytest.raises(Terminal) as refused:
            async with service.provider("http://127.0.0.1:9", key=key):
                pass
        assert service.key_variable in str(refused.value)
        assert not re.search(r"\bsk\b", str(refused.value))

    async def test_without_a_key_nothing_is_opened(self, service: HostedService) -> None:
        for environment in ({}, {service.key_variable: " "}):
            assert service.adapter.missing_variable(environment) == service.key_variable
        with pytest.raises(Terminal, match="needs a key") as refused:
            async with service.adapter({}):
                pass
        assert service.key_variable in refused.value.next

    @pytest.mark.parametrize("base", ["api.example.com", "ftp://example.com", "http://", "https://[::1"])
    async def test_an_invalid_base_url_is_refused(self, service: HostedService, base: str) -> None:
        with pytest.raises(SettingsError, match=service.base_url_variable):
            async with service.provider(base):
                pass

    @pytest.mark.parametrize("call", [Call.CREATE, Call.POLL])
    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    async def test_a_redirect_is_not_followed_with_the_key(
        self, service: HostedService, call: Call, status: int
    ) -> None:
        async with service.opened() as (provider, emulator):
            accepted = await provider.submit(service.request())
            other = service.emulated()
            with other.served() as elsewhere:
                emulator.fault(call, Redirect(elsewhere, status))
                kind = Ambiguous if call is Call.CREATE else Transient
                with pytest.raises(kind, match=r"redirects to 127\.0\.0\.1") as told:
                    await (provider.submit(service.request()) if call is Call.CREATE else provider.poll(accepted.task))
        assert "_BASE_URL" in told.value.hint
        assert other.requests == []
        assert len(emulator.accepted) == 1
