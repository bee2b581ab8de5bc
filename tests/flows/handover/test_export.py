"""The command that hands a film over: the file it leaves, the media it collects, and what it says is missing."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

import opentimelineio as otio
import pytest

from storyreel.flows.handover.export import form_of
from storyreel.flows.handover.timeline import timeline_of
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.specs.reading import read
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Ledger
from storyreel.testing.footage import footage
from tests.flows import warm
from tests.flows.selling import buy_take

FILM = """\
storyboard: 1
title: The Keeper
vars: {weather: rain}
format: {fps: 30, resolution: 720p}
defaults: {duration: 2s, provider: apiyi}
shots:
  - {shot: 1A, action: She climbs., takes: 2, circled: 2}
  - {shot: 1B, action: The sea., transition: {type: dissolve, duration: 10f}}
  - {shot: 1C, action: She waits.}
"""


@pytest.fixture
def made(film: Path, ledger: Ledger) -> Ledger:
    """The ledger, with all takes bought but that of 1C."""
    for take in Planner.of(RunRequest(storyboard=film)).plan().takes:
        if take.shot != "1C":
            buy_take(ledger, "The Keeper", take, footage(2, 1280, 720, take.key))
    return ledger


def storyreel(film: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PREFECT_HOME": str(film.parent / "prefect")}
    return warm.command(*words, folder=film.parent, environment=environment)


def test_words_over_the_picture_are_marks_as_long_as_they_are_seen(film: Path) -> None:
    words = "titles: [{title: The Keeper, line: a film, from: 1s, to: 3s}, {caption: The end, from: 5s, to: 9s}]\n"
    film.write_text(FILM.replace("1C,", "1C, titles: [{lower_third: Ana, from: 10f, to: 20f}],") + words)
    plan = Planner.of(RunRequest(storyboard=film)).plan()
    marks = timeline_of(read(film), plan, {}, {}).marks
    assert [(mark.start, mark.frames, mark.name, mark.note) for mark in marks if mark.kind == "title"] == [
        (30, 60, "The Keeper", "a film"), (150, 30, "The end", ""), (130, 10, "Ana", ""),
    ]  # fmt: skip


@pytest.mark.usefixtures("made")
def test_a_timeline_has_the_takes_that_are_made_and_tells_of_those_that_are_not(film: Path) -> None:
    said = storyreel(film, "export", "film.yaml", "--timecode", "01:00:00:00", "--set", "weather=fog")
    assert said.returncode == 0, said.stderr
    assert "Not made yet: 1C." in said.stdout and "next: storyreel render film.yaml --set weather=fog" in said.stdout
    (track,) = otio.adapters.read_from_file(str(film.parent / "renders/the-keeper/sequence.otio")).video_tracks()
    first, second, third = track.find_clips()
    assert [type(each.media_reference).__name__ for each in (first, second, third)] == [
        "ExternalReference", "ExternalReference", "MissingReference",
    ]  # fmt: skip
    assert first.active_media_reference_key == "take 2" and len(first.media_references()) == 2
    for reference in first.media_references().values():
        file = Path(unquote(urlsplit(reference.target_url).path))
        assert file.is_relative_to(Home.of().root) and file.is_file()
        assert reference.available_range.duration == otio.opentime.RationalTime(60, 30)


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("form", ["otio", "fcpxml"])
def test_what_is_collected_can_be_moved(film: Path, form: str) -> None:
    said = storyreel(film, "export", "film.yaml", "--to", form, "--collect", "for the editor", "--json")
    told = json.loads(said.stdout)
    assert (told["frames"], told["shots"], told["missing"]) == (180, 3, ["1C"])
    moved = (film.parent / "for the editor").rename(film.parent / "moved")
    text = (moved / f"sequence.{form}").read_text()
    assert str(film.parent) not in text and Home.of().root.name not in text
    names = {"1A-take-1.mp4", "1A-take-2.mp4", "1B-take-1.mp4"}
    assert {file.name for file in (moved / "media").iterdir()} == names
    assert all(f"media/{name}" in text for name in names)


@pytest.mark.usefixtures("made")
def test_a_form_that_is_unknown_and_a_frame_that_is_not_in_the_rate_are_refused(film: Path) -> None:
    for words in (
        ("--to", "xyz"),
        ("--timecode", "00:00:00:30"),
        ("--timecode", "noon"),
        ("--out", "s3://films/x.edl"),
        ("--out", "cut.otioz"),
    ):
        said = storyreel(film, "export", "film.yaml", *words)
        assert said.returncode == 2, said.stdout
        assert words[0] in said.stderr and "Traceback" not in said.stderr


def test_a_file_has_the_form_that_its_name_ends_with() -> None:
    names = ("cut.edl", "cut.FCPXML", "cut.xml", "cut.fcp7", "cut.aaf", "cut.otio", "cut")
    assert [form_of(Path(name)) for name in names] == ["edl", "fcpxml", "fcp7", "fcp7", "aaf", "otio", "otio"]


def test_a_storyboard_in_the_place_of_the_cut_is_named_as_no_timeline(film: Path) -> None:
    (film.parent / "cut.edl").write_text("TITLE: The Keeper\n")
    said = storyreel(film, "import", "film.yaml", "cut.edl")
    assert said.returncode == 1 and "film.yaml is no timeline that is read" in said.stderr


def test_a_cut_is_taken_over_into_a_file_of_this_machine(film: Path) -> None:
    said = storyreel(film, "import", "cut.otio", "https://films.example/film.yaml")
    assert said.returncode == 2 and "that is an address" in said.stderr, said.stderr


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("form", ["fcp7", "aaf"])
def test_forms_of_plug_ins_are_written_and_name_all_takes_in_the_cut(film: Path, form: str) -> None:
    said = storyreel(film, "export", "film.yaml", "--out", f"cut.{form}")
    assert said.returncode == 0, said.stderr
    if form == "fcp7":
        text = (film.parent / "cut.fcp7").read_text()
        assert text.count("<pathurl>") >= 2 and "<transitionitem>" in text
    else:
        read = otio.adapters.read_from_file(str(film.parent / "cut.aaf"), adapter_name="AAF")
        assert read.duration() == otio.opentime.RationalTime(180, 30)


@pytest.mark.usefixtures("made")
def test_a_cut_is_taken_over_after_the_change_was_shown(film: Path) -> None:
    """The change is shown, and made only when somebody agrees; what was bought stays."""
    assert storyreel(film, "export", "film.yaml", "--to", "otio", "--out", "cut.otio").returncode == 0
    cut = film.parent / "cut.otio"
    edited = otio.adapters.read_from_file(str(cut))
    (track,) = edited.video_tracks()
    first = track[0]
    first.active_media_reference_key = "take 1"
    first.source_range = otio.opentime.TimeRange(otio.opentime.RationalTime(6, 30), otio.opentime.RationalTime(30, 30))
    otio.adapters.write_to_file(edited, str(cut))

    refused = storyreel(film, "import", "cut.otio", "film.yaml")
    assert refused.returncode == 2 and "needs --yes" in refused.stderr, refused.stderr
    assert film.read_text() == FILM and "+" in refused.stdout
    done = storyreel(film, "import", "cut.otio", "film.yaml", "--yes")
    assert done.returncode == 0, done.stderr
    assert "nothing is bought again" in done.stdout
    assert all(words in film.read_text() for words in ("circled: 1", "use: {from: 6f, length: 30f}"))
    plan = json.loads(storyreel(film, "plan", "film.yaml", "--json").stdout)
    assert [(take["shot"], take["state"]) for take in plan["shots"]] == [
        ("1A", "cached"), ("1A", "cached"), ("1B", "cached"), ("1C", "new"),
    ]  # fmt: skip
    again = storyreel(film, "import", "cut.otio", "film.yaml")
    assert again.returncode == 0 and "says this cut already" in again.stdout


@pytest.mark.usefixtures("made")
def test_a_take_that_cannot_be_decoded_leaves_the_timeline_to_the_others(film: Path) -> None:
    first = Planner.of(RunRequest(storyboard=film)).plan().takes[0]
    with closing(Home.of().ledger()) as ledger:
        (row,) = ledger.find_all([first.key]).values()
    clip = Home.of().clips().find(row.clip)
    assert clip
    clip.path.write_bytes(b"no film")
    said = storyreel(film, "export", "film.yaml", "--out", "cut.otio")
    assert said.returncode == 0, said.stderr
    (track,) = otio.adapters.read_from_file(str(film.parent / "cut.otio")).video_tracks()
    kinds = {name: type(each).__name__ for name, each in track.find_clips()[0].media_references().items()}
    assert kinds == {"take 1": "MissingReference", "take 2": "ExternalReference"}
