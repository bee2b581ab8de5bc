"""Tells people what becomes of their films: by Slack, a webhook or e-mail, through automations of Prefect's server.

A channel is a block of Prefect, which keeps its address encrypted, and an automation for each occasion. The server
sends the messages, so it is the server that must reach the channel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Literal, get_args
from urllib.parse import quote, unquote, urlencode, urlsplit
from uuid import UUID

from prefect import get_client
from prefect.automations import AutomationCore, CallWebhook, SendNotification
from prefect.blocks.core import Block
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import PrefectClient
from prefect.events import emit_event
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventResourceFilter
from prefect.events.schemas.automations import Automation
from prefect.events.schemas.events import ReceivedEvent
from prefect.exceptions import ObjectNotFound
from prefect.types import SecretDict
from pydantic import SecretStr

from storyreel.flows.lifecycle.automations import put_automation, read_automation
from storyreel.flows.monitoring.occasions import NAMES, PAGES, TEST_EVENT, Name, Occasion, occasions
from storyreel.flows.names import FILM_TAG
from storyreel.flows.servers.prefect_internals import apprise_block, drain_events
from storyreel.specs.foreign_text import printable
from storyreel.specs.frozen import Frozen
from storyreel.specs.secrets import hidden

ChannelName = Literal["slack", "webhook", "email"]
CHANNELS: tuple[ChannelName, ...] = get_args(ChannelName)

_TEST_SECONDS = 20.0
_LOOK_SECONDS = 0.3
_SENT, _NOT_SENT = "prefect.automation.action.executed", "prefect.automation.action.failed"
_LONGEST_ANSWER = 200
_PORTS = {"smtp": 25, "smtps": 465}


class Channel(Frozen):
    """A recipient of messages: an address or a chat."""

    name: ChannelName
    address: SecretStr
    """An http address; of e-mail that of the SMTP server, `smtps://user:password@host:465?from=films@example.com`."""
    to: tuple[str, ...] = ()
    """The recipients of e-mail."""


class ToldChannel(Frozen):
    """A channel as it is set up on the server."""

    channel: ChannelName
    occasions: tuple[Name, ...]
    paused: tuple[str, ...] = ()
    """The names of its automations that a person has paused."""


class SentTest(Frozen):
    """The result of sending a test message."""

    channel: ChannelName
    is_sent: bool
    answer: str
    """The answer of the channel, or why there is none."""


class Told(Frozen):
    """The channels that are told of films, and what became of test messages."""

    channels: tuple[ToldChannel, ...]
    tests: tuple[SentTest, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The form that `notify --json` prints."""
        return self.model_dump(mode="json")


def can_send_mail(channel: Channel) -> bool:
    """Whether Apprise, which sends the mail, takes the addresses of server, sender and recipients."""
    from apprise import Apprise

    address = _mail_address(channel.address.get_secret_value(), channel.to)
    return bool(Apprise.instantiate(address, suppress_exceptions=True))


async def set_channel(channel: Channel, names: Collection[Name], pages: str) -> ToldChannel:
    """Tell a channel of these occasions and of no others. What a person has paused stays paused.

    `pages` is the address of Prefect's pages, as the readers of the messages open it.
    """
    block = await _block(channel).asave(_block_name(channel.name), overwrite=True)
    async with get_client() as client:
        for occasion in occasions(channel.name):
            name = _automation_name(channel.name, occasion)
            current = await read_automation(client, name)
            if occasion.name == "test" or occasion.name in names:
                wanted = AutomationCore(
                    name=name,
                    description=occasion.description,
                    trigger=occasion.trigger,
                    actions=[_action(channel.name, occasion, block, pages)],
                )
                await put_automation(client, current, wanted)
            elif current:
                await client.delete_automation(current.id)
        return await _read(client, channel.name)


async def remove_channel(name: ChannelName) -> bool:
    """Tell a channel nothing any more, and forget its address; returns whether it was told anything."""
    async with get_client() as client:
        found = [one for _, one in await _automations(client, name)]
        for one in found:
            await client.delete_automation(one.id)
        slug = _SLUGS[name]
        try:
            block = await client.read_block_document_by_name(_block_name(name), slug)
        except ObjectNotFound:
            return bool(found)
        await client.delete_block_document(block.id)
    return True


async def told_channels() -> list[ToldChannel]:
    """The channels that are told of anything."""
    async with get_client() as client:
        found = [await _read(client, name) for name in CHANNELS]
    return [one for one in found if one.occasions]


async def send_test(name: ChannelName) -> SentTest:
    """Have the server send a test message to a channel, and wait up to 20 s for what becomes of it."""
    begun = datetime.now(UTC)
    async with get_client() as client:
        automation = next(one for occasion, one in await _automations(client, name) if occasion.name == "test")
        emit_event(
            TEST_EVENT,
            resource={"prefect.resource.id": f"storyreel.notification.{name}", "prefect.resource.name": "a test"},
            payload={"summary": "This is a test. Messages about your films look like this."},
        )
        await drain_events(_TEST_SECONDS)
        deadline = asyncio.get_running_loop().time() + _TEST_SECONDS
        while (result := await _result(client, automation.id, begun)) is None:
            if asyncio.get_running_loop().time() > deadline:
                paused = "" if automation.enabled else ": its automation is paused"
                return SentTest(channel=name, is_sent=False, answer=f"the server did not act within 20 s{paused}")
            await asyncio.sleep(_LOOK_SECONDS)
    return _outcome(name, result)


