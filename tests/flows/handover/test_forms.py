"""The cut as OpenTimelineIO, EDL and FCPXML: every form adds up to the frames of the film, and keeps all takes."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import opentimelineio as otio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.flows.handover.edl import write_edl
from storyreel.flows.handover.export import write_timeline
from storyreel.flows.handover.fcpxml import write_fcpxml
from storyreel.flows.handover.otio import FADE, OWN, write_otio
from storyreel.flows.handover.timeline import LaidFile, Level, Mark, Media, Timeline, TimelineShot, TimelineTake
from storyreel.specs.cut import Event, build_cut
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.timing import FrameRate

HOUR = 3600
_RATES = st.sampled_from([24, 23.976, 25, 30])


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Films of one to six shots with one to three takes, some of them not made and some too short."""
    rate = FrameRate.parse(draw(_RATES))
    shots = []
    for number in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["cut", "fade"] if not number else ["cut", "dissolve", "fade"]))
        length = draw(st.integers(1, 9))
        shots.append(
            {
                "shot": f"{number}A", "action": "x", "duration": f"{draw(st.integers(8, 60))}f",
                "transition": {"type": kind, "duration": f"{length}f"},
            }
        )  # fmt: skip
    ending = {"type": "fade", "duration": "3f"} if draw(st.booleans()) else "cut"
    film = {"storyboard": 1, "title": "Cut & dried", "format": {"fps": str(rate)}, "shots": shots, "ending": ending}
    try:
        events = build_cut(Storyboard.model_validate(film)).events
    except StoryboardError:
        events = (Event("0A", 0, 24),)
    made = tuple(draw(_shots(event, rate)) for event in events)
    start = draw(st.sampled_from([0, HOUR * rate.nominal]))
    marks = (Mark(kind="scene", start=0, frames=events[-1].end, name="Scene 1", note="INT. <ROOM>"),)
    sound = Media(file=Path("/films/music & more.wav"), seconds=Fraction(5), rate=rate.exact)
    laid = (LaidFile(name="music", media=sound, start=1, end=events[-1].end, level=Level(gain=-12.0)),)
    return Timeline(
        title="Cut & dried", rate=rate, size=(1280, 720), start=start, shots=made, sounds=laid, marks=marks
    )  # fmt: skip


@st.composite
def _shots(draw: st.DrawFn, event: Event, rate: FrameRate) -> TimelineShot:
    def take(number: int) -> TimelineTake:
        first = draw(st.integers(0, event.head + 3))
        is_made = bool(draw(st.integers(0, 9)))
        # An EDL cannot say that a take ends within its dissolve if its first frame is in it: it may lack others before.
        has_more = first > event.head or not event.dissolve_in
        most = event.frames - 1 if has_more else min(3, event.frames - 1)
        frames = first + event.frames + event.tail - (draw(st.integers(0, most)) if is_made else 0)
        media = Media(
            file=Path(f"/films/{event.shot} {number}.mp4"), seconds=rate.seconds(frames), rate=rate.exact,
            size=(1280, 720),
        )  # fmt: skip
        return TimelineTake(
            number=number, key=f"{event.shot}-{number}", provider="apiyi", model="m", seed=number, prompt="x",
            media=media if is_made else None, first=first, frames=frames,
        )  # fmt: skip

    takes = tuple(take(number) for number in range(1, draw(st.integers(1, 3)) + 1))
    circled = draw(st.integers(1, len(takes)))
    return TimelineShot(
        slate=event.shot, scene="1", action="x", event=event, takes=takes, circled=circled, is_heard=True
    )  # fmt: skip


def url_of(file: Path) -> str:
    return file.as_uri()


