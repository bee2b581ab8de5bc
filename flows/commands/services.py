"""The commands that look at services and at this machine, and the one that waits for services to call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from storyreel.flows.commands.options import AsJson, Film, Provider, Set, print_json, request_of, words


def explain(
    storyboard: Film,
    shot: Annotated[str, typer.Argument(metavar="SHOT", help="The shot's slate.", show_default=False)],
    take: Annotated[
        int | None, typer.Option("--take", metavar="N", help="Which take; the one in the cut by default.")
    ] = None,
    provider: Provider = None,
    sets: Set = None,
    as_json: AsJson = False,
) -> None:
    """Show what a shot would be asked for, to the last header; send nothing. No key is needed."""
    from storyreel.flows.planning.planner import Planner
    from storyreel.flows.services.explain import explain, find_take, print_explanation

    planner = Planner.of(request_of(storyboard, provider, sets))
    plan = planner.plan()
    try:
        picked = find_take(plan, shot, take)
    except LookupError as error:
        raise typer.BadParameter(str(error)) from error
    explained = explain(planner.film, plan, picked)
    if as_json:
        print_json(explained.as_json())
    else:
        print_explanation(Console(), explained)


def providers(
    film: Annotated[
        Path | None, typer.Option("--for", metavar="STORYBOARD", help="Which of them can shoot which of its shots.")
    ] = None,
    sets: Set = None,
    as_json: AsJson = False,
) -> None:
    """Show the services, what each is able to do, and whether its key is set."""
    from storyreel.flows.services.catalogue import installed_services, loadable_providers, print_services
    from storyreel.flows.services.compatibility import check_compatibility, print_compatibility
    from storyreel.specs.reading import read

    if film is None:
        found = installed_services()
        if as_json:
            print_json([service.as_json() for service in found])
        else:
            print_services(Console(), found)
        return
    board = read(film, words(sets))
    auditions = check_compatibility(board, loadable_providers())
    if as_json:
        print_json([audition.as_json() for audition in auditions])
    else:
        print_compatibility(Console(), board.title, auditions)


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Ask nobody on the network.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Ask also services whose key is not set.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at what is set up and what is not, and how it is set up. Keys are never shown."""
    from storyreel.flows.diagnostics.doctor import examine, print_checkup

    checkup = examine(offline=offline, everything=everything)
    if as_json:
        print_json(checkup.as_json())
    else:
        print_checkup(Console(), checkup)
    if not checkup.is_well:
        raise typer.Exit(1)


def webhooks(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 for any that is free.")] = 4280,
) -> None:
    """Receive the callbacks of services, so that a finished clip is fetched at once."""
    from storyreel.flows.services.webhooks import serve

    serve(host, port, Console(stderr=True))
