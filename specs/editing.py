"""NewValues written into a storyboard's text: another take, which one is in the cut, another action.

Text in, text out, and all that is not wished for stays as it is, to the character: comments, layout, quotes, line
ends. What was written is read again, and is given out only if it says what the old text said, but for the wish.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from storyreel.specs.frozen import Frozen
from storyreel.specs.language.values import MOST_TAKES
from storyreel.specs.problems.phrases import listed, shown, suggestion
from storyreel.specs.problems.problem import KeyPath, Position, Problem, StoryboardError
from storyreel.specs.reading import from_tree
from storyreel.specs.storyboard import Shot, Storyboard
from storyreel.specs.yaml.edits import NewValues, ShotText, TextEdit, apply_edits, value
from storyreel.specs.yaml.syntax import control_character
from storyreel.specs.yaml.tree import Entry, Node, parse

_NOTHING_SET: Mapping[str, str] = MappingProxyType({})


class Change(Frozen):
    """What became of one key of the shot."""

    key: str
    before: str
    """The value as it was written at the shot; empty when it was not."""
    after: str
    """The value as it is written now; empty when the key is gone."""
    line: int
    """From 1: where the key stands, or has stood."""


class Edit(Frozen):
    """A storyboard's new text, what it says, and what was changed in it: nothing when it said so already."""

    text: str
    film: Storyboard
    changes: tuple[Change, ...] = ()


def retake(
    text: str,
    film: Storyboard,
    slate: str,
    more: int = 1,
    keep_circled: bool = False,
    set_vars: Mapping[str, str] = _NOTHING_SET,
) -> Edit:
    """Wish for more takes of a shot, with the last of them in the cut; or, with `keep_circled`, the one that is in it.

    `film` is what `text` says with `set_vars`. Raises LookupError for a slate that the film does not have, and
    StoryboardError for more takes than a shot may have, and for a text that cannot be edited without changing more.
    """
    shot = _shot(film, slate)
    takes = _more(film, shot, more)
    circled = _kept(film, shot) if keep_circled else takes
    return _edit(text, film, shot, {"takes": takes, "circled": circled}, set_vars)


def circle(text: str, film: Storyboard, slate: str, take: int, set_vars: Mapping[str, str] = _NOTHING_SET) -> Edit:
    """Choose the take of a shot that is in the cut. Raises as `retake` does, and for a take that the shot lacks."""
    return _edit(text, film, _shot(film, slate), {"circled": take}, set_vars)


def rewrite(
    text: str, film: Storyboard, slate: str, action: str, more: int = 0, set_vars: Mapping[str, str] = _NOTHING_SET
) -> Edit:
    """Give a shot another action, and so other takes, of which none is circled yet. Raises as `retake` does."""
    shot = _shot(film, slate)
    if sign := control_character(action):
        what = f"the control character {sign} stands in the new action"
        raise _problem(film.where_shot(slate, "action"), what, "remove it")
    return _edit(text, film, shot, {"action": action, "takes": _more(film, shot, more), "circled": None}, set_vars)


def _shot(film: Storyboard, slate: str) -> Shot:
    shots = {shot.shot: shot for shot in film.all_shots}
    if slate not in shots:
        known = f"there {'is' if len(shots) == 1 else 'are'} {listed(shots, 'and')}"
        raise LookupError(f"there is no shot `{shown(slate)}`; {suggestion(slate, shots, known)}")
    return shots[slate]


def _more(film: Storyboard, shot: Shot, more: int) -> int:
    takes = shot.takes + more
    if takes > MOST_TAKES:
        what = f"shot {shot.shot} would have {takes} takes, and at most {MOST_TAKES} are made of a shot"
        raise _problem(film.where_shot(shot.shot, "takes"), what, "circle one of them, or change the action")
    return takes


def _kept(film: Storyboard, shot: Shot) -> int | None:
    """The circle that keeps the take in the cut there when more are made.

    None where nobody has circled one of several takes: the best is chosen then, and goes on being chosen. The last one
    counts where another shot continues this one.
    """
    is_continued = any(other.continues == shot.shot for other in film.all_shots)
    return shot.circled_take if shot.takes == 1 or is_continued else shot.circled


