"""The command `prices`: the prices that are used, and what the services publish of theirs."""

from __future__ import annotations

from typing import Annotated

import typer

from storyreel.flows.commands.options import (
    AsJson,
    check_service,
    complete_service,
    confirm_writing,
    output,
    print_json,
    print_result,
)
from storyreel.flows.errors import RunFailed
from storyreel.flows.terminal import Terminal


def prices(
    refresh: Annotated[
        bool,
        typer.Option("--refresh", help="Ask the services that publish their prices, and show what differs."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="With --refresh: write it to your price file without asking.")
    ] = False,
    service: Annotated[
        str | None,
        typer.Option("--service", metavar="NAME", help="Only this service.", autocompletion=complete_service),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what the services cost, with days and sources. Buys nothing, and asks no service unless told to."""
    if service:
        check_service(service, "--service")
    if not refresh:
        from storyreel.flows.services.prices import price_table, print_prices

        if yes:
            raise typer.BadParameter("--yes agrees to what --refresh found; give both")
        print_result(price_table(service), as_json, print_prices)
        return
    from storyreel.flows.services.price_refresh import print_refresh, refresh_prices, write_refresh

    found, console = refresh_prices(service), Terminal(stderr=True)
    if not as_json:
        print_refresh(output(), found)
    is_written = bool(found.to_write) and (yes or (not as_json and confirm_writing(found.own.path, console)))
    said = write_refresh(found) if is_written else ""
    if as_json:
        print_json(found.as_json(is_written=is_written))
    elif said:
        output().print(said, soft_wrap=True)
    if found.unanswered:
        raise RunFailed(
            f"{'; '.join(found.unanswered)}; what is known of its prices stays", next="storyreel prices --refresh"
        )
