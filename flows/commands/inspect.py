"""The command `inspect`, which compares the colours of shots, and what deliverables keep. Buys and changes nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from storyreel.flows.commands.options import AsJson, Draft, Film, Provider, Set, print_result, request_of


def inspect(
    storyboard: Film,
    provider: Provider = None,
    sets: Set = None,
    draft: Draft = False,
    like: Annotated[
        str | None,
        typer.Option("--like", metavar="SHOT", help="Compare all shots with this one; default: each with its scene."),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="The picture, a PNG, of a long film several; default: `colours.png` in the folder of the film.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how brightness and colour differ between the shots of each scene, and propose grades. Changes nothing.

    Of shots that a deliverable of another shape cuts it shows what is kept, and proposes a `frame_at` that keeps more.
    """
    from storyreel.flows.drift.inspect import inspect_film, print_drift
    from storyreel.flows.planning.planner import Planner
    from storyreel.flows.production.film_folder import FilmSource, film_folder

    planner = Planner.of(request_of(storyboard, provider, sets, draft=draft))
    source = FilmSource.of(storyboard, planner.film.title, planner.film.where().file, is_draft=draft)
    picture = into or Path(film_folder(None, source)) / "colours.png"
    try:
        found = asyncio.run(inspect_film(planner, picture, like))
    except LookupError as error:
        raise typer.BadParameter(f"--like: {error}") from error
    print_result(found, as_json, print_drift)
