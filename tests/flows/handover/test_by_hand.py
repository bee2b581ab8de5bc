"""Cuts that were changed in an editing program by hand, and the habits of other programs."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Callable
from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from zipfile import ZipFile

import opentimelineio as otio
import pytest
from opentimelineio.opentime import RationalTime, TimeRange

from storyreel.flows.handover.collect import collected
from storyreel.flows.handover.edited import EditedCut, NotImported
from storyreel.flows.handover.export import film_timeline, form_of, write_timeline
from storyreel.flows.handover.names import Named, TakeNames
from storyreel.flows.handover.take_over import taken_over
from storyreel.flows.handover.timeline import Media, Timeline
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from tests.flows.handover.test_round_trips import READERS, as_edited

FILM = """\
storyboard: 1
title: By hand
format: {fps: 24}
draft: {provider: animatic}
defaults: {duration: 2s, provider: apiyi}
shots:
  - {shot: 1A, action: She climbs.}
  - {shot: 1B, action: The sea., transition: {type: dissolve, duration: 6f}}
  - {shot: 1C, action: She waits.}
"""
CUTS = FILM.replace(", transition: {type: dissolve, duration: 6f}", "")


def timeline_of(folder: Path, text: str = CUTS) -> Timeline:
    """The timeline of a film of which all takes are made, each with a second of frames more at its end."""
    (folder / "film.yaml").write_text(text)
    timeline = asyncio.run(film_timeline(Planner.of(RunRequest(storyboard=folder / "film.yaml"))))
    rate = timeline.rate.exact
    shots = []
    for shot in timeline.shots:
        frames = shot.take.first + shot.event.frames + 24
        media = Media(file=folder / f"{shot.slate}.mp4", seconds=frames / rate, rate=rate, size=(1280, 720))
        takes = (shot.take.model_copy(update={"media": media, "frames": frames}),)
        shots.append(shot.model_copy(update={"takes": takes}))
    return timeline.model_copy(update={"shots": tuple(shots)})


def read_again(timeline: Timeline, form: str, folder: Path, change: Callable[[str], str]) -> EditedCut:
    """The cut of a timeline whose text was changed."""
    file = folder / f"cut.{form}"
    write_timeline(timeline, form, file)  # type: ignore[arg-type]
    text = file.read_text()
    changed = change(text)
    assert changed != text
    file.write_text(changed)
    return READERS[form](file, timeline.rate, TakeNames(timeline))


def by_otio(timeline: Timeline, folder: Path, change: Callable[[otio.schema.Timeline], None]) -> EditedCut:
    """The cut of a timeline that OpenTimelineIO has changed."""
    file = folder / "cut.otio"
    write_timeline(timeline, "otio", file)
    found = otio.adapters.read_from_file(str(file))
    change(found)
    otio.adapters.write_to_file(found, str(file))
    return READERS["otio"](file, timeline.rate, TakeNames(timeline))


def lifted(found: otio.schema.Timeline, number: int, at: int, *, leaves: bool) -> None:
    """Put a clip on a track above, from a frame on; where it was is a gap, or nothing."""
    (track,) = found.video_tracks()
    clip = deepcopy(track[number])
    if leaves:
        track[number] = otio.schema.Gap(duration=clip.duration())
    else:
        del track[number]
    gap = otio.schema.Gap(duration=RationalTime(at, 24))
    found.tracks.insert(1, otio.schema.Track("V2", children=[gap, clip], kind="Video"))


def test_clips_on_several_tracks_are_the_cut_that_is_seen(tmp_path: Path, home: Path) -> None:
    timeline = timeline_of(tmp_path)
    checkered = by_otio(timeline, tmp_path, lambda found: lifted(found, 1, 48, leaves=True))
    assert checkered == as_edited(timeline)
    over = by_otio(timeline, tmp_path, lambda found: lifted(found, 2, 60, leaves=False))
    assert [(shot.slate, shot.first, shot.frames) for shot in over.shots] == [
        ("1A", 0, 48), ("1B", 0, 12), ("1C", 0, 48),
    ]  # fmt: skip
    dissolves = timeline_of(tmp_path, FILM)
    with pytest.raises(NotImported, match="2 tracks of picture, and transitions"):
        by_otio(dissolves, tmp_path, lambda found: lifted(found, 3, 96, leaves=False))


def _nested(found: otio.schema.Timeline) -> None:
    (track,) = found.video_tracks()
    inner = otio.schema.Track(children=[deepcopy(track[1])])
    track[1] = otio.schema.Stack("Nest", children=[inner])


def _faster(found: otio.schema.Timeline) -> None:
    found.video_tracks()[0][1].effects.append(otio.schema.LinearTimeWarp(time_scalar=2))


def _off(found: otio.schema.Timeline) -> None:
    found.video_tracks()[0][1].enabled = False


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_nested, "`Nest` is a nested sequence; break it apart"),
        (_faster, "`1B` has effects, or another speed"),
        (_off, "`1B` is switched off; take it out"),
    ],
)
def test_what_is_made_by_hand_and_no_cut_is_refused(
    change: Callable[[otio.schema.Timeline], None], reason: str, tmp_path: Path, home: Path
) -> None:
    with pytest.raises(NotImported, match=re.escape(reason)):
        by_otio(timeline_of(tmp_path), tmp_path, change)


def test_a_clip_that_was_cut_through_is_one_and_a_file_may_count_from_a_timecode(tmp_path: Path, home: Path) -> None:
    def change(found: otio.schema.Timeline) -> None:
        (track,) = found.video_tracks()
        second = deepcopy(track[1])
        track[1].source_range = TimeRange(RationalTime(0, 24), RationalTime(30, 24))
        second.source_range = TimeRange(RationalTime(30, 24), RationalTime(18, 24))
        track.insert(2, second)
        hour = RationalTime(86400, 24)
        for clip in track.find_clips():
            clip.media_reference.available_range = TimeRange(hour, RationalTime(72, 24))
            clip.source_range = TimeRange(clip.source_range.start_time + hour, clip.source_range.duration)

    timeline = timeline_of(tmp_path)
    assert by_otio(timeline, tmp_path, change) == as_edited(timeline)


@pytest.mark.parametrize("fps", ["23.976", "24"])
def test_frames_that_a_program_counts_at_the_rounded_rate_are_those_of_the_film(
    fps: str, tmp_path: Path, home: Path
) -> None:
    """Also those after the 500th, which seconds would move by one."""
    long = CUTS.replace("2s", "700f").replace("apiyi", "animatic")
    timeline = timeline_of(tmp_path, long.replace("fps: 24", f"fps: {fps}"))
    other = "24.0" if fps == "23.976" else "23.976"
    as_otio = read_again(timeline, "otio", tmp_path, lambda text: re.sub(r'"rate": [0-9.]+', f'"rate": {other}', text))
    assert as_otio.shots == as_edited(timeline).shots
    (note,) = as_otio.notes
    assert f"counts {other.removesuffix('.0')} frames a second, the film has {fps}" in note
    if fps == "23.976":
        to_24 = Fraction(1001, 1000)
        as_xml = read_again(timeline, "fcpxml", tmp_path, lambda text: _times(text, to_24))
        assert as_xml.shots == as_otio.shots and as_xml.notes == as_otio.notes


def _times(text: str, by: Fraction) -> str:
    """FCPXML with each of its times divided."""
    return re.sub(r'"([0-9]+(?:/[0-9]+)?)s"', lambda found: f'"{Fraction(found[1]) / by}s"', text)


def test_a_time_beside_a_frame_is_that_of_the_frame_and_one_between_two_is_refused(tmp_path: Path, home: Path) -> None:
    timeline = timeline_of(tmp_path)
    near = read_again(timeline, "otio", tmp_path, lambda text: text.replace('"value": 48.0', '"value": 48.2'))
    assert near.shots == as_edited(timeline).shots
    assert near.notes == ("times that lie beside a frame were taken as that of the nearest one: 1A, 1B, 1C",)
    with pytest.raises(NotImported, match="between two frames"):
        read_again(timeline, "otio", tmp_path, lambda text: text.replace('"value": 48.0', '"value": 48.4'))


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "cp1252"])
def test_an_edl_is_read_in_the_letters_that_programs_write(codec: str, tmp_path: Path, home: Path) -> None:
    timeline = timeline_of(tmp_path, CUTS.replace("1B", "Tür"))
    write_timeline(timeline, "edl", tmp_path / "cut.edl")
    text = (tmp_path / "cut.edl").read_text().replace("\n", "\r\n")
    (tmp_path / "cut.edl").write_bytes(text.encode(codec))
    assert READERS["edl"](tmp_path / "cut.edl", timeline.rate, TakeNames(timeline)) == as_edited(timeline)


@pytest.mark.parametrize("ending", ["fcpxmld", "otiod", "otioz"])
def test_a_timeline_in_a_bundle_is_read(ending: str, tmp_path: Path, home: Path) -> None:
    """Final Cut Pro writes a folder, other programs an archive with the media."""
    (tmp_path / "film.yaml").write_text(CUTS)
    planner = Planner.of(RunRequest(storyboard=tmp_path / "film.yaml"))
    timeline = asyncio.run(film_timeline(planner))
    bundle, within = tmp_path / f"cut.{ending}", {"fcpxmld": "Info.fcpxml"}.get(ending, "content.otio")
    write_timeline(timeline, form_of(Path(within)), tmp_path / within)
    if ending == "otioz":
        with ZipFile(bundle, "w") as archive:
            archive.write(tmp_path / within, within)
    else:
        bundle.mkdir()
        (tmp_path / within).rename(bundle / within)
    assert asyncio.run(taken_over(planner, CUTS, bundle, {})).text == CUTS
    for wrong in (tmp_path / "none.otioz", tmp_path / "film.otioz", tmp_path):
        (tmp_path / "film.otioz").write_bytes(b"PK no archive")
        with pytest.raises(NotImported):
            asyncio.run(taken_over(planner, CUTS, wrong, {}))


def test_an_edl_with_normal_speeds_is_read_and_one_with_others_or_more_tracks_is_not(
    tmp_path: Path, home: Path
) -> None:
    timeline = timeline_of(tmp_path)

    def with_speed(speed: str) -> Callable[[str], str]:
        name = "* FROM CLIP NAME: 1B"
        return lambda text: text.replace(name, f"M2   1B_T1    {speed}   00:00:00:00\n{name}")

    assert read_again(timeline, "edl", tmp_path, with_speed("024.0")) == as_edited(timeline)
    for change, reason in (
        (with_speed("012.0"), "`1B` has another speed"),
        (lambda text: text.replace("1C_T1    V ", "1C_T1    V2"), "picture on V2 too"),
    ):
        with pytest.raises(NotImported, match=reason):
            read_again(timeline, "edl", tmp_path, change)


def _into(clip: str, more: str) -> Callable[[str], str]:
    """The text of an FCPXML with more in a clip, behind its note."""
    return lambda text: re.sub(rf'(<asset-clip [^>]*name="{clip}"[^>]*>\s*<note>.*</note>)', rf"\1{more}", text)


OVER = '<asset-clip ref="r2" {}lane="1" offset="0s" name="Over" start="0s" duration="1s" />'
TIMES = '<timeMap><timept time="0s" value="{}s" /><timept time="2s" value="{}s" /></timeMap>'


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (OVER.format(""), "`Over` lies over the picture"),
        ('<spine lane="1" name="Over" offset="0s" />', "`Over` lies over the picture"),
        (TIMES.format(0, 4), "`1B take 1` has another speed"),
        ('<conform-rate srcFrameRate="30" />', "`1B take 1` has another speed"),
    ],
)
def test_pictures_over_a_clip_and_other_speeds_of_fcpxml_are_refused(
    more: str, reason: str, tmp_path: Path, home: Path
) -> None:
    with pytest.raises(NotImported, match=reason):
        read_again(timeline_of(tmp_path), "fcpxml", tmp_path, _into("1B take 1", more))


@pytest.mark.parametrize(
    ("more", "first", "notes"),
    [
        (OVER.format('enabled="0" '), 0, ()),
        (OVER.format('srcEnable="audio" '), 0, ()),
        (TIMES.format(0, 2), 0, ()),
        (TIMES.format("1/2", "5/2"), 12, ()),
        ('<conform-rate srcFrameRate="23.98" />', 0, ()),
        ('<title lane="1" name="Big" />', 0, ("this of the timeline is not read: the title Big",)),
        ('<filter-video name="Blur" />', 0, ("this of the timeline is not read: the effect Blur of 1B take 1",)),
    ],
)
def test_what_does_not_change_the_cut_of_fcpxml_is_left_out_and_told(
    more: str, first: int, notes: tuple[str, ...], tmp_path: Path, home: Path
) -> None:
    cut = read_again(timeline_of(tmp_path), "fcpxml", tmp_path, _into("1B take 1", more))
    assert [(shot.slate, shot.first, shot.frames) for shot in cut.shots] == [
        ("1A", 0, 48), ("1B", first, 48), ("1C", 0, 48),
    ]  # fmt: skip
    assert cut.notes == notes


def test_a_compound_clip_is_refused_by_its_name(tmp_path: Path, home: Path) -> None:
    def change(text: str) -> str:
        media = '<media id="r99"><sequence><spine /></sequence></media></resources>'
        compound = '<ref-clip ref="r99" name="Scene" offset="0s" duration="1s" /></spine>'
        return text.replace("</resources>", media).replace("</spine>", compound)

    with pytest.raises(NotImported, match="`Scene` is a compound clip; break it apart"):
        read_again(timeline_of(tmp_path), "fcpxml", tmp_path, change)


@pytest.mark.parametrize("form", READERS)
def test_takes_of_one_file_come_back_as_themselves_and_are_collected_each(
    form: str, tmp_path: Path, home: Path
) -> None:
    """Equal shots have one take, and one file."""
    timeline = timeline_of(tmp_path)
    (tmp_path / "one.mp4").write_bytes(b"one")
    shots = []
    for shot in timeline.shots:
        assert shot.take.media
        media = shot.take.media.model_copy(update={"file": tmp_path / "one.mp4"})
        shots.append(shot.model_copy(update={"takes": (shot.take.model_copy(update={"media": media}),)}))
    same = timeline.model_copy(update={"shots": tuple(shots)})
    for collect in (False, True):
        file = tmp_path / f"to/cut.{form}"
        write_timeline(same, form, file, collect=collect)  # type: ignore[arg-type]
        text = file.read_text()
        if form == "otio":  # as programs leave it that keep no notes of others
            file.write_text(re.sub(r'"(slate|take)": ', r'"no \1": ', text))
        assert READERS[form](file, same.rate, TakeNames(same)) == as_edited(same)
    names = {f"{shot.slate}-take-1.mp4" for shot in timeline.shots}
    assert {each.name for each in (tmp_path / "to/media").iterdir()} == names


def test_a_cut_of_drawings_is_that_of_the_takes_that_are_bought_later(tmp_path: Path, home: Path) -> None:
    """A drawing has handles and so begins later: the shot still begins where the editor has moved it, from its own."""
    drawn, film = (
        timeline_of(tmp_path, FILM.replace("provider: apiyi", "provider: animatic")),
        timeline_of(tmp_path, FILM),
    )
    firsts = [[shot.take.first for shot in each.shots] for each in (drawn, film)]
    assert firsts == [[0, 3, 0], [0, 0, 0]]
    write_timeline(drawn, "otio", tmp_path / "drawn.otio")
    assert READERS["otio"](tmp_path / "drawn.otio", film.rate, TakeNames(film)) == as_edited(film)
    text = (tmp_path / "drawn.otio").read_text().replace('"value": 3.0', '"value": 8.0')
    (tmp_path / "drawn.otio").write_text(text)
    cut = READERS["otio"](tmp_path / "drawn.otio", film.rate, TakeNames(film))
    assert cut.shots[1].first == 8 - 3


def test_a_name_is_found_however_its_accents_are_written(tmp_path: Path, home: Path) -> None:
    names = TakeNames(timeline_of(tmp_path, CUTS.replace("1B", "Tür")))
    apart = unicodedata.normalize("NFD", "Tür")
    assert names.find(f"{apart} take 1") == names.find(f"file:///m/{apart}-take-1.mp4") == Named("Tür", 1)


def test_a_copy_with_other_content_is_made_anew(tmp_path: Path, home: Path) -> None:
    timeline = timeline_of(tmp_path)
    for shot in timeline.shots:
        (tmp_path / f"{shot.slate}.mp4").write_bytes(b"new")
    (tmp_path / "media").mkdir()
    (tmp_path / "media/1A-take-1.mp4").write_bytes(b"old")
    collected(timeline, tmp_path / "media")
    copies = sorted((tmp_path / "media").iterdir())
    assert [each.read_bytes() for each in copies] == [b"new"] * 3
    there = [each.stat().st_ino for each in copies]
    collected(timeline, tmp_path / "media")
    assert [each.stat().st_ino for each in copies] == there  # nothing was copied again


@pytest.mark.parametrize("form", READERS)
def test_the_timeline_of_a_draft_is_compared_with_the_draft(form: str, tmp_path: Path, home: Path) -> None:
    """The takes of a draft may be longer or shorter: what nobody has changed is no change of the film."""
    (tmp_path / "film.yaml").write_text(FILM)
    planner = Planner.of(RunRequest(storyboard=tmp_path / "film.yaml"))
    timeline = asyncio.run(film_timeline(planner._replace(draft=True)))
    assert timeline.title == "By hand (draft)"
    cut = tmp_path / f"cut.{form}"
    write_timeline(timeline, form, cut)  # type: ignore[arg-type]
    assert asyncio.run(taken_over(planner, FILM, cut, {})).text == FILM
    shots = (timeline.shots[0], *timeline.shots[2:])
    start = timeline.shots[0].event.frames
    event = shots[1].event._replace(start=start)
    first = shots[0].model_copy(update={"event": shots[0].event._replace(dissolve_out=0)})
    left = timeline.model_copy(update={"shots": (first, shots[1].model_copy(update={"event": event}))})
    write_timeline(left, form, cut)  # type: ignore[arg-type]
    text = asyncio.run(taken_over(planner, FILM, cut, {})).text
    assert "1B" not in text and "use" not in text