@given(timelines())
def test_otio_has_the_frames_of_the_film_and_every_take(timeline: Timeline) -> None:
    read = otio.adapters.read_from_string(write_otio(timeline, url_of), "otio_json")
    (track,) = read.video_tracks()
    rate = float(timeline.rate.exact)
    assert track.duration() == otio.opentime.RationalTime(timeline.frames, rate)
    assert read.global_start_time == otio.opentime.RationalTime(timeline.start, rate)
    clips = [clip for clip in track.find_clips() if "held" not in clip.metadata[OWN]]
    assert [clip.name for clip in clips] == [shot.slate for shot in timeline.shots]
    for clip, shot in zip(clips, timeline.shots, strict=True):
        references = clip.media_references()
        assert {name: each.metadata[OWN]["key"] for name, each in references.items()} == {
            take.name: take.key for take in shot.takes
        }
        assert clip.active_media_reference_key == f"take {shot.circled}"
        assert clip.source_range.start_time.value == shot.take.first
        place = track.range_of_child(clip)
        assert (place.start_time.value, place.duration.value) == (shot.event.start, shot.played)
        if shot.take.media and not shot.held:
            handles = clip.available_range().end_time_exclusive() - clip.source_range.end_time_exclusive()
            assert handles.value == shot.take.frames - shot.take.first - shot.event.frames
    for track in read.audio_tracks():
        assert track.duration().value <= timeline.frames
        assert all(not clip.effects for clip in track.find_clips())  # a held frame has no sound


