"""The command that writes a wish for another take into the storyboard; nothing is made or bought by it."""

from __future__ import annotations

import os
import shlex
import shutil
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from storyreel.flows.commands.options import AsJson, File, Set, print_json, words
from storyreel.specs import editing
from storyreel.specs.editing import Change, Edit
from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.phrases import listed, reason, shown
from storyreel.specs.problems.problem import Position, Problem, StoryboardError
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Shot, Storyboard
from storyreel.tasks.files import replacing, sync


class Retaken(Frozen):
    """A shot whose wish is written into its storyboard."""

    storyboard: Path
    shot: Shot
    changes: tuple[Change, ...]
    anew: tuple[str, ...]
    """The slates of the shots that continue it from a frame that is now another, and so are made anew."""
    is_continued: bool

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
    shot: Annotated[str, typer.Argument(metavar="SHOT", help="The shot's slate.", show_default=False)],
    takes: Annotated[
        int | None, typer.Option("--takes", metavar="N", min=1, help="How many more; 1, with --action none.")
    ] = None,
    keep_circled: Annotated[
        bool, typer.Option("--keep-circled", help="Leave the take in the cut that is in it.")
    ] = False,
    circle: Annotated[
        int | None, typer.Option("--circle", metavar="K", min=1, help="Put take K into the cut; wish for no new one.")
    ] = None,
    action: Annotated[
        str | None, typer.Option("--action", metavar="TEXT", help="Another action; all its takes are made anew.")
    ] = None,
    sets: Set = None,
    as_json: AsJson = False,
) -> None:
    """Write the wish for another take of a shot into the storyboard; make and buy nothing."""
    if circle is not None and (takes is not None or keep_circled or action is not None):
        raise typer.BadParameter("--circle chooses among the takes there are; it stands alone")
    if action is not None and keep_circled:
        raise typer.BadParameter("--action makes all takes anew, and leaves none to keep with --keep-circled")
    set_vars = words(sets)

    def wish(text: str, film: Storyboard) -> Edit:
        if circle is not None:
            return editing.circle(text, film, shot, circle, set_vars)
        if action is not None:
            return editing.rewrite(text, film, shot, action, takes or 0, set_vars)
        return editing.retake(text, film, shot, takes or 1, keep_circled, set_vars)

    film = read(storyboard, set_vars)
    before = _bytes(storyboard)
    mark = BOM_UTF8 if before.startswith(BOM_UTF8) else b""
    try:
        edit = wish(before.removeprefix(mark).decode(), film)
    except LookupError as error:
        raise typer.BadParameter(str(error)) from error
    if edit.changes:
        _overwrite(storyboard, before, mark + edit.text.encode())
    retaken = Retaken(
        storyboard=storyboard,
        shot=_shot(edit.film, shot),
        changes=edit.changes,
        anew=tuple(_made_anew(film, edit.film, shot)),
        is_continued=any(other.continues == shot for other in film.all_shots),
    )
    if as_json:
        print_json(retaken.as_json())
    else:
        print_retaken(Console(soft_wrap=True), retaken, set_vars)


def print_retaken(console: Console, retaken: Retaken, set_vars: Mapping[str, str]) -> None:
    """What was changed, line by line, what follows from it, and what to do next."""

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False)

    shot, slate = retaken.shot, retaken.shot.shot
    if not retaken.changes:
        say(f"Shot {slate} says so already; nothing was written.")
        return
    for change in retaken.changes:
        say(f"{retaken.storyboard}:{change.line}: {_told(change)}")
    if shot.circled is None and shot.takes > 1:
        which = "last" if retaken.is_continued else "best"
        say(f"No take of {slate} is circled: the {which} of its {shot.takes} will be in the cut.")
    if retaken.anew:
        verb = "continues" if len(retaken.anew) == 1 else "continue"
        say(f"{listed(retaken.anew, 'and')} {verb} from a frame that is another now, and will be made anew too.")
    sets = [part for name, word in set_vars.items() for part in ("--set", f"{name}={word}")]
    say(f"Next: {shlex.join(['storyreel', 'plan', str(retaken.storyboard), *sets])}")


def _told(change: Change) -> str:
    before = shown(" ".join(change.before.split()))
    if not change.after:
        return f"{change.key}: {before} is taken out"
    return f"{change.key}: {shown(change.after)}" + (f", before: {before}" if before else ", newly written")


def _shot(film: Storyboard, slate: str) -> Shot:
    return next(shot for shot in film.all_shots if shot.shot == slate)


def _made_anew(old: Storyboard, new: Storyboard, slate: str) -> Iterator[str]:
    """The shots that continue a shot, however many links away, when its last frame in the cut becomes another."""
    before, after = _shot(old, slate), _shot(new, slate)
    if (before.action, before.circled_take) == (after.action, after.circled_take):
        return
    upstream = {shot.shot: shot.continues for shot in new.all_shots}
    reached = {slate}
    while more := {one for one, target in upstream.items() if target in reached} - reached:
        reached |= more
    yield from (one for one in upstream if one in reached and one != slate)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _cannot(path, f"the file cannot be read: {reason(error)}") from error


def _overwrite(path: Path, before: bytes, after: bytes) -> None:
    """Put other contents into a file, whole or not at all. A link goes on leading to it; its mode and owner stay.

    Raises StoryboardError when that is not possible, or somebody else has written into it since.
    """
    file = path.resolve()
    try:
        # Otherwise a file that nobody may write to would be replaced, for that asks its folder alone.
        with file.open("r+b"):
            status = file.stat()
        with replacing(file) as fresh:
            fresh.write_bytes(after)
            sync(fresh)
            # Only root may give a file away, and Windows has no owners.
            with suppress(OSError, AttributeError):
                os.chown(fresh, status.st_uid, status.st_gid)
            shutil.copymode(file, fresh)
            if file.read_bytes() != before:
                raise _cannot(path, "somebody else has just changed the file; it is left as it is", "run it again")
    except OSError as error:
        raise _cannot(path, f"the file cannot be written: {reason(error)}") from error


def _cannot(path: Path, what: str, fix: str = "") -> StoryboardError:
    return StoryboardError([Problem(Position(str(path), 1, 1), what, fix)])
