"""Subtitles are shown while their lines are heard."""

from __future__ import annotations

import wave
from pathlib import Path

from storyreel.flows.planning.finishing.subtitles import tracks_of_plan
from storyreel.flows.planning.model import Plan
from storyreel.flows.production.text.subtitles import text_tracks, told_subtitles, write_subtitles
from storyreel.flows.production.text.words import subtitles_over
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.media.text.typefaces import Fonts
from tests.flows.planning.histories import plan_of

FILM = """\
storyboard: 1
title: Lines
format: {fps: 25}
cast: {ana: {name: Ana}, ben: {name: Ben}}
defaults: {duration: 4s}
shots:
  - {shot: 1A, action: Rain.}
  - {shot: 1B, action: Rain., dialogue: [{ana: "1234"}, {ben: "12345678"}]}
  - {shot: 1C, action: Rain., sound: two.wav, dialogue: [{ana: "1234"}, {ben: "12345678"}]}
  - shot: 1D
    action: Rain.
    dialogue: [{ana: "1", sound: two.wav}, {ben: "2", sound: three.wav}, {ana: "3", sound: two.wav}]
"""


def record(file: Path, seconds: float) -> None:
    with wave.open(str(file), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(int(2 * 8000 * seconds)))


def test_a_line_is_as_long_as_its_recording_or_its_share_of_the_letters(tmp_path: Path) -> None:
    record(tmp_path / "two.wav", 1.5)
    record(tmp_path / "three.wav", 3)
    plan = plan_of(tmp_path, FILM)
    film = read(tmp_path / "film.yaml")
    write_subtitles(tmp_path, film, tracks_of_plan(film, plan))
    cues = [cue.splitlines()[1:] for cue in (tmp_path / "sequence.srt").read_text().strip().split("\n\n")]
    assert cues == [
        ["00:00:04,000 --> 00:00:05,333", "Ana: 1234"],
        ["00:00:05,333 --> 00:00:08,000", "Ben: 12345678"],
        # Together as long as the shot's recording.
        ["00:00:08,000 --> 00:00:08,500", "Ana: 1234"],
        ["00:00:08,500 --> 00:00:09,500", "Ben: 12345678"],
        # Each as long as its own; the second is cut off with the shot, and the third is not heard.
        ["00:00:12,000 --> 00:00:13,500", "Ana: 1"],
        ["00:00:13,500 --> 00:00:16,000", "Ben: 2"],
    ]


KEYED = """\
storyboard: 1
title: Lines
format: {fps: 25}
languages: [en, fr]
KEYS
cast: {ana: {name: Ana}}
defaults: {duration: 4s}
shots:
  - {shot: 1A, action: Rain., dialogue: [{ana: "Who is there?"}]}
  - {shot: 1B, action: Rain., narration: Nobody was there. Nobody had been there for forty years.}
"""
TRANSLATIONS = """\
translations: 1
lines:
  - {line: Who is there?, fr: Qui est là ?}
"""


def keyed(folder: Path, keys: str = "", translations: str = TRANSLATIONS) -> tuple[Storyboard, Plan]:
    (folder / "film.translations.yaml").write_text(translations)
    plan = plan_of(folder, KEYED.replace("KEYS", keys))
    return read(folder / "film.yaml"), plan


def test_every_language_has_its_files_and_its_track_the_films_own_first(tmp_path: Path) -> None:
    film, plan = keyed(tmp_path)
    tracks = tracks_of_plan(film, plan)
    write_subtitles(tmp_path, film, tracks)
    assert {file.name for file in tmp_path.glob("sequence.*")} == {
        "sequence.srt", "sequence.vtt", "sequence.fr.srt", "sequence.fr.vtt",
    }  # fmt: skip
    assert "Qui est là ?" in (tmp_path / "sequence.fr.srt").read_text()
    assert "Who is there?" in (tmp_path / "sequence.vtt").read_text()
    told = [(track.language, track.name, track.texts[0]) for track in text_tracks(film, tracks)]
    assert told == [("eng", "English", (0, 98, "Who is there?")), ("fra", "Français", (0, 98, "Qui est là ?"))]
    assert [each["srt"] for each in told_subtitles(film, tracks)] == ["sequence.srt", "sequence.fr.srt"]


