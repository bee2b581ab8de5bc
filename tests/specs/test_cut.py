"""The cut: transitions never change the running time, and every conformed clip has the frames that it needs."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.cut import Anchor, Event, build_cut, edit_points
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.storyboard import Ending, Format, Shot, Storyboard, Transition
from storyreel.specs.timing import Duration, FrameRate

RATES = [12, 23.976, 24, 25, 29.97, 30, 60]
_kinds = st.sampled_from(["cut", "dissolve", "fade"])
_shots = st.lists(st.tuples(st.integers(1, 200), _kinds, st.integers(1, 90)), min_size=1, max_size=12)


def _film(shots: list[tuple[int, str, int]], ending: int = 0, rate: float = 24) -> Storyboard:
    return Storyboard(
        storyboard=1,
        title="x",
        format=Format.model_validate({"fps": rate}),
        shots=tuple(
            Shot(
                shot=str(number),
                action="x",
                duration=Duration(f"{frames}f"),
                transition=Transition.model_validate({"type": kind, "duration": f"{length}f"}),
            )
            for number, (frames, kind, length) in enumerate(shots)
        ),
        ending=Ending(type="fade", duration=Duration(f"{ending}f")) if ending else Ending(),
    )


def _laid(shots: list[tuple[int, str, int]], ending: int = 0) -> tuple[Event, ...]:
    """The events, of no more shots than the transitions leave room for."""
    try:
        return build_cut(_film(shots, ending)).events
    except StoryboardError:
        return ()


@given(_shots, st.integers(0, 30))
def test_transitions_never_change_the_running_time(shots: list[tuple[int, str, int]], ending: int) -> None:
    events = _laid(shots, ending)
    hard = build_cut(_film([(frames, "cut", 1) for frames, _, _ in shots])).events
    if events:
        assert [(event.start, event.end) for event in events] == [(event.start, event.end) for event in hard]
        assert events[-1].end == sum(frames for frames, _, _ in shots)


@given(_shots, st.integers(0, 30))
def test_neighbours_agree_about_what_lies_between_them(shots: list[tuple[int, str, int]], ending: int) -> None:
    events = _laid(shots, ending)
    for before, after in pairwise(events):
        assert before.end == after.start
        assert before.dissolve_out == after.dissolve_in
        assert before.tail + after.head == after.dissolve_in
        _, kind, length = shots[int(after.shot)]
        assert before.fade_out + after.fade_in == (length if kind == "fade" else 0)
        assert after.dissolve_in == (length if kind == "dissolve" else 0)
    if events:
        assert events[-1].fade_out == ending and events[-1].dissolve_out == 0
        assert events[0].fade_in == (shots[0][2] if shots[0][1] == "fade" else 0)


@given(_shots, st.integers(0, 30))
def test_a_shot_keeps_a_frame_of_its_own_or_is_refused(shots: list[tuple[int, str, int]], ending: int) -> None:
    if shots[0][1] == "dissolve":
        shots = [(shots[0][0], "cut", 1), *shots[1:]]
    owned = [0] * len(shots)
    for number, (_, kind, length) in enumerate(shots):
        if kind == "cut":
            continue
        first_half = length // 2 if number else 0
        owned[number] += length - first_half
        if number:
            owned[number - 1] += first_half
    owned[-1] += ending
    fits = all(frames > used for (frames, _, _), used in zip(shots, owned, strict=True))
    assert bool(_laid(shots, ending)) == fits


_events = st.builds(
    Event,
    shot=st.just("1A"),
    start=st.integers(0, 1000),
    frames=st.integers(1, 300),
    dissolve_in=st.integers(0, 60),
    dissolve_out=st.integers(0, 60),
    fade_in=st.just(0),
    fade_out=st.just(0),
    source=st.none(),
    of_take=st.none(),
)
_slack = st.integers(-60, 70)
"""Frames that a take has beyond the shot's length in the cut, around what handles need."""
_anchors = st.sampled_from(["free", "first", "last"])


