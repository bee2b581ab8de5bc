"""Edits a shot in a storyboard's text: more takes, another circled take, another action.

Takes and returns text, and changes nothing else, to the character: comments, layout, quotes, line ends. The new text is
read again, and is returned only if it says what the old one said but for the edit.
"""

from __future__ import annotations

from collections.abc import Mapping

from storyreel.specs.frozen import Frozen
from storyreel.specs.language.values import MOST_TAKES
from storyreel.specs.problems.phrases import listed, shown, suggestion
from storyreel.specs.problems.problem import KeyPath, Position, Problem, StoryboardError
from storyreel.specs.reading import NO_VARS, from_tree
from storyreel.specs.storyboard import Shot, Storyboard
from storyreel.specs.yaml.edits import MappingText, NewValues, TextEdit, apply_edits, as_yaml
from storyreel.specs.yaml.syntax import control_character
from storyreel.specs.yaml.tree import Entry, Node, parse


class Change(Frozen):
    """The change of one key of a shot."""

    key: str
    before: str
    """The value as it was written at the shot; empty if it was not."""
    after: str
    """The value as it is written now; empty if the key was removed."""
    line: int
    """Line of the key, from 1: in the old text if it was removed, else in the new one."""


class Edit(Frozen):
    """A storyboard's new text, what it says, and what was changed: nothing if the old text said the same."""

    text: str
    film: Storyboard
    changes: tuple[Change, ...] = ()


def retake(
    text: str,
    film: Storyboard,
    slate: str,
    more: int = 1,
    keep_circled: bool = False,
    set_vars: Mapping[str, str] = NO_VARS,
) -> Edit:
    """Add takes to a shot and circle the last of them; with `keep_circled`, the take that is in the cut stays there.

    `film` is the storyboard of `text`, read with `set_vars`. Raises LookupError for a slate that the film does not
    have, and StoryboardError for more takes than a shot may have, or a text that cannot be edited on its own.
    """
    shot = _shot(film, slate)
    takes = _take_count(film, shot, more)
    circled = _take_to_keep(film, shot) if keep_circled else takes
    return _edit(text, film, shot, {"takes": takes, "circled": circled}, set_vars)


def circle(text: str, film: Storyboard, slate: str, take: int, set_vars: Mapping[str, str] = NO_VARS) -> Edit:
    """Circle a take of a shot. Raises as `retake` does, and StoryboardError for a take that the shot does not have."""
    shot = _shot(film, slate)
    # The edit of one of its takes is in the cut if none is circled.
    circled = None if shot.edits_itself and take == shot.takes + 1 else take
    return _edit(text, film, shot, {"circled": circled}, set_vars)


def rewrite(
    text: str, film: Storyboard, slate: str, action: str, more: int = 0, set_vars: Mapping[str, str] = NO_VARS
) -> Edit:
    """Give a shot another action and `more` takes; no take stays circled. Raises as `retake` does."""
    shot = _shot(film, slate)
    if shot.edit:
        message = f"shot {slate} is an edit, and its action does not reach the service"
        raise _error(film.where_shot(slate, "edit"), message, "change its `instruction` by hand")
    if sign := control_character(action):
        message = f"the new action contains the control character {sign}"
        raise _error(film.where_shot(slate, "action"), message, "remove it")
    return _edit(
        text, film, shot, {"action": action, "takes": _take_count(film, shot, more), "circled": None}, set_vars
    )


def _shot(film: Storyboard, slate: str) -> Shot:
    shots = {shot.shot: shot for shot in film.all_shots}
    if slate not in shots:
        known = f"there {'is' if len(shots) == 1 else 'are'} {listed(shots, 'and')}"
        raise LookupError(f"there is no shot `{shown(slate)}`; {suggestion(slate, shots, known)}")
    return shots[slate]


def _take_count(film: Storyboard, shot: Shot, more: int) -> int:
    takes = shot.takes + more
    if takes > MOST_TAKES:
        message = f"shot {shot.shot} would have {takes} takes, and a shot has at most {MOST_TAKES}"
        raise _error(film.where_shot(shot.shot, "takes"), message, "circle one of them, or change the action")
    return takes


