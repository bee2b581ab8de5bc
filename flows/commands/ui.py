"""The command `ui`, which shows runs in a browser."""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import Annotated

import typer

from storyreel.flows.errors import RunFailed
from storyreel.flows.terminal import Terminal, styled
from storyreel.tasks.home import Home
from storyreel.tasks.settings import PLAYER_URL, Settings


def ui(
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="The server's port; default: 4200.")
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the server that this command started.")] = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the page in the browser.")] = False,
) -> None:
    """Open the page of all runs in the browser. Starts a Prefect server in the background if none is running."""
    from storyreel.flows.player import running
    from storyreel.flows.servers import background
    from storyreel.flows.servers.choose import configured_server, set_prefect_defaults

    console = Terminal()
    if stop:
        running.stop(Home.of())
        console.print(background.stop(), soft_wrap=True)
        return
    set_prefect_defaults()
    if configured := configured_server():
        pages, message = configured, "Runs report to the server that PREFECT_API_URL names"
    else:
        with Terminal(stderr=True).status("starting Prefect"):
            server = background.start(port)
        pages, message = server.pages, server.message
    console.print(styled(f"{message}: ", (pages, "bold")), soft_wrap=True)
    console.print(_start_player(), soft_wrap=True)
    if not no_open and _has_display():
        webbrowser.open(pages)


def _start_player() -> str:
    """Start the player of this home; returns a line that says where films are played, or why not."""
    from storyreel.flows.player import running

    if elsewhere := Settings.read().player_url:
        return f"Films and takes are played at {elsewhere}, which {PLAYER_URL} names"
    try:
        return f"Films and takes are played from their pages, by {running.start(Home.of())}"
    except RunFailed as error:
        return f"note: films and takes cannot be played: {error.message}; {error.hint}"


def _has_display() -> bool:
    """Whether a graphical browser can be opened; without a display a text browser would take over the terminal."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
