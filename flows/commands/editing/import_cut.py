"""The command `import`: takes over a cut from an editing program into the storyboard."""

from __future__ import annotations

import asyncio
import difflib
import shlex
from codecs import BOM_UTF8
from pathlib import Path
from typing import Annotated

import typer

from storyreel.flows.commands import options
from storyreel.flows.commands.editing.storyboard_file import overwrite, read_bytes
from storyreel.flows.output import legible
from storyreel.flows.terminal import Terminal, styled

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def import_(
    cut: Annotated[
        Path,
        typer.Argument(
            metavar="CUT", help="The timeline: `.otio`, `.edl` or `.fcpxml`, or a bundle of it.", show_default=False
        ),
    ],
    storyboard: options.File,
    yes: Annotated[bool, typer.Option("--yes", help="Change the storyboard without asking.")] = False,
    sets: options.Set = None,
    draft: Annotated[bool, typer.Option("--draft", help="The cut is that of the film's draft.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Take over an editing program's cut: order, parts of takes, transitions, takes. Shows the change and asks."""
    from storyreel.flows.handover.take_over import form_of, taken_over
    from storyreel.flows.planning.planner import Planner

    # Asked first, as the two files may have been given the other way round.
    form_of(cut)
    set_vars = options.parse_vars(sets)
    planner = Planner.of(options.request_of(storyboard, None, sets, draft=draft))
    before = read_bytes(storyboard)
    mark = BOM_UTF8 if before.startswith(BOM_UTF8) else b""
    text = before.removeprefix(mark).decode()
    taken = asyncio.run(taken_over(planner, text, cut, set_vars))
    after = taken.text
    lines = list(
        difflib.unified_diff(text.splitlines(), after.splitlines(), str(storyboard), str(storyboard), lineterm="", n=1)
    )
    if not as_json:
        options.print_notes(taken.notes)
        _show(lines, storyboard)
    console = Terminal(stderr=True)
    is_written = bool(lines) and (yes or (not as_json and options.confirm_writing(storyboard, console)))
    if is_written:
        overwrite(storyboard, before, mark + after.encode())
    if as_json:
        options.print_json(
            {"storyboard": str(storyboard), "changes": lines, "written": is_written, "notes": list(taken.notes)}
        )
    elif is_written:
        again = shlex.join(["storyreel", "render", str(storyboard), *options.as_typed(sets, draft=planner.draft)])
        options.output().print(f"Written to {storyboard}; nothing is bought again.\nnext: {again}", soft_wrap=True)


def _show(lines: list[str], storyboard: Path) -> None:
    console = options.output()
    if not lines:
        console.print(f"{storyboard} says this cut already; nothing was written.", soft_wrap=True)
    for line in lines[2:]:
        style = _STYLES.get(line[:1], "")
        console.print(styled((legible(line), style)) if style else legible(line), soft_wrap=True, highlight=False)