def _edit(text: str, film: Storyboard, shot: Shot, wishes: NewValues, set_vars: Mapping[str, str]) -> Edit:
    """Write what is not said already, and make sure that the text then says just that."""
    wishes = {key: wish for key, wish in wishes.items() if getattr(shot, key) != wish}
    if not wishes:
        return Edit(text=text, film=film)
    place = next(place for place, one in film.placed_shots() if one.shot == shot.shot)
    wished = _read(_wished(_tree(text, film), place, wishes), film, set_vars)
    shot_text = ShotText(text, film.where_shot(shot.shot))
    edits = shot_text.edits(wishes, inherited=_is_circled_by_default(film, shot))
    edited = apply_edits(text, edits)
    try:
        again = _read(_tree(edited, film), film, set_vars)
    except StoryboardError as error:
        raise _refusal(film, shot, shot_text, wishes) from error
    if again.model_dump() != wished.model_dump():
        raise _refusal(film, shot, shot_text, wishes)
    changes = tuple(_change(again if edit.after else film, shot, edit) for edit in edits)
    return Edit(text=edited, film=again, changes=changes)


def _tree(text: str, film: Storyboard) -> Node:
    """A text as a tree. Raises StoryboardError."""
    root, problems = parse(text, film.where().file)
    if root is None or problems:
        raise StoryboardError(problems)
    return root


def _read(root: Node, film: Storyboard, set_vars: Mapping[str, str]) -> Storyboard:
    """The storyboard of a tree, read as if from the film's file. Raises StoryboardError."""
    storyboard, problems = from_tree(root, film.folder, film.where().file, set_vars)
    if storyboard is None or problems:
        raise StoryboardError(problems)
    return storyboard


def _wished(node: Node, place: KeyPath, wishes: NewValues) -> Node:
    """The tree in which the shot at a place says what is wished."""
    if not place:
        said = {key: node.entries.get(key) or Entry(node.line, node.column, node) for key in wishes}
        return node.with_children(
            node.entries | {key: entry.with_node(entry.node.with_scalar(wishes[key])) for key, entry in said.items()}
        )
    step, inner = place[0], node.child(place[0])
    if inner is None:
        return node
    below = _wished(inner, place[1:], wishes)
    if isinstance(step, int):
        return node.with_children([*node.items[:step], below, *node.items[step + 1 :]])
    return node.with_children(node.entries | {step: node.entries[step].with_node(below)})


def _is_circled_by_default(film: Storyboard, shot: Shot) -> bool:
    """Whether a shot that does not say which take is circled has it from its scene or the film."""
    scene = film.scene_of(shot.shot)
    return any(around.circled is not None for around in (film.defaults, *([scene.defaults] if scene else [])))


def _change(film: Storyboard, shot: Shot, edit: TextEdit) -> Change:
    line = film.where_shot(shot.shot, edit.key).line
    return Change(key=edit.key, before=edit.before, after=edit.after, line=line)


def _refusal(film: Storyboard, shot: Shot, shot_text: ShotText, wishes: NewValues) -> StoryboardError:
    """Why a shot is not edited, and what to write by hand."""
    by_hand = listed([f"{key}: {value(wish)}" for key, wish in wishes.items()], "and")
    for key in wishes:
        entry = shot_text.entries.get(key)
        if entry and (lines := shot_text.users(entry)):
            used = f"line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))}"
            what = f"the value is named `&{shown(entry.name)}`, and {used} would change with it"
            fix = f"write it out there in the place of `*{shown(entry.name)}`; or write {by_hand} here by hand"
            return _problem(film.where_shot(shot.shot, key), what, fix)
    what = f"shot {shot.shot} is written in a way that cannot be edited without changing more than what was asked for"
    return _problem(film.where_shot(shot.shot), what, f"write {by_hand} by hand")


def _problem(where: Position, what: str, fix: str) -> StoryboardError:
    return StoryboardError([Problem(where, what, fix)])