@given(_events, _slack, _anchors)
def test_a_clip_has_the_frames_its_place_needs(event: Event, slack: int, anchor: Anchor) -> None:
    available = max(1, event.frames + slack)
    points = edit_points(event, available, anchor)
    assert points.total == event.with_handles
    assert min(points.first, points.hold_head, points.hold_tail) >= 0
    assert points.frames >= 1
    assert points.first + points.frames <= available
    assert (points.join_in, points.join_out) == (event.dissolve_in, event.dissolve_out)


@given(_events, _slack, _anchors)
def test_real_frames_are_held_for_only_where_there_are_none(event: Event, slack: int, anchor: Anchor) -> None:
    available = max(1, event.frames + slack)
    points = edit_points(event, available, anchor)
    if available >= event.with_handles and anchor == "free":
        assert points.hold_head == points.hold_tail == 0
    if available >= event.frames:
        assert points.hold_head <= event.head and points.hold_tail <= event.tail
        assert points.frames >= event.frames
    if available >= event.head + event.frames and anchor == "last":
        assert points.hold_head == 0
    if available >= event.frames + event.tail and anchor == "first":
        assert points.hold_tail == 0


@given(_events, _slack)
def test_a_continued_frame_is_where_the_cut_is(event: Event, slack: int) -> None:
    available = max(1, event.frames + slack)
    first = edit_points(event, available, "first")
    assert first.first == 0 and first.hold_head == event.head
    last = edit_points(event, available, "last")
    assert last.first + last.frames == available and last.hold_tail >= event.tail


@given(_events, _slack, _anchors, st.integers(0, 300))
def test_a_part_of_a_take_begins_where_the_shot_says_whatever_is_around_it(
    event: Event, slack: int, anchor: Anchor, source: int
) -> None:
    available = max(1, event.frames + slack)
    points = edit_points(event._replace(source=source, of_take=event.frames), available, anchor)
    head = event.head - points.hold_head
    assert points.first + head == min(source, available - 1)
    assert points.total == event.with_handles
    assert head == min(event.head, min(source, available - 1))
    assert points.first + points.frames <= available and points.frames >= 1
    if source + event.frames + event.tail <= available:
        assert points.hold_tail == 0


def test_a_shot_of_which_a_part_is_used_is_as_long_as_that_and_its_take_as_before() -> None:
    shots = (
        Shot.model_validate({"shot": "1A", "action": "x", "duration": "5s", "use": {"from": "12f", "length": "2s"}}),
        Shot.model_validate({"shot": "1B", "action": "x", "duration": "4s", "use": {"from": "1s"}}),
        Shot.model_validate({"shot": "1C", "action": "x", "duration": "3s", "use": {"length": "30f"}}),
    )
    film = Storyboard(storyboard=1, title="x", format=Format.model_validate({"fps": 24}), shots=shots)
    cut = build_cut(film)
    assert [(event.start, event.frames, event.source, event.take_frames) for event in cut.events] == [
        (0, 48, 12, 120), (48, 96, 24, 96), (144, 30, 0, 72),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("use", "said"), [({"length": "0f"}, "less than one frame"), ({"from": "00:00:00:30"}, "names frame 30")]
)
def test_a_part_that_the_rate_does_not_have_is_told_at_its_place(use: dict[str, str], said: str) -> None:
    shot = Shot.model_validate({"shot": "1A", "action": "x", "use": use})
    film = Storyboard(storyboard=1, title="x", format=Format.model_validate({"fps": 24}), shots=(shot,))
    with pytest.raises(StoryboardError, match=said):
        build_cut(film)


def test_a_take_without_frames_is_no_take() -> None:
    with pytest.raises(ValueError, match="the take of shot 1A has no frames"):
        edit_points(Event("1A", 0, 10), 0, "free")