def test_a_film_that_asks_for_nothing_has_files_alone_and_none_that_an_earlier_run_wrote(tmp_path: Path) -> None:
    film, plan = keyed(tmp_path)
    write_subtitles(tmp_path, film, tracks_of_plan(film, plan))
    plan = plan_of(tmp_path, KEYED.replace("languages: [en, fr]", "").replace("KEYS", ""))
    film = read(tmp_path / "film.yaml")
    tracks = tracks_of_plan(film, plan)
    write_subtitles(tmp_path, film, tracks)
    assert {file.name for file in tmp_path.glob("sequence.*")} == {"sequence.srt", "sequence.vtt"}
    assert text_tracks(film, tracks) == [] and tracks[0].cues[0].lines == ("Ana: Who is there?",)


def test_the_plan_names_what_is_not_translated_and_what_reads_too_fast(tmp_path: Path) -> None:
    fast = "Qui est là, dans cette maison vide, où personne n’a dormi depuis quarante ans, et qui rit ?"
    _, plan = keyed(tmp_path, translations=TRANSLATIONS.replace("fr: Qui est là ?", f"fr: '{fast}'"))
    missing, read_fast = (note for note in plan.warnings if note.startswith(("fr:", "the fr")))
    assert missing.startswith("fr: 1 of 2 lines are not translated (1B) and stay in en: storyreel translate ")
    assert missing.endswith(" --extract"), "the file does not have it"
    assert read_fast.startswith(
        "the fr subtitles of 1A are fast: 24 letters a second are to be read, 17 are comfortable"
    )
    assert not [note for note in plan.warnings if note.startswith("the en")]


def test_a_line_may_have_shorter_words_for_its_subtitles(tmp_path: Path) -> None:
    film, plan = keyed(tmp_path, translations=TRANSLATIONS.replace("fr:", "en: Who's there?, fr:"))
    assert [track.cues[0].lines for track in tracks_of_plan(film, plan)] == [("Who's there?",), ("Qui est là ?",)]


def test_translations_and_other_languages_change_no_take(tmp_path: Path) -> None:
    """The film's own language is that of its speech."""
    _, plan = keyed(tmp_path)
    _, other = keyed(tmp_path, translations="translations: 1\n")
    alone = plan_of(tmp_path, KEYED.replace("[en, fr]", "[en]").replace("KEYS", ""))
    assert [take.key for take in plan.takes] == [take.key for take in other.takes] == [take.key for take in alone.takes]


def test_subtitles_in_the_picture_are_those_of_one_language_at_their_frames(tmp_path: Path) -> None:
    film, plan = keyed(tmp_path, "subtitles: {burn_in: true, language: fr, speakers: true, style: documentary}")
    tracks = tracks_of_plan(film, plan)
    words = subtitles_over(film, tracks, (320, 180), Fonts())
    assert [(each.start, each.end) for each in words] == [(cue.first, cue.end) for cue in tracks[1].cues]
    assert tracks[1].cues[0].lines == ("Ana: Qui est là ?",)
    drawn = words[0].draw()
    visible = drawn.image.getbbox()
    assert visible and drawn.at[1] + visible[3] <= 180
    assert [each["burnt_in"] for each in told_subtitles(film, tracks)] == [False, True]
    film, plan = keyed(tmp_path, "subtitles: true")
    assert subtitles_over(film, tracks_of_plan(film, plan), (320, 180), Fonts()) == []


def test_a_film_that_is_higher_than_wide_has_short_lines(tmp_path: Path) -> None:
    _, plan = keyed(tmp_path)
    film = read(tmp_path / "film.yaml")
    high = film.model_copy(update={"format": film.format.model_copy(update={"aspect_ratio": "9:16"})})
    longest = [
        max(len(line) for cue in tracks_of_plan(each, plan)[0].cues for line in cue.lines) for each in (film, high)
    ]
    assert longest[1] <= 26 < longest[0] <= 42
