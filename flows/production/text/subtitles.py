"""The subtitles of a finished film: files beside it, and the tracks in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from storyreel.flows.planning.finishing.subtitles import SubtitleTrack
from storyreel.specs.language.tongues import language_code, language_name
from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.join.text_tracks import TextTrack, TimedLines
from storyreel.tasks.storage.files import write_whole
from storyreel.tasks.subtitles.formats import subrip, webvtt

_STEM = "sequence"
_WRITERS = {"srt": subrip, "vtt": webvtt}


def text_tracks(film: Storyboard, tracks: Sequence[SubtitleTrack]) -> list[TextTrack]:
    """The subtitles as tracks in the film; none unless the storyboard asks for them."""
    return tracks_in_file(tracks if film.has_subtitle_tracks else ())


def tracks_in_file(tracks: Sequence[SubtitleTrack]) -> list[TextTrack]:
    """Subtitles as tracks in a film."""
    return [
        TextTrack(
            language=language_code(track.language),
            name=language_name(track.language),
            texts=tuple(TimedLines(cue.first, cue.end, "\n".join(cue.lines)) for cue in track.cues),
        )
        for track in tracks
    ]


def write_subtitles(folder: Path, film: Storyboard, tracks: Sequence[SubtitleTrack]) -> None:
    """Write the subtitles in each language beside the film, and remove those of an earlier run."""
    contents = {
        _name(film, track.language, ending): writer(track.texts)
        for track in tracks
        for ending, writer in _WRITERS.items()
    }
    _replace_texts(folder, _STEM, contents)


def write_own_subtitles(
    beside: Path, film: Storyboard, tracks: Sequence[SubtitleTrack], of_film: Sequence[SubtitleTrack]
) -> list[Path]:
    """Write subtitles beside a deliverable, where they differ from those of the film; returns their files.

    Files of an earlier run are removed. Times are in seconds, so a deliverable that differs in its rate alone has the
    film's.
    """
    known = {track.language: [text.lines for text in track.texts] for track in of_film}
    contents = {
        _name(film, track.language, ending, beside.stem): writer(track.texts)
        for track in tracks
        if known.get(track.language) != [text.lines for text in track.texts]
        for ending, writer in _WRITERS.items()
    }
    _replace_texts(beside.parent, beside.stem, contents)
    return [beside.with_name(name) for name in contents]


def _replace_texts(folder: Path, stem: str, contents: Mapping[str, str]) -> None:
    """Write files of subtitles, and remove all others of the same stem."""
    for ending in _WRITERS:
        for old in (*folder.glob(f"{stem}.{ending}"), *folder.glob(f"{stem}.*.{ending}")):
            if old.name not in contents:
                old.unlink()
    for name, content in contents.items():
        write_whole(folder / name, content)


def told_subtitles(film: Storyboard, tracks: Sequence[SubtitleTrack]) -> list[dict[str, Any]]:
    """The subtitles as the manifest lists them."""
    return [
        {
            "language": track.language or None,
            "name": language_name(track.language) or None,
            "burnt_in": film.burnt_in_language == track.language,
            **{ending: _name(film, track.language, ending) for ending in _WRITERS},
        }
        for track in tracks
    ]


def _name(film: Storyboard, language: str, ending: str, stem: str = _STEM) -> str:
    """`sequence.srt` in the film's own language, `sequence.fr.srt` in another one."""
    return f"{stem}.{ending}" if language == film.own_language else f"{stem}.{language}.{ending}"
