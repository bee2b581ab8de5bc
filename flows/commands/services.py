"""The commands about services and this machine: `explain`, `providers`, `doctor`, `webhooks` and `player`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from storyreel.flows.commands.options import (
    AsJson,
    Draft,
    Film,
    Provider,
    Set,
    Slate,
    parse_vars,
    print_result,
    request_of,
)
from storyreel.flows.terminal import Terminal


def explain(
    storyboard: Film,
    shot: Slate,
    take: Annotated[
        int | None, typer.Option("--take", metavar="N", help="The number of the take; default: the one in the cut.")
    ] = None,
    provider: Provider = None,
    sets: Set = None,
    draft: Draft = False,
    as_json: AsJson = False,
) -> None:
    """Show the request that a shot's service would get, with its headers. Sends nothing and needs no key."""
    from storyreel.flows.planning.finishing.deliverables import EVERY_DELIVERABLE
    from storyreel.flows.planning.planner import Planner
    from storyreel.flows.services.explain import explain, find_take, print_explanation

    asked = Planner.of(request_of(storyboard, provider, sets, draft=draft))
    planner = asked._replace(deliverables=(EVERY_DELIVERABLE,))
    plan = planner.plan()
    try:
        chosen = find_take(plan, shot, take)
    except LookupError as error:
        raise typer.BadParameter(str(error)) from error
    print_result(explain(planner.film, plan, chosen), as_json, print_explanation)


def providers(
    film: Annotated[
        Path | None,
        typer.Option("--for", metavar="STORYBOARD", help="Show which service can make which shot of this film."),
    ] = None,
    sets: Set = None,
    as_json: AsJson = False,
) -> None:
    """Show the services, what each can make and costs, and whether its key is set."""
    from storyreel.flows.services.catalogue import installed_services, loadable_providers, print_services
    from storyreel.flows.services.compatibility import check_compatibility, print_compatibility
    from storyreel.specs.reading import read

    if film is None:
        print_result(installed_services(), as_json, print_services)
        return
    storyboard = read(film, parse_vars(sets))
    results = check_compatibility(storyboard, loadable_providers())
    print_result(results, as_json, partial(print_compatibility, title=storyboard.title))


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Make no network requests.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also check services whose key is not set.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check what is set up on this machine and what is missing, and how to set it up. Never shows a key."""
    from storyreel.flows.diagnostics.doctor import examine, print_checkup

    checkup = examine(offline=offline, everything=everything)
    print_result(checkup, as_json, print_checkup)
    if not checkup.is_well:
        raise typer.Exit(1)


def webhooks(
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="The port to listen on; 0 for any free port.")
    ] = 4280,
) -> None:
    """Receive the callbacks of services, so that a finished clip is downloaded at once. Runs until Ctrl-C."""
    from storyreel.flows.services.webhooks import serve

    serve(host, port, Terminal(stderr=True))


def player(
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="The address to listen on; others have signed links only.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="N", min=0, max=65535, help="The port to listen on; default: 4210; 0 for any."),
    ] = None,
) -> None:
    """Play films and takes in browsers, from the links on Prefect's pages. Runs until Ctrl-C.

    `storyreel ui` and `serve` do this for browsers on this machine.
    """
    from storyreel.flows.player.running import play
    from storyreel.tasks.home import Home

    console = Terminal(stderr=True, soft_wrap=True)
    play(Home.of(), console.print, host, port)
