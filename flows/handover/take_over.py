"""Takes over a cut that comes back from an editing program into the text of its storyboard."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from storyreel.flows.handover.changes import changes_of
from storyreel.flows.handover.cut_file import BUNDLES
from storyreel.flows.handover.edited import EditedCut, NotImported
from storyreel.flows.handover.export import Form, film_timeline, write_timeline
from storyreel.flows.handover.names import TakeNames
from storyreel.flows.handover.timeline import Timeline
from storyreel.flows.planning.model import named
from storyreel.flows.planning.planner import Planner
from storyreel.specs.frozen import Trusted
from storyreel.specs.problems.phrases import abridged
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.recutting import of_cut, recut
from storyreel.specs.timing import FrameRate

Read = Callable[[Path, FrameRate, TakeNames], EditedCut]

_MOST_ROUNDS = 4
"""A transition that was a default of the first shot, or becomes one, is only known once the shots are reordered."""


class TakenOver(Trusted):
    """A storyboard with another cut."""

    text: str
    notes: tuple[str, ...] = ()
    """Notes on everything that was read otherwise than the timeline says it."""


async def taken_over(planner: Planner, text: str, cut: Path, set_vars: Mapping[str, str]) -> TakenOver:
    """The text of the planner's storyboard with the cut of a file; as it was if it says that already.

    A timeline of the film's draft is compared with the draft. Raises NotImported for a cut that the storyboard cannot
    say, or with which something would be bought again, and StoryboardError.
    """
    form = form_of(cut)
    timeline = await film_timeline(planner)
    after = _reader(form)(cut, timeline.rate, TakeNames(timeline))
    if not planner.draft and _is_of_draft(after, planner):
        planner = planner._replace(draft=True)
        timeline = await film_timeline(planner)
        after = _reader(form)(cut, timeline.rate, TakeNames(timeline))
    names, now, new_text = TakeNames(timeline), planner, text
    for _ in range(_MOST_ROUNDS):
        change = changes_of(timeline, _as_said(timeline, form, names), after)
        if change is None:
            for draft in {planner.draft, False}:
                _check_purchases(planner._replace(draft=draft), now._replace(draft=draft))
            return TakenOver(text=new_text, notes=after.notes)
        new_text, film = recut(new_text, now.film, change, set_vars)
        now = now._replace(film=film)
        try:
            timeline = await film_timeline(now)
        except StoryboardError as error:
            raise of_cut(planner.film, error.problems) from error
    raise NotImported(f"{cut} has a cut that the storyboard cannot say", hint="change the storyboard by hand")


def _is_of_draft(cut: EditedCut, planner: Planner) -> bool:
    """Whether a timeline is called as that of the film's draft is; spaces may be others."""
    title = named(planner.film.title, is_draft=True)
    return planner.film.draft is not None and cut.title.split() == title.split()


def form_of(cut: Path) -> Form:
    """The form of a timeline by its name. Raises NotImported for one that is not read."""
    forms: dict[str, Form] = {".otio": "otio", ".edl": "edl", ".fcpxml": "fcpxml"}
    ending = cut.suffix.lower()
    if form := forms.get(Path(BUNDLES.get(ending, "")).suffix or ending):
        return form
    raise NotImported(f"{cut} is no timeline that is read", hint="export it as .otio, .edl or .fcpxml")


def _reader(form: Form) -> Read:
    if form == "edl":
        from storyreel.flows.handover.read_edl import read_edl

        return read_edl
    if form == "fcpxml":
        from storyreel.flows.handover.read_fcpxml import read_fcpxml

        return read_fcpxml
    from storyreel.flows.handover.read_otio import read_otio

    return read_otio


def _as_said(timeline: Timeline, form: Form, names: TakeNames) -> EditedCut:
    """The timeline as it is read back from a form, which may say less than it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"cut.{form}"
        write_timeline(timeline, form, file)
        return _reader(form)(file, timeline.rate, names)


def _check_purchases(before: Planner, after: Planner) -> None:
    """Return if nothing that is made already would be bought again. Raises NotImported."""
    old = before.plan()
    to_buy = {take.key for take in old.bought}
    made = {(take.shot, take.take) for take in old.takes if take.state != "new"}
    more = [take for take in after.plan().bought if take.key not in to_buy and (take.shot, take.take) in made]
    if more:
        shots = abridged(dict.fromkeys(take.shot for take in more))
        raise NotImported(
            f"with this cut {shots} would be bought again: a shot that is continued has another take, or a dissolve "
            "needs other frames where `handles` are to be shot",
            hint="change that in the editing program, or write it into the storyboard by hand",
        )
