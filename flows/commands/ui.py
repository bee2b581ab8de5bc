"""The command that shows runs in a browser."""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import Annotated

import typer
from rich.console import Console


def ui(
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Where it answers; 4200 by default.")
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the server that this command has started.")] = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the page in the browser.")] = False,
) -> None:
    """Show all runs in the browser: start a Prefect server that stays, if none runs yet, and open its page."""
    from storyreel.flows.servers import background
    from storyreel.flows.servers.choose import configured_server, set_prefect_defaults

    console = Console()
    if stop:
        console.print(background.stop(), highlight=False, soft_wrap=True)
        return
    set_prefect_defaults()
    if named := configured_server():
        page, words = named, "Runs report to the server that PREFECT_API_URL names"
    else:
        with Console(stderr=True).status("starting Prefect"):
            server = background.start(port)
        page, words = server.pages, server.message
    console.print(f"{words}: [bold]{page}[/bold]", highlight=False, soft_wrap=True)
    if not no_open and _has_a_screen():
        webbrowser.open(page)


def _has_a_screen() -> bool:
    """Without one, a browser of the terminal would take its place."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
