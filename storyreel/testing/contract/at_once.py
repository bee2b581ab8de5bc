"""An order whose product is in the answer, as of speech: the answer is all that there is of it."""

from __future__ import annotations

import pytest

from storyreel.tasks.providers.capability import Capability
from storyreel.tasks.providers.errors import Ambiguous, Refused, Transient
from storyreel.testing.faults import Answer, Call, HangUp, Page, Reset, Silence, Trouble, Truncated
from storyreel.testing.requests import request_for
from storyreel.testing.service import HostedService


@pytest.mark.asyncio
class AtOnce:
    """Such an order is sent once, and is accepted only with its product."""

    @pytest.fixture
    def at_once(self, service: HostedService) -> Capability:
        """Its ability to answer with the product."""
        able = (each for model in service.adapter.models.values() for each in model.modes.values())
        found = next((each for each in able if each.answers_at_once), None)
        if found is None:
            pytest.skip("every order of the service makes a task")
        return found

    async def test_the_answer_has_the_product_and_an_id(self, service: HostedService, at_once: Capability) -> None:
        async with service.opened() as (provider, emulator):
            first, second = [await provider.submit(request_for(service.adapter, at_once)) for _ in range(2)]
        assert first.task and second.task and first.task != second.task
        assert first.answer and first.answer.state == "finished" and first.answer.clip_url
        assert len(emulator.requests) == len(emulator.accepted) == 2

    @pytest.mark.parametrize(
        "trouble",
        [Reset(), HangUp(), Page(), Page(500), Silence(), Truncated(), Answer(500), Answer(504)],
        ids=lambda trouble: f"{type(trouble).__name__}{getattr(trouble, 'status', '')}",
    )
    async def test_a_lost_answer_is_ambiguous_and_the_order_sent_once(
        self, service: HostedService, at_once: Capability, trouble: Trouble
    ) -> None:
        async with service.opened(timeout=1 if isinstance(trouble, Silence) else 10) as (provider, emulator):
            emulator.fault(Call.CREATE, trouble, accepted=True)
            with pytest.raises(Ambiguous):
                await provider.submit(request_for(service.adapter, at_once))
        assert len(emulator.requests) == len(emulator.accepted) == 1

    async def test_a_refusal_and_a_busy_service_sell_nothing(self, service: HostedService, at_once: Capability) -> None:
        async with service.opened() as (provider, emulator):
            emulator.fault(Call.CREATE, service.refusal(400, "no such voice"))
            with pytest.raises(Refused, match="no such voice"):
                await provider.submit(request_for(service.adapter, at_once))
            emulator.fault(Call.CREATE, Answer(429))
            with pytest.raises(Transient):
                await provider.submit(request_for(service.adapter, at_once))
        assert len(emulator.requests) == 2 and not emulator.accepted

    @pytest.mark.parametrize("body", [b"{}", b'{"output": {"audio": {}}}', b'{"request_id": "r-1"}', b"[]", b"no"])
    async def test_a_success_without_the_product_is_ambiguous(
        self, service: HostedService, at_once: Capability, body: bytes
    ) -> None:
        async with service.answering(lambda _: body) as provider:
            with pytest.raises(Ambiguous):
                await provider.submit(request_for(service.adapter, at_once))
