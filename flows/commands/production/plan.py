"""The commands that only read: `validate` checks a storyboard, `plan` shows what a render would make and buy."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from storyreel.flows.commands import options
from storyreel.flows.errors import RunFailed
from storyreel.flows.output import print_line
from storyreel.specs.problems.phrases import counted, reason


def validate(storyboard: options.Film, sets: options.Set = None, as_json: options.AsJson = False) -> None:
    """Check a storyboard and list everything that is wrong in it. Makes and buys nothing. What a service cannot make is
    said by `plan`."""
    from storyreel.flows.packs import read_film
    from storyreel.flows.planning.checks.media import check_media
    from storyreel.specs.cut import build_cut
    from storyreel.specs.derived.framing import framing_warnings
    from storyreel.specs.derived.lines import line_warnings, spoken_frames
    from storyreel.specs.derived.reading import reading_warnings
    from storyreel.tasks.request.board import film_warnings
    from storyreel.tasks.request.local_files import LocalFileChecks
    from storyreel.tasks.request.recordings import recordings_of_film

    film = read_film(storyboard, options.parse_vars(sets))
    check_media(film)
    recorded = {slate: one.seconds for slate, one in recordings_of_film(film, LocalFileChecks()) if one.seconds}
    cut = build_cut(film, spoken_frames(film, recorded))
    warnings = [
        *film_warnings(film),
        *line_warnings(film, cut, recorded),
        *reading_warnings(film, cut),
        *framing_warnings(film),
    ]
    if film.languages:
        from storyreel.flows.planning.finishing.subtitles import translation_warnings
        from storyreel.specs.translations.file import read_translations

        warnings += translation_warnings(film, read_translations(film))
    if not as_json:
        length = f"{counted(len(cut.events), 'shot')}, {cut.rate.timecode(cut.frames)} at {cut.rate} fps"
        print_line(f"{film.title}: {length}; nothing is wrong.")
        if warnings:
            options.print_notes(warnings)
        return
    options.print_json(
        {
            "title": film.title,
            "shots": len(cut.events),
            "frames": cut.frames,
            "fps": str(cut.rate),
            "seconds": float(cut.rate.seconds(cut.frames)),
            "warnings": warnings,
        }
    )


def plan(
    storyboard: options.Film,
    provider: options.Provider = None,
    sets: options.Set = None,
    select: options.Select = None,
    budget: options.Budget = None,
    draft: options.Draft = False,
    stills: options.Stills = False,
    deliverables: options.Deliverables = None,
    into: Annotated[
        Path | None, typer.Option("-o", "--save", metavar="FILE", help="Save the plan, for `render --plan FILE`.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what a render would make and buy, why, and at what price. Makes and buys nothing."""
    request = options.request_of(
        storyboard, provider, sets, select, budget, draft=draft, stills=stills, deliverables=deliverables
    )
    budgeted = options.plan_of(request)
    if into:
        from storyreel.flows.planning.saved import save_plan

        try:
            save_plan(budgeted.plan, into, request)
        except OSError as error:
            raise RunFailed(f"the plan cannot be written to {into}: {reason(error)}") from error
    if as_json:
        options.print_json(budgeted.plan.as_json())
        return
    from storyreel.flows.commands.screen import tables

    tables.print_plan(options.output(), budgeted)
    if into:
        options.output().print(
            f"saved in {into}\nnext: storyreel render --plan {shlex.quote(str(into))}", highlight=False, soft_wrap=True
        )
