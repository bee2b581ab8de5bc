"""The command `ui`, which shows runs in a browser."""

from __future__ import annotations

import os
import re
import sys
import webbrowser
from typing import TYPE_CHECKING, Annotated

import typer

from storyreel.flows.errors import NotAllowed, RunFailed
from storyreel.flows.output import legible
from storyreel.flows.terminal import Terminal, styled
from storyreel.tasks.settings import PLAYER_URL, Settings

if TYPE_CHECKING:
    from storyreel.flows.servers.background import BackgroundServer
    from storyreel.flows.servers.prefect_settings import NamedServer

_PROFILE = "storyreel"
"""Name of the profile that is proposed."""


def ui(
    port: Annotated[
        int | None, typer.Option("--port", metavar="N", min=1, max=65535, help="The server's port; default: 4200.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="Name the server in this profile of Prefect's and make it the active one, so that `prefect` uses the "
            "server too.",
        ),
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the server that this command started.")] = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the page in the browser.")] = False,
) -> None:
    """Open the page of all runs in the browser. Starts a Prefect server in the background if none is running."""
    from storyreel.flows.player import running
    from storyreel.flows.servers import background
    from storyreel.flows.servers.choose import set_prefect_defaults
    from storyreel.tasks.home import Home

    console = Terminal()
    set_prefect_defaults()
    if stop:
        running.stop(Home.of())
        console.print(background.stop(), soft_wrap=True)
        return
    from storyreel.flows.servers.prefect_settings import named_server

    named = named_server()
    _check(port, profile, named)
    with Terminal(stderr=True).status("starting Prefect") as status:
        if named and not (profile and named.profile):
            server = background.start_named(named, status.update)
        else:
            server = background.start(port or (named.port if named else None), status.update)
    console.print(styled(f"{server.message}: ", (server.pages, "bold")), soft_wrap=True)
    if profile or not named or named.api != server.api:
        _name(server, profile, console)
    console.print(_start_player(), soft_wrap=True)
    if not no_open and _has_display():
        webbrowser.open(server.pages)


def _check(port: int | None, profile: str | None, named: NamedServer | None) -> None:
    """Return if the options agree with what Prefect's settings name. Raises NotAllowed and typer.BadParameter."""
    if profile is not None and not re.fullmatch(r"[\w-]+", profile):
        raise typer.BadParameter(f"--profile: {profile!r} is not a name; for example --profile {_PROFILE}")
    if not named:
        return
    if profile and not named.profile:
        what = f"{named.where} names {named.pages}, and is stronger than a profile"
        raise NotAllowed(what, next=f"{named.remedy}, then storyreel ui --profile {profile}")
    if port and not profile and port != named.port:
        what = f"{named.where} names {named.pages}, to which runs report, and not port {port}"
        by_profile = f"storyreel ui --port {port} --profile {named.profile}"
        raise NotAllowed(what, next=by_profile if named.profile else f"{named.remedy}, then storyreel ui --port {port}")


def _name(server: BackgroundServer, profile: str | None, console: Terminal) -> None:
    """Name the server in a profile if one is given or the user agrees; otherwise print how to name it."""
    from storyreel.flows.commands.options import can_ask
    from storyreel.flows.servers.prefect_settings import use_profile

    if not profile and server.is_new and can_ask(console):
        question = f"Let `prefect` use this server too, by a profile {_PROFILE!r} that becomes its active one?"
        profile = _PROFILE if typer.confirm(legible(question), err=True) else None
    if profile:
        path = use_profile(profile, server.api)
        console.print(f"`prefect` and `storyreel` use it: the active profile in {path} is {profile}", soft_wrap=True)
        if os.environ.get("PREFECT_PROFILE", profile) != profile:
            console.print(f"in this terminal after: export PREFECT_PROFILE={profile}", soft_wrap=True)
        return
    who = "`prefect` and `storyreel` use" if server.is_foreign else "`prefect` uses"
    console.print(f"{who} it in a terminal after: export PREFECT_API_URL={server.api}", soft_wrap=True)
    console.print(f"or in all terminals after: storyreel ui --profile {_PROFILE}", soft_wrap=True)


def _start_player() -> str:
    """Start the player of this home; returns a line with its address, or with the reason why it has none."""
    from storyreel.flows.player import running
    from storyreel.tasks.home import Home
    from storyreel.tasks.storage.disk import DiskError

    if elsewhere := Settings.read().player_url:
        return f"Films and takes are played at {elsewhere}, which {PLAYER_URL} names"
    try:
        return f"Films and takes are played from their pages, by {running.start(Home.of())}"
    except (RunFailed, DiskError) as error:
        return f"note: films and takes cannot be played: {'; '.join(filter(None, (error.message, error.hint)))}"


def _has_display() -> bool:
    """Whether a graphical browser can be opened; without a display a text browser would take over the terminal."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