@given(timelines())
def test_transitions_of_otio_lie_where_the_cut_has_them(timeline: Timeline) -> None:
    (track,) = otio.adapters.read_from_string(write_otio(timeline, url_of), "otio_json").video_tracks()
    found, position = [], 0
    for item in track:
        if isinstance(item, otio.schema.Transition):
            start, end = position - item.in_offset.value, position + item.out_offset.value
            found.append(("fade" if item.name == FADE else "dissolve", start, end))
        else:
            position += item.duration().value
    expected = [("fade", 0, timeline.shots[0].event.fade_in)] if timeline.shots[0].event.fade_in else []
    for shot, following in zip(timeline.shots, [*timeline.shots[1:], None], strict=True):
        event, fade_in = shot.event, following.event.fade_in if following else 0
        if event.dissolve_out:
            expected.append(("dissolve", event.end - event.dissolve_out // 2, event.end + event.tail))
        elif event.fade_out or fade_in:
            expected.append(("fade", event.end - event.fade_out, event.end + fade_in))
    assert found == expected


_EVENT = re.compile(r"(\d{3,4})  (\S+) +V     (C|D    \d{3}) +" + " ".join([r"(\d\d:\d\d:\d\d:\d\d)"] * 4))


@given(timelines())
def test_an_edl_has_every_frame_of_the_film_once(timeline: Timeline) -> None:
    text = write_edl(timeline)
    assert text.isprintable() or all(line.isprintable() for line in text.splitlines())
    position = timeline.start
    for line, following in pairwise((*text.splitlines(), "")):
        if found := _EVENT.fullmatch(line):
            first, end, start, until = (_frame(timecode, timeline.rate) for timecode in found.groups()[3:])
            slow = re.match(r"M2 +\S+ +([0-9.]+) ", following)
            speed = float(slow[1]) / timeline.rate.nominal if slow else 1
            assert start == position and until - start >= int(found[3][1:] or 0)
            assert not speed or end - first == round((until - start) * speed), line
            assert len(found[2]) <= 8
            position = until
    assert position == timeline.start + timeline.frames


@given(timelines())
def test_an_outside_reader_of_edl_finds_the_same_film(timeline: Timeline) -> None:
    events = [shot.event for shot in timeline.shots]
    if any(event.fade_in or event.fade_out for event in events) or "\nM2 " in write_edl(timeline):
        return  # of black and of another speed it does not know
    read = otio.adapters.read_from_string(write_edl(timeline), "cmx_3600", rate=timeline.rate.nominal)
    (track,) = read.video_tracks()
    assert track.duration().value == timeline.frames
    assert [clip.name for clip in track.find_clips()] == [
        f"{shot.slate} {shot.take.name}" for shot in timeline.shots
    ]  # fmt: skip


@given(timelines())
def test_fcpxml_has_every_frame_of_the_film_once_and_every_take_that_is_made(timeline: Timeline) -> None:
    root = ElementTree.fromstring(write_fcpxml(timeline, url_of))
    spine = root.find(".//spine")
    assert spine is not None
    position = timeline.rate.seconds(timeline.start)
    for item in spine:
        shown = item[0] if item.tag == "audition" else item
        start, length = (_seconds(shown.get(name, "")) for name in ("offset", "duration"))
        assert (length / timeline.rate.seconds(1)).denominator == 1
        if item.tag != "transition":
            assert start == position
            position += length
    assert position == timeline.rate.seconds(timeline.start + timeline.frames)
    sources = {each.get("src") for each in root.iter("media-rep")}
    for shot in timeline.shots:
        if shot.take.media:
            assert {take.media.file.as_uri() for take in shot.takes if take.media} <= sources
    ids = [each.get("id") for each in root.iter() if each.tag in ("asset", "format")]
    assert len(ids) == len(set(ids)) and {each.get("ref") for each in spine.iter("asset-clip")} <= set(ids)


@pytest.mark.parametrize(("rate", "named"), [(30, {"srcFrameRate": "30"}), (16, {}), (24, None)])
def test_a_take_of_another_rate_plays_as_fast_as_it_was_made(rate: int, named: dict[str, str] | None) -> None:
    """Final Cut slows a clip down to the rate of its project unless it is told not to."""
    media = Media(file=Path("/films/a.mp4"), seconds=Fraction(3), rate=Fraction(rate), size=(1280, 720))
    take = TimelineTake(number=1, key="k", provider="p", model="m", seed=0, prompt="x", media=media, first=0, frames=72)
    shot = TimelineShot(
        slate="1A", scene="", action="x", event=Event("1A", 0, 80), takes=(take,), circled=1, is_heard=True
    )  # fmt: skip
    film = Timeline(title="x", rate=FrameRate.parse(24), size=(1280, 720), start=0, shots=(shot,))
    clips = list(ElementTree.fromstring(write_fcpxml(film, url_of)).iter("asset-clip"))
    found = [None if (each := clip.find("conform-rate")) is None else dict(each.attrib) for clip in clips]
    assert found == [None if named is None else {"scaleEnabled": "0", **named}] * 2  # the held frames too


def test_transitions_of_fcpxml_are_those_of_final_cut() -> None:
    """One without an effect is shown as a cut there."""
    film = _of_events([Event("1A", 0, 24, fade_in=4, dissolve_out=6), Event("1B", 24, 24, dissolve_in=6)])
    root = ElementTree.fromstring(write_fcpxml(film, url_of))
    uids = {each.get("id"): each.get("uid", "") for each in root.iter("effect")}
    found = [(each.get("name"), uids[filter_.get("ref")]) for each in root.iter("transition") for filter_ in each]
    assert found == [
        ("Fade To Color", "FxPlug:F779C565-486D-4633-8035-0374B4DB8F5C"),
        ("Cross Dissolve", "FxPlug:4731E73A-8DAC-4113-9A30-AE85B1761265"),
    ]  # fmt: skip


def test_final_cut_pro_7_has_fades_from_black_through_it_and_to_it(tmp_path: Path) -> None:
    film = _of_events([Event("1A", 0, 24, fade_in=4, fade_out=5), Event("1B", 24, 24, fade_in=6, fade_out=7)])
    write_timeline(film, "fcp7", tmp_path / "cut.xml")
    found = ElementTree.parse(tmp_path / "cut.xml").iter("transitionitem")
    names = ("effect/effectid", "alignment", "start", "end")
    assert [tuple(each.findtext(name) for name in names) for each in found] == [
        ("Cross Dissolve", "start-black", "0", "4"),
        ("Dip to Color Dissolve", "center", "19", "30"),
        ("Cross Dissolve", "end-black", "41", "48"),
    ]


def test_a_take_without_handles_is_slower_in_the_dissolve_of_an_edl() -> None:
    """It begins with its shot: of the ten frames of the dissolve it has five, and is as in the film from then on."""
    film = _of_events([Event("1A", 0, 48, dissolve_out=10), Event("1B", 48, 48, dissolve_in=10)])
    lines = [line for line in write_edl(film).splitlines() if line.startswith(("0", "M2"))]
    assert [" ".join(line.split()) for line in lines] == [
        "001 1A_T1 V C 00:00:00:00 00:00:01:19 00:00:00:00 00:00:01:19",
        "002 1A_T1 V C 00:00:01:19 00:00:01:19 00:00:01:19 00:00:01:19",
        "002 1B_T1 V D 010 00:00:00:00 00:00:00:05 00:00:01:19 00:00:02:05",
        "M2 1B_T1 012.0 00:00:00:00",
        "003 1B_T1 V C 00:00:00:05 00:00:02:00 00:00:02:05 00:00:04:00",
    ]  # fmt: skip


def _of_events(events: list[Event]) -> Timeline:
    """A film of 24 fps whose takes are as long as their shots."""
    shots = []
    for event in events:
        media = Media(file=Path(f"/{event.shot}.mp4"), seconds=Fraction(event.frames, 24), rate=Fraction(24))
        take = TimelineTake(number=1, key="k", provider="p", model="m", seed=0, prompt="x", media=media, first=0,
                            frames=event.frames)  # fmt: skip
        shots.append(
            TimelineShot(
                slate=event.shot, scene="", action="x", event=event, takes=(take,), circled=1, is_heard=True
            )
        )  # fmt: skip
    return Timeline(title="x", rate=FrameRate.parse(24), size=(1280, 720), start=0, shots=tuple(shots))


@given(timelines())
def test_an_outside_reader_of_fcpxml_finds_the_same_shots(timeline: Timeline) -> None:
    if any(len(shot.takes) > 1 or shot.held or not shot.take.media for shot in timeline.shots):
        return  # auditions it takes for several shots
    read = otio.adapters.read_from_string(write_fcpxml(timeline, url_of), "fcpx_xml")
    names = [clip.name for clip in read.find_clips() if not clip.name.startswith("music")]
    assert names == [f"{shot.slate} {shot.take.name}" for shot in timeline.shots]


def test_a_text_of_the_film_cannot_break_a_form() -> None:
    """A title or a mark with line breaks, quotes and angle brackets is text in each."""
    event = Event("1A", 0, 24)
    take = TimelineTake(number=1, key="k", provider="p", model="m", seed=0, prompt="x", media=None, first=0, frames=24)
    shot = TimelineShot(slate="1A", scene="", action="x", event=event, takes=(take,), circled=1, is_heard=False)
    mark = Mark(kind="scene", start=0, frames=24, name="a\nM2   X 000.0", note='"<b>&')
    film = Timeline(
        title="a\n001  B\"<&", rate=FrameRate.parse(24), size=(1280, 720), start=0, shots=(shot,), marks=(mark,)
    )  # fmt: skip
    assert sum(line.startswith(("0", "M2")) for line in write_edl(film).splitlines()) == 1
    assert ElementTree.fromstring(write_fcpxml(film, url_of)).find(".//project").get("name") == film.title  # type: ignore[union-attr]
    assert otio.adapters.read_from_string(write_otio(film, url_of), "otio_json").name == film.title


@pytest.mark.parametrize("slate", ["a-very-long-slate", "厨房", "1A.2"])
def test_reels_have_eight_plain_letters_and_no_two_are_alike(slate: str) -> None:
    shots = []
    for number, name in enumerate((slate, f"{slate}b")):
        event = Event(name, 24 * number, 24)
        take = TimelineTake(
            number=1, key="k", provider="p", model="m", seed=0, prompt="x", media=None, first=0, frames=24
        )
        shots.append(
            TimelineShot(slate=name, scene="", action="x", event=event, takes=(take,), circled=1, is_heard=False)
        )
    film = Timeline(title="x", rate=FrameRate.parse(24), size=(1280, 720), start=0, shots=tuple(shots))
    reels = [found[2] for line in write_edl(film).splitlines() if (found := _EVENT.fullmatch(line))]
    assert len(set(reels)) == 2 and all(re.fullmatch(r"[A-Za-z0-9_]{1,8}", reel) for reel in reels)


def _frame(timecode: str, rate: FrameRate) -> int:
    hours, minutes, seconds, frames = map(int, timecode.split(":"))
    return ((hours * 60 + minutes) * 60 + seconds) * rate.nominal + frames


def _seconds(text: str) -> Fraction:
    return Fraction(text.removesuffix("s"))
