"""A cut that was edited elsewhere comes back: through every form, into the storyboard, with nothing bought again."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.flows.handover.edited import EditedCut, EditedShot, EditedTransition, NotImported
from storyreel.flows.handover.export import film_timeline, write_timeline
from storyreel.flows.handover.names import TakeNames
from storyreel.flows.handover.read_edl import read_edl
from storyreel.flows.handover.read_fcpxml import read_fcpxml
from storyreel.flows.handover.read_otio import read_otio
from storyreel.flows.handover.take_over import taken_over
from storyreel.flows.handover.timeline import Timeline, TimelineShot
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.specs.cut import Event
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from tests.flows.handover.test_forms import timelines
from tests.flows.selling import order_take
from tests.properties import one_in

READERS = {"otio": read_otio, "edl": read_edl, "fcpxml": read_fcpxml}


def as_edited(timeline: Timeline) -> EditedCut:
    """The cut that a timeline says."""
    shots, transitions = [], []
    before: TimelineShot | None = None
    for shot in (*timeline.shots, None):
        out = before.event.fade_out if before else 0
        fade = shot.event.fade_in if shot else 0
        dissolve = shot.event.dissolve_in if shot else 0
        if dissolve:
            found = EditedTransition(kind="dissolve", before=dissolve // 2, after=dissolve - dissolve // 2)
        else:
            found = EditedTransition(kind="fade", before=out, after=fade) if out or fade else None
        transitions.append(found)
        if shot:
            shots.append(
                EditedShot(slate=shot.slate, take=shot.circled, first=shot.take.first, frames=shot.event.frames)
            )
        before = shot
    return EditedCut(
        rate=timeline.rate, shots=tuple(shots), transitions=tuple(transitions), title=timeline.title
    )  # fmt: skip


@pytest.mark.parametrize("form", READERS)
@given(timeline=timelines())
def test_a_cut_is_read_back_as_it_was_written(form: str, timeline: Timeline, tmp_path: Path) -> None:
    file = tmp_path / f"cut.{form}"
    write_timeline(timeline, form, file)  # type: ignore[arg-type]
    assert READERS[form](file, timeline.rate, TakeNames(timeline)) == as_edited(timeline)


FILM = """\
# A film with comments everywhere.
storyboard: 1
title: Recut   # as it is called
format: {fps: 24}
defaults: {duration: 2s, provider: apiyi}
shots:
  # how it begins
  - shot: 1A
    action: She climbs.     # slowly
    takes: 2
    circled: 1
  - {shot: 1B, action: "She waits, long.", transition: {type: dissolve, duration: 8f}}

  # the sea
  - shot: 1C
    action: >
      The sea, and
      nothing else.
  - shot: 1D
    action: Night.
    transition: {type: fade, duration: 10f}
