"""Edits a shot, a still or a sheet in a storyboard's text: more takes, another circled take, other words.

Takes and returns text, and changes nothing else, to the character: comments, layout, quotes, line ends. The new text is
read again, and is returned only if it says what the old one said but for the edit.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from storyreel.specs.derived.pictures import PictureShot, path_of_picture, pictures_of_film
from storyreel.specs.derived.speech import lines_to_speak
from storyreel.specs.frozen import Frozen
from storyreel.specs.language.slates import deliverable_of
from storyreel.specs.language.values import MOST_TAKES
from storyreel.specs.problems.phrases import listed, shown, suggestion
from storyreel.specs.problems.problem import KeyPath, Position, Problem, StoryboardError
from storyreel.specs.reading import NO_VARS, from_tree
from storyreel.specs.storyboard import CastMember, Location, Shot, Storyboard
from storyreel.specs.validation.cascade import cascade
from storyreel.specs.yaml.edits import MappingText, NewValue, TextEdit, apply_edits, as_yaml
from storyreel.specs.yaml.syntax import control_character
from storyreel.specs.yaml.tree import Entry, Node, Scalar, parse

Scalars = Mapping[str, Scalar]


class Change(Frozen):
    """The change of one key of a shot, a still or a sheet."""

    key: str
    before: str
    """The value as it was written there; empty if it was not."""
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

    If what is in the cut is an edit of one of its takes, edits are added.

    `film` is the storyboard of `text`, read with `set_vars`; `slate` may be that of a still or a sheet. Raises
    LookupError for a slate that the film does not have, and StoryboardError for more takes than a shot may have, or a
    text that cannot be edited on its own.
    """
    shot = _shot_with_takes(film, slate)
    if shot.circled_take > shot.takes:
        circled = shot.circled_take if keep_circled else None
        return _edit(text, film, shot, {"circled": circled}, set_vars, {"takes": _edit_count(film, shot, more)})
    takes = _take_count(film, shot, more)
    circled = _take_to_keep(film, shot) if keep_circled else takes
    return _edit(text, film, shot, {"takes": takes, "circled": circled}, set_vars)


def circle(text: str, film: Storyboard, slate: str, take: int, set_vars: Mapping[str, str] = NO_VARS) -> Edit:
    """Circle a take of a shot. Raises as `retake` does, and StoryboardError for a take that the shot does not have."""
    shot = _shot_with_takes(film, slate)
    # The last edit of one of its takes is in the cut if none is circled.
    circled = None if shot.own_edits and take == shot.all_takes else take
    return _edit(text, film, shot, {"circled": circled}, set_vars)


def rewrite(
    text: str, film: Storyboard, slate: str, action: str, more: int = 0, set_vars: Mapping[str, str] = NO_VARS
) -> Edit:
    """Give a shot another action, or a picture words of its own, and `more` takes; no take stays circled.

    Of an edit it is the instruction, as its action does not reach the service; and of a shot that has edits beside its
    takes `more` are edits. Raises as `retake` does.
    """
    shot = _shot_with_takes(film, slate)
    if sign := control_character(action):
        what = "instruction" if shot.edit else "action"
        message = f"the new {what} contains the control character {sign}"
        raise _error(_where(film, shot, "action"), message, "remove it")
    if isinstance(shot, PictureShot) and not action.strip():
        raise _error(_where(film, shot), f"the new words for {slate} are empty", "say what is seen in it")
    if shot.own_edits:
        of_edit: Scalars = {"instruction": action, "takes": _edit_count(film, shot, more)}
        return _edit(text, film, shot, {"circled": None}, set_vars, of_edit)
    values: Scalars = {"takes": _take_count(film, shot, more), "circled": None}
    if shot.edit:
        return _edit(text, film, shot, values, set_vars, {"instruction": action})
    return _edit(text, film, shot, {"action": action, **values}, set_vars)