@given(st.sampled_from(RATES), st.lists(st.sampled_from(["1s", "2.5s", "333ms", "48f", "00:00:01:05"]), min_size=1))
def test_the_film_is_as_long_as_its_shots(rate: float, durations: list[str]) -> None:
    fps = FrameRate.parse(rate)
    shots = tuple(Shot(shot=str(n), action="x", duration=Duration(text)) for n, text in enumerate(durations))
    film = Storyboard(storyboard=1, title="x", format=Format(fps=fps), shots=shots)
    assert build_cut(film).frames == sum(Duration(text).frames(fps) for text in durations)


def test_half_a_second_is_the_length_of_an_unsaid_transition() -> None:
    shots = tuple(
        Shot(shot=str(n), action="x", transition=Transition(type="dissolve" if n else "fade")) for n in (0, 1)
    )
    events = build_cut(Storyboard(storyboard=1, title="x", shots=shots, ending=Ending(type="fade"))).events
    assert [(e.fade_in, e.dissolve_in, e.dissolve_out, e.fade_out) for e in events] == [(15, 0, 15, 0), (0, 15, 0, 15)]


@given(_shots, st.integers(0, 30), st.sampled_from(RATES), st.sampled_from(RATES))
def test_at_another_rate_each_border_is_the_nearest_frame(
    shots: list[tuple[int, str, int]], ending: int, rate: float, other: float
) -> None:
    try:
        cut = build_cut(_film(shots, ending, rate))
        again = cut.at_rate(FrameRate.parse(other))
    except (StoryboardError, ValueError):
        return
    step = 1 / again.rate.exact
    for before, after in zip(cut.events, again.events, strict=True):
        for frame, there in ((before.start, after.start), (before.end, after.end)):
            assert abs(cut.rate.seconds(frame) - again.rate.seconds(there)) <= step / 2
        for length, kept in (
            (before.dissolve_in, after.dissolve_in),
            (before.fade_in, after.fade_in),
            (before.fade_out, after.fade_out),
        ):
            # As long as it was, unless the shot would keep no frame of its own.
            assert kept <= again.rate.frame_at(cut.rate, length)
        head = after.dissolve_in - after.head + after.fade_in
        assert head + after.dissolve_out // 2 + after.fade_out < after.frames
    assert again.frames == again.rate.frame_at(cut.rate, cut.frames) == sum(event.frames for event in again.events)
    assert again.events[0].start == 0 and again.events[-1].dissolve_out == 0
    for before, after in pairwise(again.events):
        assert before.end == after.start and before.dissolve_out == after.dissolve_in
        assert before.tail + after.head == after.dissolve_in


def test_at_a_rate_with_whole_frames_for_each_nothing_is_lost() -> None:
    cut = build_cut(_film([(24, "fade", 12), (48, "dissolve", 12), (36, "cut", 1)], 6, 24))
    twice = cut.at_rate(FrameRate.parse(48))
    assert twice == build_cut(_film([(48, "fade", 24), (96, "dissolve", 24), (72, "cut", 1)], 12, 48))
    assert twice.at_rate(cut.rate) == cut and cut.at_rate(cut.rate) is cut


def test_a_part_of_a_take_begins_at_its_time_at_another_rate() -> None:
    event = build_cut(_film([(24, "cut", 1)])).events[0]._replace(source=12, of_take=48)
    (again,) = build_cut(_film([(24, "cut", 1)]))._replace(events=(event,)).at_rate(FrameRate.parse(30)).events
    assert (again.source, again.of_take) == (15, 60)


def test_a_shot_shorter_than_a_frame_is_named() -> None:
    cut = build_cut(_film([(60, "cut", 1), (2, "cut", 1), (60, "cut", 1)], 0, 60))
    with pytest.raises(ValueError, match="shot 1 is shorter than a frame at 12 fps"):
        cut.at_rate(FrameRate.parse(12))