ending: fade
# the end
"""


@st.composite
def edits(draw: st.DrawFn, timeline: Timeline) -> Timeline:
    """The timeline as an editor has changed it: other order, parts, takes and transitions."""
    kept = draw(st.permutations(timeline.shots))
    if draw(st.booleans()):
        kept = kept[: draw(st.integers(1, len(kept)))]
    lengths = [draw(st.integers(20, 60)) if draw(st.booleans()) else shot.event.frames for shot in kept]
    joins = [draw(st.sampled_from(["cut", "dissolve", "fade"])) for _ in range(len(kept) + 1)]
    joins = ["cut" if not n and join == "dissolve" else join for n, join in enumerate(joins)]
    joins[-1] = "fade" if joins[-1] == "fade" else "cut"
    sizes = [draw(st.integers(2, 9)) for _ in joins]
    shots, start = [], 0
    for n, (shot, frames) in enumerate(zip(kept, lengths, strict=True)):
        is_last = n == len(kept) - 1
        join, size, after, next_size = joins[n], sizes[n], joins[n + 1], sizes[n + 1]
        event = Event(
            shot.slate, start, frames,
            dissolve_in=size if join == "dissolve" else 0,
            dissolve_out=next_size if after == "dissolve" else 0,
            fade_in=(size if not n else size - size // 2) if join == "fade" else 0,
            fade_out=(next_size if is_last else next_size // 2) if after == "fade" else 0,
        )  # fmt: skip
        take = draw(st.sampled_from(shot.takes)).model_copy(update={"first": draw(st.integers(5, 20))})
        takes = tuple(take if one.number == take.number else one for one in shot.takes)
        shots.append(shot.model_copy(update={"event": event, "takes": takes, "circled": take.number}))
        start += frames
    return timeline.model_copy(update={"shots": tuple(shots)})


@pytest.mark.parametrize("form", READERS)
@one_in(3)
@given(data=st.data())
def test_an_edited_cut_becomes_the_storyboards(form: str, data: st.DataObject, tmp_path: Path, home: Path) -> None:
    """What the new storyboard says, read again, is the cut of the file, to the frame; its comments are all there."""
    film = tmp_path / "film.yaml"
    film.write_text(FILM)
    planner = Planner.of(RunRequest(storyboard=film))
    edited = data.draw(edits(asyncio.run(film_timeline(planner))))
    file = tmp_path / f"cut.{form}"
    write_timeline(edited, form, file)  # type: ignore[arg-type]
    text = asyncio.run(taken_over(planner, FILM, file, {})).text
    film.write_text(text)
    again = asyncio.run(film_timeline(planner._replace(film=read(film))))
    wanted = as_edited(edited)
    got = as_edited(again)
    assert got == wanted
    kept = {shot.slate for shot in wanted.shots}
    comments = {"# A film with comments everywhere.": "", "# as it is called": "", "# the end": "",
                "# how it begins": "1A", "# slowly": "1A", "# the sea": "1C"}  # fmt: skip
    for comment, of in comments.items():
        assert (comment in text) == (not of or of in kept), text
    before = {take.key for take in planner.plan().takes}
    assert {take.key for take in planner._replace(film=read(film)).plan().takes} <= before


@pytest.mark.parametrize("form", READERS)
def test_what_is_not_changed_changes_nothing(form: str, tmp_path: Path, home: Path) -> None:
    film = tmp_path / "film.yaml"
    film.write_text(FILM)
    planner = Planner.of(RunRequest(storyboard=film))
    write_timeline(asyncio.run(film_timeline(planner)), form, tmp_path / f"cut.{form}")  # type: ignore[arg-type]
    assert asyncio.run(taken_over(planner, FILM, tmp_path / f"cut.{form}", {})).text == FILM


def test_what_a_storyboard_cannot_say_is_refused_with_the_reason(tmp_path: Path, home: Path) -> None:
    film = tmp_path / "film.yaml"
    film.write_text(FILM)
    planner = Planner.of(RunRequest(storyboard=film))
    timeline = asyncio.run(film_timeline(planner))
    first, second = timeline.shots[:2]
    twice = timeline.model_copy(update={"shots": (first, first.model_copy(
        update={"event": Event("1A", 48, 48)}))})  # fmt: skip
    write_timeline(twice, "otio", tmp_path / "twice.otio")
    with pytest.raises(NotImported, match="1A is there more than once"):
        asyncio.run(taken_over(planner, FILM, tmp_path / "twice.otio", {}))
    other = first.model_copy(update={"slate": "9Z"})
    write_timeline(timeline.model_copy(update={"shots": (other, second)}), "edl", tmp_path / "other.edl")
    with pytest.raises(NotImported, match="9Z take 1` is no take of the film"):
        asyncio.run(taken_over(planner, FILM, tmp_path / "other.edl", {}))
    (tmp_path / "bomb.fcpxml").write_text('<!DOCTYPE a [<!ENTITY x "y">]><fcpxml/>')
    for name in ("bomb.fcpxml", "none.otio", "cut.mov"):
        with pytest.raises(NotImported):
            asyncio.run(taken_over(planner, FILM, tmp_path / name, {}))


DEEP = "[" * 200_000
FOREIGN = {
    "drop.edl": ("FCM: NON-DROP FRAME", "FCM: drop frame"),
    "semicolons.edl": ("00:00:02:00", "00:00:02;00"),
    "of another rate.edl": ("00:00:02:00", "00:00:02:24"),
    "no tracks.otio": (None, '{"OTIO_SCHEMA": "Timeline.1", "tracks": null}'),
    "deep.otio": (None, f'{{"OTIO_SCHEMA": "Timeline.1", "tracks": {{"OTIO_SCHEMA": "Stack.1"}}, "metadata": {DEEP}'),
    "endless.otio": ('"value": 48.0', '"value": Infinity'),
    "without rate.otio": ('"rate": 24.0', '"rate": 0.0'),
    "before its take.otio": ('"value": 48.0', '"value": -48.0'),
    "of a take that is not there.otio": ('"take": 1', '"take": 77'),
    "long to compute.fcpxml": ('duration="2s"', 'duration="1e999999999s"'),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_timeline_that_is_hostile_or_counts_otherwise_is_refused(name: str, tmp_path: Path, home: Path) -> None:
    """Two of them end the process in the parser of OpenTimelineIO, and one would be computed for hours."""
    (tmp_path / "film.yaml").write_text(FILM)
    timeline = asyncio.run(film_timeline(Planner.of(RunRequest(storyboard=tmp_path / "film.yaml"))))
    file, (old, new) = tmp_path / name, FOREIGN[name]
    write_timeline(timeline, file.suffix[1:], file)  # type: ignore[arg-type]
    text = file.read_text()
    assert old is None or old in text
    file.write_text(new if old is None else text.replace(old, new))
    with pytest.raises(NotImported):
        READERS[file.suffix[1:]](file, timeline.rate, TakeNames(timeline))


CARDS = """\
storyboard: 1
title: Cards
format: {fps: 24}
defaults: {duration: 2s, provider: apiyi}
shots:
  - {shot: 1A, action: She climbs.}
  - {shot: 1B, action: The sea., continues: 1A}
  - card: One
    narration: One.
    duration: speech
    pad: 0.25s
  - card: Two