async def _result(client: PrefectClient, automation: UUID, since: datetime) -> ReceivedEvent | None:
    """The event by which the server says what became of an automation's action; None if there is none yet."""
    about = EventFilter(
        event=EventNameFilter(name=[_SENT, _NOT_SENT]),
        resource=EventResourceFilter(id=[f"prefect.automation.{automation}"]),
        occurred=EventOccurredFilter(since=since),
    )
    return next(iter((await client.read_events(about, limit=1)).events), None)


def _outcome(name: ChannelName, event: ReceivedEvent) -> SentTest:
    result = event.payload
    status = result.get("status_code")
    if event.event == _SENT and (status is None or status < 400):
        return SentTest(channel=name, is_sent=True, answer=f"{status}" if status else "accepted")
    what = result.get("notification_log") or result.get("reason") or f"{status}: {result.get('response_body', '')}"
    words = " ".join(printable(hidden(str(what))).split())
    return SentTest(channel=name, is_sent=False, answer=words[:_LONGEST_ANSWER])


async def _read(client: PrefectClient, channel: ChannelName) -> ToldChannel:
    found = await _automations(client, channel)
    told = {occasion.name for occasion, _ in found}
    return ToldChannel(
        channel=channel,
        occasions=tuple(name for name in NAMES if name in told),
        paused=tuple(one.name for _, one in found if not one.enabled),
    )


async def _automations(client: PrefectClient, channel: ChannelName) -> list[tuple[Occasion, Automation]]:
    """The automations of a channel that exist."""
    wanted = [(occasion, _automation_name(channel, occasion)) for occasion in occasions(channel)]
    return [(occasion, one) for occasion, name in wanted if (one := await read_automation(client, name))]


def _automation_name(channel: ChannelName, occasion: Occasion) -> str:
    return f"storyreel tells {channel}: {occasion.title}"


def _block_name(channel: ChannelName) -> str:
    return f"storyreel-{channel}"


def _block(channel: Channel) -> Block:
    address = channel.address.get_secret_value()
    if channel.name == "email":
        return apprise_block(_mail_address(address, channel.to))
    # Slack's webhooks take JSON with a `text`, and so do Mattermost's; Prefect's block for Slack takes Slack's alone.
    return Webhook(url=SecretStr(address), headers=SecretDict({"Content-Type": "application/json"}))


_SLUGS: dict[ChannelName, str] = {"slack": "webhook", "webhook": "webhook", "email": "slack-webhook"}


def _action(channel: ChannelName, occasion: Occasion, block: UUID, pages: str) -> CallWebhook | SendNotification:
    subject = occasion.subject.replace(PAGES, pages)
    lines = [line.replace(PAGES, pages) for line in occasion.lines]
    if channel == "email":
        return SendNotification(block_document_id=block, subject=f"Storyreel: {subject}", body=_text(lines))
    payload = _SLACK if channel == "slack" else _JSON
    template = f"{{% set subject %}}{subject}{{% endset %}}{{% set text %}}{_text(lines)}{{% endset %}}"
    template += f"{{% set text = text | trim %}}{_FILM}{payload}"
    return CallWebhook(block_document_id=block, payload=template.replace("@OCCASION@", occasion.name))


def _text(lines: list[str]) -> str:
    """A template of the lines that are not empty."""
    return "".join(f"{{% set line %}}{line}{{% endset %}}{{{{ line ~ '\n' if line | trim }}}}" for line in lines)


_FILM = (
    # Events of Prefect's own, such as that of a failed run, name no film; tags of the run or its deployment do.
    "{% set film = namespace(title=event.resource['storyreel.film'] or '') %}"
    "{% for tag in flow_run.tags or deployment.tags or [] %}{% if not film.title and tag.startswith('"
    f"{FILM_TAG}') %}}{{% set film.title = tag[{len(FILM_TAG)}:] %}}{{% endif %}}{{% endfor %}}"
)
_SLACK = (
    # These three characters, and no others, are escaped (api.slack.com/docs/message-formatting, read 2026-11-29):
    # `<!channel>` in a title would call everybody.
    "{% set whole = '*' ~ (subject | replace('*', ' ')) ~ '*\\n' ~ text %}"
    "{\"text\": {{ whole | replace('&', '&amp;') | replace('<', '&lt;') | replace('>', '&gt;') | tojson }}}"
)
_JSON = (
    '{"occasion": "@OCCASION@", "subject": {{ subject | tojson }}, "text": {{ text | tojson }}, '
    '"film": {{ film.title | tojson }}, '
    '"event": {{ event.event | tojson }}, "flow_run": {{ (flow_run.id | string if flow_run.id else None) | tojson }}, '
    '"details": {{ event.payload | tojson }}}'
)


def _mail_address(smtp: str, recipients: tuple[str, ...]) -> str:
    """An address of Apprise for e-mail by an SMTP server.

    With `smtps` the connection is encrypted from the first byte; with `smtp` by STARTTLS if there is a password, which
    is never sent unencrypted.
    """
    parts = urlsplit(smtp)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    given = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    sender = unquote(given.get("from", "")) or (user if "@" in user else recipients[0])
    scheme = "mailtos" if parts.scheme == "smtps" or password else "mailto"
    mode = {"mode": "ssl" if parts.scheme == "smtps" else "starttls"} if scheme == "mailtos" else {}
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    host = parts.hostname or ""
    query = {"smtp": host, "from": sender, "to": ",".join(recipients), "format": "text", **mode}
    return f"{scheme}://{login}{host}:{parts.port or _PORTS[parts.scheme]}?{urlencode(query)}"
