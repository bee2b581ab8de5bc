"""The sound of a film besides its clips: music, ambience, narration and the mix of its shots, placed in its cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from storyreel.flows.planning.model import Plan
from storyreel.specs.cut import Cut, Event
from storyreel.specs.derived.lines import Lengths, PlacedLine, placed_lines
from storyreel.specs.language.sound import Ambience, Music
from storyreel.specs.storyboard import Shot, Storyboard
from storyreel.specs.timing import Duration, FrameRate
from storyreel.tasks.join.sound.layers import FilmSound, Master, ShotMix, SoundLayer, Span


def sound_of_plan(film: Storyboard, plan: Plan) -> FilmSound:
    """The sound besides its clips of a film of which all speech is made."""
    heard = {slate: Path(one.source) for slate, one in plan.heard.items() if one.source}
    return film_sound(film, plan.cut, plan.lengths, heard)


def film_sound(film: Storyboard, cut: Cut, lengths: Lengths, heard: Mapping[str, Path]) -> FilmSound:
    """The sound of a film besides its clips.

    `heard` are the files of narration by the slates of its lines, its recordings and its speech; a line without one is
    left out. `lengths` are those of all recordings and speech, as for `placed_lines`.
    """
    lines = placed_lines(film, cut, lengths)
    events = {event.shot: event for event in cut.events}
    mixes = tuple(_mix(shot, cut.rate) for shot in film.all_shots)
    said = {placed.line.shot for placed in lines if placed.line.kind == "dialogue"}
    return FilmSound(
        layers=(*_music(film, cut), *_ambience(film, events, cut.rate), *_narration(cut, lines, heard)),
        dialogue=tuple(
            (event.start, event.end)
            for shot in film.all_shots
            if (shot.dialogue or shot.recordings) and (event := events[shot.shot])
        ),
        lines=(
            *((placed.first_frame, placed.end_frame) for placed in lines if placed.line.kind == "dialogue"),
            *(_whole(events[shot.shot]) for shot in film.all_shots if shot.recordings and shot.shot not in said),
        ),
        mixes=mixes if any(mixes) else (),
        master=Master(film.sound.lufs, film.sound.dbtp) if film.sound else None,
    )


def _whole(event: Event) -> Span:
    return event.start, event.end


def _music(film: Storyboard, cut: Cut) -> Iterator[SoundLayer]:
    for music in film.music:
        yield _cue(music, Path(film.resolve(music.file)), cut)


def _cue(music: Music, file: Path, cut: Cut) -> SoundLayer:
    rate = cut.rate
    return SoundLayer(
        file=file,
        gain=music.gain,
        start=min(_frames(music.start, rate), cut.frames),
        end=min(music.end.frames(rate), cut.frames) if music.end else cut.frames,
        fade_in=_frames(music.fade_in, rate),
        fade_out=_frames(music.fade_out, rate),
        loop=music.loop,
        skipped=_frames(music.from_, rate),
        duck=music.duck,
    )


def _ambience(film: Storyboard, events: Mapping[str, Event], rate: FrameRate) -> Iterator[SoundLayer]:
    """The sound of each place, from the first to the last frame in which it is seen, dissolves included."""
    placed = [(film.ambience, film.shots)] if film.shots else [(scene.ambience, scene.shots) for scene in film.scenes]
    for ambience, shots in placed:
        if ambience:
            first, last = events[shots[0].shot], events[shots[-1].shot]
            yield _place(ambience, Path(film.resolve(ambience.file)), first, last, rate)


def _place(ambience: Ambience, file: Path, first: Event, last: Event, rate: FrameRate) -> SoundLayer:
    comes = ambience.fade_in.frames(rate) if ambience.fade_in else max(first.dissolve_in, first.fade_in)
    goes = ambience.fade_out.frames(rate) if ambience.fade_out else max(last.dissolve_out, last.fade_out)
    return SoundLayer(
        file=file,
        gain=ambience.gain,
        start=first.start - first.head,
        end=last.end + last.tail,
        # Cut off in the middle of a wave it would click.
        fade_in=max(1, comes),
        fade_out=max(1, goes),
    )


def _narration(cut: Cut, lines: Sequence[PlacedLine], heard: Mapping[str, Path]) -> Iterator[SoundLayer]:
    for placed in lines:
        if placed.line.kind == "narration" and (file := heard.get(placed.line.slate)):
            # It ends with its file, or with the film.
            yield SoundLayer(file=file, gain=0, start=placed.first_frame, end=cut.frames, loop=False, speaks=True)


def _mix(shot: Shot, rate: FrameRate) -> ShotMix | None:
    mix = ShotMix(shot.mix.gain_db, _frames(shot.mix.fade_in, rate), _frames(shot.mix.fade_out, rate))
    return mix if any(mix) else None


def _frames(length: Duration | None, rate: FrameRate) -> int:
    return length.frames(rate) if length else 0