def _take_to_keep(film: Storyboard, shot: Shot) -> int | None:
    """The take to circle so that the one in the cut stays there when more are made.

    None if one of several takes is chosen by inspection, which goes on being so. A shot that another continues uses
    its last take unless one is circled.
    """
    if shot.edits_itself:
        return shot.circled
    return shot.circled_take if shot.takes == 1 or shot.shot in film.awaited else shot.circled


def _edit(text: str, film: Storyboard, shot: Shot, values: NewValues, set_vars: Mapping[str, str]) -> Edit:
    """Write the values that the shot does not have yet, and check that the new text says just that."""
    values = {key: value for key, value in values.items() if getattr(shot, key) != value}
    if not values:
        return Edit(text=text, film=film)
    path = next(path for path, one in film.placed_shots() if one.shot == shot.shot)
    expected = _read(_with_values(_tree(text, film), path, values), film, set_vars)
    shot_text = MappingText(text, film.where_shot(shot.shot))
    edits = shot_text.edits(values, inherited=_is_circled_by_default(film, shot))
    edited = apply_edits(text, edits)
    try:
        again = _read(_tree(edited, film), film, set_vars)
    except StoryboardError as error:
        raise _cannot_edit(film, shot, shot_text, values) from error
    if again.model_dump() != expected.model_dump():
        raise _cannot_edit(film, shot, shot_text, values)
    changes = tuple(_change(again if edit.after else film, shot, edit) for edit in edits)
    return Edit(text=edited, film=again, changes=changes)


def _tree(text: str, film: Storyboard) -> Node:
    root, problems = parse(text, film.where().file)
    if root is None or problems:
        raise StoryboardError(problems)
    return root


def _read(root: Node, film: Storyboard, set_vars: Mapping[str, str]) -> Storyboard:
    storyboard, problems = from_tree(root, film.folder, film.where().file, set_vars)
    if storyboard is None or problems:
        raise StoryboardError(problems)
    return storyboard


def _with_values(node: Node, path: KeyPath, values: NewValues) -> Node:
    """The tree with other values at the shot at a path."""
    if not path:
        old = {key: node.entries.get(key) or Entry(node.line, node.column, node) for key in values}
        new = {key: entry.with_node(entry.node.with_scalar(values[key])) for key, entry in old.items()}
        return node.with_children(node.entries | new)
    step, inner = path[0], node.child(path[0])
    if inner is None:
        return node
    below = _with_values(inner, path[1:], values)
    if isinstance(step, int):
        return node.with_children([*node.items[:step], below, *node.items[step + 1 :]])
    return node.with_children(node.entries | {step: node.entries[step].with_node(below)})


def _is_circled_by_default(film: Storyboard, shot: Shot) -> bool:
    scene = film.scene_of(shot.shot)
    return any(around.circled is not None for around in (film.defaults, *([scene.defaults] if scene else [])))


def _change(film: Storyboard, shot: Shot, edit: TextEdit) -> Change:
    line = film.where_shot(shot.shot, edit.key).line
    return Change(key=edit.key, before=edit.before, after=edit.after, line=line)


def _cannot_edit(film: Storyboard, shot: Shot, shot_text: MappingText, values: NewValues) -> StoryboardError:
    by_hand = listed([f"{key}: {as_yaml(value)}" for key, value in values.items()], "and")
    for key in values:
        span = shot_text.keys.get(key)
        if span and (lines := shot_text.alias_lines(span)):
            used = f"line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))}"
            message = f"the value is named `&{shown(span.anchor)}`, and {used} would change with it"
            hint = f"write it out there in the place of `*{shown(span.anchor)}`; or write {by_hand} here by hand"
            return _error(film.where_shot(shot.shot, key), message, hint)
    message = (
        f"shot {shot.shot} is written in a way that cannot be edited without changing more than what was asked for"
    )
    return _error(film.where_shot(shot.shot), message, f"write {by_hand} by hand")


def _error(where: Position, message: str, hint: str) -> StoryboardError:
    return StoryboardError([Problem(where, message, hint)])
