"""The command `export`: the cut of a film for an editing program."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from storyreel.flows.commands import options
from storyreel.flows.errors import RunFailed
from storyreel.specs.problems.phrases import abridged, counted, reason

_Form = Literal["otio", "edl", "fcpxml", "fcp7", "aaf"]


def export(
    storyboard: options.Film,
    to: Annotated[
        _Form | None,
        typer.Option("--to", help="The form of the timeline; default: as the file's name ends, or `otio`."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The file; default: beside the film.")
    ] = None,
    collect: Annotated[
        Path | None,
        typer.Option("--collect", metavar="DIR", help="Write it into this folder, with copies of all media."),
    ] = None,
    timecode: Annotated[
        str, typer.Option("--timecode", metavar="TC", help="The timecode of the first frame.")
    ] = "00:00:00:00",
    sets: options.Set = None,
    draft: options.Draft = False,
    as_json: options.AsJson = False,
) -> None:
    """Write the cut for an editing program: shots with all their takes, transitions, sound and marks. Buys nothing."""
    from storyreel.flows.handover.export import file_name, film_timeline, form_of, write_timeline
    from storyreel.flows.planning.planner import Planner
    from storyreel.flows.production.film_folder import FilmSource, film_folder
    from storyreel.specs.timing import Duration

    for option, given in (("--out", out), ("--collect", collect)):
        if given and options.ADDRESS.match(str(given)):
            raise typer.BadParameter("a timeline is written to this machine; name a path", param_hint=option)
    if out and collect:
        raise typer.BadParameter("--collect names the folder of the file; give one of the two", param_hint="--out")
    try:
        form = to or (form_of(out) if out else "otio")
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--out") from error
    planner = Planner.of(options.request_of(storyboard, None, sets, draft=draft))
    try:
        first = Duration(timecode)
    except ValueError as error:
        raise typer.BadParameter(
            f"{timecode} is no timecode; write 01:00:00:00, hours, minutes, seconds and frames",
            param_hint="--timecode",
        ) from error
    try:
        timeline = asyncio.run(film_timeline(planner, first))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--timecode") from error
    if collect:
        into = collect / file_name(form)
    else:
        source = FilmSource.of(storyboard, planner.film.title, planner.film.where().file, is_draft=draft)
        into = out or Path(film_folder(None, source)) / file_name(form)
    try:
        write_timeline(timeline, form, into, collect=collect is not None)
    except OSError as error:
        raise RunFailed(f"{error.filename2 or error.filename or into} cannot be written: {reason(error)}") from error
    made: dict[str, Any] = {"file": str(into.absolute()), "form": form, "frames": timeline.frames,
                            "shots": len(timeline.shots), "missing": list(timeline.missing)}  # fmt: skip
    if as_json:
        options.print_json(made)
        return
    lines = [f"{into}: {counted(len(timeline.shots), 'shot')}, {timeline.rate.timecode(timeline.frames)}"]
    if timeline.missing:
        lines.append(f"Not made yet: {abridged(timeline.missing)}.")
        again = ["storyreel", "render", str(storyboard), *options.as_typed(sets, draft=draft)]
        lines.append(f"next: {shlex.join(again)}")
    options.output().print("\n".join(lines), highlight=False, soft_wrap=True)