"""


def test_cards_are_moved_and_cut_to_another_length(tmp_path: Path, home: Path) -> None:
    """A card has no part of a take, and its slate is counted: what an editor changes is its length and its place."""
    film = tmp_path / "film.yaml"
    film.write_text(CARDS)
    planner = Planner.of(RunRequest(storyboard=film))
    timeline = asyncio.run(film_timeline(planner))
    first, second = timeline.shots[2:]
    cut = (
        second.model_copy(update={"event": Event("card-2", 0, 48)}),
        timeline.shots[0].model_copy(update={"event": Event("1A", 48, 48)}),
        first.model_copy(update={"event": Event("card-1", 96, 10)}),
    )
    write_timeline(timeline.model_copy(update={"shots": cut}), "otio", tmp_path / "cut.otio")
    text = asyncio.run(taken_over(planner, CARDS, tmp_path / "cut.otio", {})).text
    film.write_text(text)
    said = [(shot.card.text if shot.card else "", str(shot.duration)) for shot in read(film).all_shots]
    assert said == [("Two", "2s"), ("", "2s"), ("One", "10f")]
    film.write_text(CARDS)
    alone = timeline.shots[1].model_copy(update={"event": Event("1B", 0, 48)})
    write_timeline(timeline.model_copy(update={"shots": (alone,)}), "otio", tmp_path / "cut.otio")
    with pytest.raises(StoryboardError, match="with this cut there is no shot `1A` to continue"):
        asyncio.run(taken_over(planner, CARDS, tmp_path / "cut.otio", {}))


SCENES = """\
storyboard: 1
title: Scenes
format: {fps: 24}
defaults: {duration: 2s, provider: apiyi, transition: {type: dissolve, duration: 6f}}
scenes:
  - scene: 1        # at home
    shots:
      - {shot: 1A, action: She climbs.}
      - {shot: 1B, action: She waits.}
  - scene: 2
    shots:
      - {shot: 2A, action: The sea., handles: shoot}
      - {shot: 2B, action: Night., continues: 2A, takes: 2}
"""


def moved(timeline: Timeline, *slates: str, **takes: int) -> Timeline:
    """The timeline with hard cuts between these shots, and these takes in the cut."""
    by_slate = {shot.slate: shot for shot in timeline.shots}
    shots = []
    for number, slate in enumerate(slates):
        shot = by_slate[slate]
        event = Event(slate, 48 * number, 48)
        circled = takes.get(f"take_{slate}", shot.circled)
        shots.append(shot.model_copy(update={"event": event, "circled": circled}))
    return timeline.model_copy(update={"shots": tuple(shots)})


@pytest.fixture
def scenes(tmp_path: Path, home: Path) -> Planner:
    (tmp_path / "film.yaml").write_text(SCENES)
    return Planner.of(RunRequest(storyboard=tmp_path / "film.yaml"))


def imported(planner: Planner, edited: Timeline, folder: Path) -> str:
    write_timeline(edited, "otio", folder / "cut.otio")
    return asyncio.run(taken_over(planner, SCENES, folder / "cut.otio", {})).text


def test_whole_scenes_are_moved_and_a_default_transition_is_no_edit(scenes: Planner, tmp_path: Path) -> None:
    timeline = asyncio.run(film_timeline(scenes))
    text = imported(scenes, moved(timeline, "2A", "2B", "1B", "1A"), tmp_path)
    assert text.index("2A") < text.index("2B") < text.index("# at home") < text.index("1B") < text.index("1A")
    (tmp_path / "film.yaml").write_text(text)
    again = asyncio.run(film_timeline(scenes._replace(film=read(tmp_path / "film.yaml"))))
    assert [shot.event.dissolve_in for shot in again.shots] == [0, 0, 0, 0]
    with pytest.raises(StoryboardError, match="a scene holds its shots together"):
        imported(scenes, moved(timeline, "1A", "2A", "1B", "2B"), tmp_path)


def test_a_cut_with_which_something_would_be_bought_again_is_refused(scenes: Planner, tmp_path: Path) -> None:
    """A shot that shoots its handles loses its dissolve; a shot that another continues has another take in the cut."""
    timeline = asyncio.run(film_timeline(scenes))
    without_dissolves = moved(timeline, "1A", "1B", "2A", "2B")
    other_take = timeline.model_copy(
        update={"shots": (*timeline.shots[:3], timeline.shots[3].model_copy(update={"circled": 1}))}
    )
    with closing(scenes.home.ledger()) as ledger:
        for take in scenes.plan().takes:
            order_take(ledger, "Scenes", take)
    with pytest.raises(NotImported, match="2A, 2B would be bought again"):
        imported(scenes, without_dissolves, tmp_path)
    assert "circled: 1" in imported(scenes, other_take, tmp_path)
