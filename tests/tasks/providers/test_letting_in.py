"""The key and the address of every hosted service: what is wrong with them is said, and the key goes nowhere else."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from storyreel.tasks.providers.errors import Refusal, Terminal
from storyreel.tasks.settings import SettingsError
from tests.services.faults import Answer, Call, Redirect
from tests.tasks.providers.houses import KEY, House, nothing, opened, request


async def test_the_key_goes_to_the_service_and_to_nobody_else(house: House, tmp_path: Path) -> None:
    async with opened(house) as (provider, emulator):
        status = await provider.poll((await provider.submit(request(house))).task)
        await provider.fetch(request(house), status, tmp_path / "take.mp4", nothing)
    assert all(KEY in str(heard.headers) for heard in emulator.requests)
    assert emulator.fetches and not any(KEY in str(heard.headers) + heard.target for heard in emulator.fetches)


async def test_a_wrong_key_is_said_and_never_shown(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    emulator = house.emulated()
    with emulator.served() as base_url:
        async with house.provider(base_url, key="sk-of-somebody-else") as provider:
            emulator.fault(Call.CREATE, Answer(401, {"message": "no such key: sk-of-somebody-else"}))
            for _ in range(2):
                with pytest.raises(Terminal, match="key") as refused:
                    await provider.submit(request(house))
                told = f"{refused.value!r} {refused.value} {vars(refused.value)}"
                assert "somebody-else" not in told
                assert "storyreel doctor" in refused.value.next
    assert "somebody-else" not in caplog.text


@pytest.mark.parametrize("key", ["sk-one\nsk-two", "sk-ключ", "sk with space", "“sk-quoted”"])
async def test_a_key_that_cannot_be_one_is_refused_before_it_can_stand_in_any_message(house: House, key: str) -> None:
    with pytest.raises(Terminal) as refused:
        async with house.provider("http://127.0.0.1:9", key=key):
            pass
    assert house.key_variable in str(refused.value)
    assert "sk" not in str(refused.value).replace("DASHSCOPE", "")


async def test_a_key_with_a_line_break_at_its_end_works(house: House) -> None:
    emulator = house.emulated()
    with emulator.served() as base_url:
        async with house.provider(base_url, key=f"{KEY}\n") as provider:
            await provider.submit(request(house))
    assert len(emulator.accepted) == 1


async def test_without_a_key_nothing_is_opened(house: House) -> None:
    assert house.adapter.missing_variable({}) == house.adapter.missing_variable({house.key_variable: " "})
    with pytest.raises(Terminal, match="needs a key") as refused:
        async with house.adapter({}):
            pass
    assert house.key_variable in refused.value.next


@pytest.mark.parametrize("base", ["api.example.com", "ftp://example.com", "http://", "https://[::1"])
async def test_a_base_url_that_is_none_is_refused(house: House, base: str) -> None:
    with pytest.raises(SettingsError, match=house.base_url_variable):
        async with house.provider(base):
            pass


@pytest.mark.parametrize("call", [Call.CREATE, Call.LOOK])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed_with_the_key(house: House, call: Call, status: int) -> None:
    async with opened(house) as (provider, emulator):
        accepted = await provider.submit(request(house))
        other = house.emulated()
        with other.served() as elsewhere:
            emulator.fault(call, Redirect(elsewhere, status))
            with pytest.raises(Terminal, match=r"redirects to 127\.0\.0\.1") as refused:
                await (provider.submit(request(house)) if call is Call.CREATE else provider.poll(accepted.task))
    assert not isinstance(refused.value, Refusal)
    assert other.requests == []
    assert len(emulator.accepted) == 1