def find_shot(film: Storyboard, slate: str) -> Shot:
    """The shot, still or sheet of a slate. Raises LookupError, which says what there is."""
    shots: dict[str, Shot] = {shot.shot: shot for shot in (*film.all_shots, *pictures_of_film(film))}
    if slate in shots:
        return shots[slate]
    if slate in {line.shot for line in lines_to_speak(film)}:
        raise LookupError(f"a line is spoken again by `storyreel review FILM --retake {slate}`")
    if deliverable_of(slate) in {one.name for one in film.deliverables}:
        raise LookupError(f"another take in that shape is asked for by `storyreel review FILM --retake {slate}`")
    owner, _, kind = slate.partition("@")
    noun: CastMember | Location | None = film.cast.get(owner) or film.locations.get(owner)
    if kind == "sheet" and noun and noun.sheet:
        raise LookupError(f"`{owner}` is seen in no shot, so no sheet is made")
    if (kind == "sheet" and noun) or (kind in ("still", "last-still") and owner in shots):
        key = kind.replace("-", "_")
        raise LookupError(f"`{owner}` has no `{key}`; write `{key}: true` there")
    known = f"there {'is' if len(shots) == 1 else 'are'} {listed(shots, 'and')}"
    raise LookupError(f"there is no shot `{shown(slate)}`; {suggestion(slate, shots, known)}")


def _shot_with_takes(film: Storyboard, slate: str) -> Shot:
    """The shot of a slate, which can have other takes. Raises StoryboardError for a card: its words make it."""
    shot = find_shot(film, slate)
    if shot.is_card:
        raise _error(_where(film, shot), f"{slate} is drawn from its words, and has no other takes", "change them here")
    return shot


def _take_count(film: Storyboard, shot: Shot, more: int) -> int:
    takes = shot.takes + more
    if takes > MOST_TAKES:
        message = f"{_name(shot)} would have {takes} takes, and a shot has at most {MOST_TAKES}"
        raise _error(_where(film, shot, "takes"), message, "circle one of them, or change the action")
    return takes


def _edit_count(film: Storyboard, shot: Shot, more: int) -> int:
    edits = shot.own_edits + more
    if edits > MOST_TAKES:
        message = f"shot {shot.shot} would have {edits} edits, and a shot has at most {MOST_TAKES}"
        raise _error(_where(film, shot, "edit"), message, "circle one of them, or change the instruction")
    return edits


def _take_to_keep(film: Storyboard, shot: Shot) -> int | None:
    """The take to circle so that the one in the cut stays there when more are made.

    None if one of several takes is chosen by inspection, which goes on being so. A shot that another continues uses
    its last take unless one is circled, and so does whatever is made of a picture.
    """
    if shot.own_edits:
        return shot.circled
    is_used_as_it_is = isinstance(shot, PictureShot) or shot.shot in film.awaited
    return shot.circled_take if shot.takes == 1 or is_used_as_it_is else shot.circled


def _edit(
    text: str,
    film: Storyboard,
    shot: Shot,
    values: Scalars,
    set_vars: Mapping[str, str],
    of_edit: Scalars = MappingProxyType({}),
) -> Edit:
    """Write the values that the shot and its `edit` do not have yet, and check that the new text says just that."""
    values = {key: value for key, value in values.items() if getattr(shot, key) != value}
    if shot.own_edits and shot.model_copy(update=dict(values)).edited_take != shot.edited_take:
        of_edit = {**of_edit, "take": shot.edited_take}  # or the edit of another take would be ordered
    of_edit = {key: value for key, value in of_edit.items() if getattr(shot.edit, key) != value}
    if not (values or of_edit):
        return Edit(text=text, film=film)
    if isinstance(shot, PictureShot):
        values = {_key_of_picture(key): value for key, value in values.items()}
    path, root = _path(film, shot), _tree(text, film)
    now = _with_values(_written(root, film, path), values)
    edits = [(each, path) for each in _edits(text, film, shot, root, now, values)]
    if of_edit:
        below = (*path, "edit")
        now = _with_node(now, ("edit",), _with_values(_written(root, film, below), of_edit))
        edits += [(each, below) for each in MappingText(text, film.where(*below)).edits(of_edit, inherited=False)]
    expected = _read(_with_node(root, path, now), film, set_vars)
    edited = apply_edits(text, [each for each, _ in sorted(edits)])
    try:
        again = _read(_tree(edited, film), film, set_vars)
    except StoryboardError as error:
        raise _cannot_edit(text, film, shot, values, of_edit) from error
    if again.model_dump() != expected.model_dump():
        raise _cannot_edit(text, film, shot, values, of_edit)
    changes = tuple(_change(again if edit.after else film, edit, path) for edit, path in sorted(edits))
    return Edit(text=edited, film=again, changes=changes)


def _key_of_picture(key: str) -> str:
    """The key of a still that has the meaning of this key of a shot."""
    return "prompt" if key == "action" else key


