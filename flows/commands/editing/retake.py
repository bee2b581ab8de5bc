"""The command `retake`, which asks for another take by a change in the storyboard. Makes and buys nothing."""

from __future__ import annotations

import shlex
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from unicodedata import normalize

import typer

from storyreel.flows.commands.editing.storyboard_file import overwrite, read_bytes
from storyreel.flows.commands.options import AsJson, File, Set, Slate, parse_vars, print_result
from storyreel.flows.terminal import Terminal
from storyreel.specs import editing
from storyreel.specs.derived.pictures import PictureShot, made_of, stills_of
from storyreel.specs.editing import Change
from storyreel.specs.frozen import Frozen
from storyreel.specs.language.slates import owner_of
from storyreel.specs.problems.phrases import listed, shown
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Shot, Storyboard


class Retaken(Frozen):
    """A shot, still or sheet whose storyboard was changed."""

    storyboard: Path
    shot: Shot
    changes: tuple[Change, ...]
    anew: tuple[str, ...]
    """Slates of the shots that are made of it, and made again because another take of it is used."""
    is_continued: bool
    is_edited: bool
    """Whether another shot is an edit of a take of it."""

    def as_json(self) -> dict[str, Any]:
        """The form that `retake --json` prints."""
        return {
            "storyboard": str(self.storyboard),
            "shot": self.shot.shot,
            "takes": self.shot.takes,
            "circled": self.shot.circled,
            "changes": [change.model_dump() for change in self.changes],
            "made_anew": list(self.anew),
        }


def retake(
    storyboard: File,
    shot: Slate,
    takes: Annotated[
        int | None,
        typer.Option("--takes", metavar="N", min=1, help="How many takes to add; default: 1, or none with --action."),
    ] = None,
    keep_circled: Annotated[bool, typer.Option("--keep-circled", help="Keep the take that is in the cut.")] = False,
    circle: Annotated[
        int | None, typer.Option("--circle", metavar="K", min=1, help="Use take K in the cut; add no take.")
    ] = None,
    action: Annotated[
        str | None,
        typer.Option(
            "--action",
            metavar="TEXT",
            help="The new action of the shot, instruction of its edit or words of the picture; these are made again.",
        ),
    ] = None,
    sets: Set = None,
    as_json: AsJson = False,
) -> None:
    """Ask for another take of a shot, still or sheet, by a change in the storyboard. Makes and buys nothing."""
    if circle is not None and (takes is not None or keep_circled or action is not None):
        others = "--takes, --keep-circled and --action"
        raise typer.BadParameter(f"--circle only chooses among the takes; leave {others} out")
    if action is not None and keep_circled:
        raise typer.BadParameter("--action replaces all takes; there is none to keep with --keep-circled")
    set_vars, shot = parse_vars(sets), normalize("NFC", shot)

    film = read(storyboard, set_vars)
    before = read_bytes(storyboard)
    byte_order_mark = BOM_UTF8 if before.startswith(BOM_UTF8) else b""
    text = before.removeprefix(byte_order_mark).decode()
    try:
        if circle is not None:
            edit = editing.circle(text, film, shot, circle, set_vars)
        elif action is not None:
            edit = editing.rewrite(text, film, shot, action, takes or 0, set_vars)
        else:
            edit = editing.retake(text, film, shot, takes or 1, keep_circled, set_vars)
    except LookupError as error:
        raise typer.BadParameter(str(error)) from error
    if edit.changes:
        overwrite(storyboard, before, byte_order_mark + edit.text.encode())
    retaken = Retaken(
        storyboard=storyboard,
        shot=editing.find_shot(edit.film, shot),
        changes=edit.changes,
        anew=tuple(_made_anew(film, edit.film, shot)),
        is_continued=shot in film.awaited,
        is_edited=any(one.edit and one.edit.of == shot and one.shot != shot for one in film.all_shots),
    )
    print_result(retaken, as_json, partial(print_retaken, set_vars=set_vars))


def print_retaken(console: Terminal, retaken: Retaken, set_vars: Mapping[str, str]) -> None:
    """Print each changed line, what follows from the change, and the next command."""

    def say(line: str) -> None:
        console.print(line, soft_wrap=True)

    shot, slate = retaken.shot, retaken.shot.shot
    is_picture = isinstance(shot, PictureShot)
    if not retaken.changes:
        say(f"{slate if is_picture else f'Shot {slate}'} says this already; nothing was written.")
        return
    for change in retaken.changes:
        say(f"{retaken.storyboard}:{change.line}: {_describe(change)}")
    if shot.circled is None and shot.takes > 1 and is_picture:
        say(f"No take of {slate} is circled: the last of its {shot.takes} will be used.")
    elif shot.circled is None and shot.own_edits:
        say(f"No take of {slate} is circled: its {'last edit' if shot.own_edits > 1 else 'edit'} will be in the cut.")
    elif shot.circled is None and shot.takes > 1:
        which = "last" if retaken.is_continued else "best"
        say(f"No take of {slate} is circled: the {which} of its {shot.takes} will be in the cut.")
    stills = [one for one in retaken.anew if owner_of(one) == slate]
    others = [one for one in retaken.anew if one not in stills]
    if stills:
        say(f"{listed(stills, 'and')} {_verb(stills, 'shows')} its action, and will be made again too.")
    if others:
        continues = f"{_verb(others, 'continues')} from its last frame, which changes,"
        made = f"{_verb(others, 'is')} made of it, directly or through others,"
        how = made if is_picture or retaken.is_edited else continues
        say(f"{listed(others, 'and')} {how} and will be made again too.")
    sets = [part for name, word in set_vars.items() for part in ("--set", f"{name}={word}")]
    say(f"next: {shlex.join(['storyreel', 'plan', str(retaken.storyboard), *sets])}")


def _describe(change: Change) -> str:
    before = shown(" ".join(change.before.split()))
    if not change.after:
        return f"{change.key}: {before} is removed"
    return f"{change.key}: {shown(change.after)}" + (f", before: {before}" if before else ", new")


def _verb(slates: Sequence[str], verb: str) -> str:
    """A verb after these slates, given as after one: continues, is."""
    if len(slates) == 1:
        return verb
    return "are" if verb == "is" else verb.removesuffix("s")


def _made_anew(old: Storyboard, new: Storyboard, slate: str) -> Iterator[str]:
    """The slates of all that is made of a shot or picture, also through others, if the part that is used changes."""
    before, after = editing.find_shot(old, slate), editing.find_shot(new, slate)
    if _used(before) == _used(after):
        return
    reached = {slate}
    if before.action != after.action and not isinstance(after, PictureShot):
        reached |= {still.shot for still in stills_of(after) if not still.has_own_words}
    sources = made_of(new)
    # Takes stay what they are if the words do, and those beside edits in any case; so does an edit of one of them.
    kept = after.all_takes if _used(before)[1:] == _used(after)[1:] else after.takes if after.own_edits else 0
    edits = (one for one in new.all_shots if one.edit and one.edit.take and one.edit.of == slate)
    sources |= {one.shot: sources[one.shot] - {slate} for one in edits if one.edit and (one.edit.take or 0) <= kept}
    while more := {one for one, others in sources.items() if others & reached} - reached:
        reached |= more
    yield from (one for one in sources if one in reached and one != slate)


def _used(shot: Shot) -> tuple[object, ...]:
    """The facts on which the used take depends and which a retake can change."""
    return shot.circled_take, shot.action, shot.edit and shot.edit.instruction
