"""The command `notify`, which has people told of their films."""

from __future__ import annotations

import asyncio
import sys
from getpass import getpass
from typing import TYPE_CHECKING, Annotated, cast
from urllib.parse import urlsplit

import typer
from pydantic import SecretStr

from storyreel.flows.commands import options
from storyreel.flows.errors import RunFailed
from storyreel.flows.terminal import Terminal
from storyreel.specs.problems.phrases import listed, shown

if TYPE_CHECKING:
    from storyreel.flows.monitoring.notifications import Channel, ChannelName, Told
    from storyreel.flows.monitoring.occasions import Name

_AGAIN = {"slack": "--slack -", "webhook": "--webhook -", "email": "--email ADDRESS --smtp -"}
"""The options that ask for another address."""
_OCCASIONS = "`approval`, `budget`, `failed`, `unknown`, `ready`, `worker`"


def notify(
    slack: Annotated[
        str | None,
        typer.Option("--slack", metavar="URL", help="Tell Slack by a webhook of it; `-` asks for the address."),
    ] = None,
    webhook: Annotated[
        str | None,
        typer.Option("--webhook", metavar="URL", help="Send JSON to this address; `-` asks for it."),
    ] = None,
    email: Annotated[
        list[str] | None, typer.Option("--email", metavar="ADDRESS", help="Send e-mail to this person. Repeatable.")
    ] = None,
    smtp: Annotated[
        str | None,
        typer.Option(
            "--smtp",
            metavar="URL",
            help="The mail server: `smtps://user:password@mail.example.com?from=films@example.com`, or `smtp://…`; "
            "`-` asks for it.",
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="OCCASIONS", help=f"Of what, separated by commas; default: all, {_OCCASIONS}."),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", metavar="CHANNEL", help="Tell `slack`, `webhook` or `email` no more. Repeatable."),
    ] = None,
    pages: Annotated[
        str | None,
        typer.Option(
            "--pages", metavar="URL", help="Prefect's pages as readers open them; default: as they are opened here."
        ),
    ] = None,
    no_test: Annotated[bool, typer.Option("--no-test", help="Send no test message.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Have people told when a film waits for approval, exceeds its budget, fails or is ready. Alone, it lists who is
    told of what."""
    from storyreel.flows.servers.choose import lasting_server, set_prefect_defaults

    set_prefect_defaults()
    from storyreel.flows.monitoring import notifications

    channels = _channels(slack, webhook, email, smtp)
    names, removed = _names(on), _removed(remove)
    if pages:
        _require_url("--pages", pages, "http", "https")
    console = Terminal(stderr=True)
    with console.status("asking Prefect"), lasting_server() as page:

        async def carry_out() -> notifications.Told:
            for name in removed:
                if not await notifications.remove_channel(name):
                    console.print(f"note: {name} was told of nothing")
            for channel in channels:
                await notifications.set_channel(channel, names, (pages or page).rstrip("/"))
            tests = [] if no_test else [await notifications.send_test(channel.name) for channel in channels]
            return notifications.Told(channels=tuple(await notifications.told_channels()), tests=tuple(tests))

        told = asyncio.run(carry_out())
    options.print_result(told, as_json, _print_told)
    if failed := [test for test in told.tests if not test.is_sent]:
        what = "; ".join(f"{test.channel} was not reached: {test.answer}" for test in failed)
        hint = "Prefect's server sends the messages: it must reach the address, and run its triggers and actions"
        raise RunFailed(what, hint=hint, next="; ".join(f"storyreel notify {_AGAIN[test.channel]}" for test in failed))


def _channels(slack: str | None, webhook: str | None, email: list[str] | None, smtp: str | None) -> list[Channel]:
    from storyreel.flows.monitoring.notifications import Channel, can_send_mail

    found = []
    for name, option, given in (("slack", "--slack", slack), ("webhook", "--webhook", webhook)):
        if given:
            address = _asked(option, given)
            _require_url(option, address, "http", "https")
            found.append(Channel(name=cast("ChannelName", name), address=SecretStr(address)))
    if bool(email) != bool(smtp):
        raise typer.BadParameter("--email and --smtp belong together: who is written to, and the server that sends it")
    if email and smtp:
        if wrong := next((one for one in email if not _is_mail_address(one)), None):
            raise typer.BadParameter(f"--email: {shown(wrong)!r} is not an address; for example ana@example.com")
        address = _asked("--smtp", smtp)
        _require_url("--smtp", address, "smtp", "smtps")
        mail = Channel(name="email", address=SecretStr(address), to=tuple(dict.fromkeys(email)))
        if not can_send_mail(mail):
            raise typer.BadParameter(
                "--email, and `from=` of --smtp, want whole addresses of e-mail, such as films@example.com"
            )
        found.append(mail)
    return found


def _names(given: str | None) -> tuple[Name, ...]:
    from storyreel.flows.monitoring.occasions import NAMES

    wanted = [name.strip() for name in given.split(",")] if given else list(NAMES)
    if unknown := next((name for name in wanted if name not in NAMES), None):
        raise typer.BadParameter(f"--on: there is no occasion {shown(unknown)!r}; there are {listed(NAMES, 'and')}")
    return tuple(name for name in NAMES if name in wanted)


def _removed(given: list[str] | None) -> list[ChannelName]:
    from storyreel.flows.monitoring.notifications import CHANNELS

    if unknown := next((name for name in given or () if name not in CHANNELS), None):
        raise typer.BadParameter(
            f"--remove: there is no channel {shown(unknown)!r}; there are {listed(CHANNELS, 'and')}"
        )
    return [name for name in CHANNELS if name in (given or ())]


def _asked(option: str, given: str) -> str:
    """An address that may hold a secret: as given, or for `-` as typed, which is not shown, or piped in."""
    if given != "-":
        return given.strip()
    return (getpass(f"{option} address: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()


def _require_url(option: str, address: str, *schemes: str) -> None:
    """Raise typer.BadParameter, which does not show the address, unless it is one of these schemes with a host."""
    try:
        parts = urlsplit(address)
        is_url = parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_url = False
    if not is_url:
        example = f"{schemes[-1]}://{'mail' if schemes[-1] == 'smtps' else 'hooks'}.example.com/…"
        raise typer.BadParameter(f"{option} wants an address that begins with {schemes[0]}:// or {example}")


def _is_mail_address(text: str) -> bool:
    name, _, host = text.rpartition("@")
    return bool(name and host) and not set(text) & set(" ,;<>\"'\n\r\t")


def _print_told(console: Terminal, told: Told) -> None:
    for test in told.tests:
        if test.is_sent:
            console.print(f"test      {test.channel}: sent ({test.answer})", soft_wrap=True)
    for one in told.channels:
        console.print(f"{one.channel:<9} is told of: {', '.join(one.occasions)}", soft_wrap=True)
        for name in one.paused:
            console.print(f"paused    {name}", soft_wrap=True)
    if not told.channels:
        console.print("nobody is told of anything; to begin: storyreel notify --slack URL", soft_wrap=True)