def _written(root: Node, film: Storyboard, path: KeyPath) -> Node:
    """The mapping at a path of the tree, with its defaults if it is in these alone; a bare value as one with keys."""
    node = root.at(path) or cascade(root, film.where().file).at(path) or root
    if isinstance(node.value, dict):
        return node
    # Only pictures are written as a bare value: `true`, or their words.
    entries = {} if node.value is True else {"prompt": Entry(node.line, node.column, node)}
    return node.with_children(entries)


def _edits(text: str, film: Storyboard, shot: Shot, root: Node, now: Node, values: Scalars) -> list[TextEdit]:
    """The edits that write `values` at a shot, still or sheet, which then is `now`."""
    if not isinstance(shot, PictureShot):
        return MappingText(text, film.where_shot(shot.shot)).edits(values, _is_circled_by_default(film, shot))
    path = _path(film, shot)
    owner, key, node = MappingText(text, film.where(*path[:-1])), str(path[-1]), root.at(path)
    if node and node.entries and not owner.is_alias(key):
        return MappingText(text, film.where(*path)).edits(values, inherited=False)
    return owner.edits({key: _picture_value(now)}, inherited=False)


def _picture_value(now: Node) -> NewValue:
    """A still as it is written in one value: its words alone if it has nothing else."""
    whole: dict[str, Scalar] = {
        key: entry.node.value
        for key in ("prompt", "takes", "circled", "seed")
        if (entry := now.entries.get(key)) and not isinstance(entry.node.value, dict | list | None)
    }
    return whole["prompt"] if set(whole) == {"prompt"} else whole


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


def _with_values(node: Node, values: Scalars) -> Node:
    """A mapping with other values."""
    old = {key: node.entries.get(key) or Entry(node.line, node.column, node) for key in values}
    new = {key: entry.with_node(entry.node.with_scalar(values[key])) for key, entry in old.items()}
    return node.with_children(node.entries | new)


def _with_node(node: Node, path: KeyPath, new: Node) -> Node:
    """The tree with another node at a path, of which the last key may be missing."""
    if not path:
        return new
    step, inner = path[0], node.child(path[0])
    if inner is None and len(path) > 1:
        return node
    below = _with_node(inner or node, path[1:], new)
    if isinstance(step, int):
        return node.with_children([*node.items[:step], below, *node.items[step + 1 :]])
    entry = node.entries.get(step) or Entry(node.line, node.column, node)
    return node.with_children(node.entries | {step: entry.with_node(below)})


def _is_circled_by_default(film: Storyboard, shot: Shot) -> bool:
    scene = film.scene_of(shot.shot)
    return any(around.circled is not None for around in (film.defaults, *([scene.defaults] if scene else [])))


def _change(film: Storyboard, edit: TextEdit, path: KeyPath) -> Change:
    where = film.where(*path) if path[-1] == edit.key else film.where(*path, edit.key)
    key = f"edit.{edit.key}" if path[-1] == "edit" else edit.key
    return Change(key=key, before=edit.before, after=edit.after, line=where.line)


def _path(film: Storyboard, shot: Shot) -> KeyPath:
    if isinstance(shot, PictureShot):
        return path_of_picture(film, shot)
    return next(path for path, one in film.placed_shots if one.shot == shot.shot)


def _where(film: Storyboard, shot: Shot, *key: str) -> Position:
    return film.where(*_path(film, shot), *key)


def _name(shot: Shot) -> str:
    return shot.shot if isinstance(shot, PictureShot) else f"shot {shot.shot}"


def _cannot_edit(text: str, film: Storyboard, shot: Shot, values: Scalars, of_edit: Scalars) -> StoryboardError:
    words = [*values.items(), *((f"edit.{key}", value) for key, value in of_edit.items())]
    by_hand = listed([f"{key}: {as_yaml(value)}" for key, value in words], "and")
    path = _path(film, shot)
    keys = [(path, key) for key in values] + [((*path, "edit"), key) for key in of_edit]
    for around, key in [*keys, (path[:-1], str(path[-1]))]:
        mapping = MappingText(text, film.where(*around))
        span = mapping.keys.get(key)
        if span and (lines := mapping.alias_lines(span)):
            used = f"line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))}"
            message = f"the value is named `&{shown(span.anchor)}`, and {used} would change with it"
            hint = f"write it out there in the place of `*{shown(span.anchor)}`; or write {by_hand} here by hand"
            return _error(film.where(*around, key), message, hint)
    message = f"{_name(shot)} is written in a way that cannot be edited without changing more than what was asked for"
    return _error(_where(film, shot), message, f"write {by_hand} by hand")


def _error(where: Position, message: str, hint: str) -> StoryboardError:
    return StoryboardError([Problem(where, message, hint)])
