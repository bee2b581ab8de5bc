"""The cut of a film as an editor sees it: shots with all their takes, transitions, sound files and marks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Literal

from storyreel.flows.planning.finishing.film_sound import sound_of_plan
from storyreel.flows.planning.model import Plan, PlannedTake, takes_by_shot
from storyreel.specs.cut import EditPoints, Event
from storyreel.specs.derived.words import placed_words
from storyreel.specs.frozen import Frozen, Trusted
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.recording import LaidSound
from storyreel.tasks.join.sound.layers import FilmSound

MarkKind = Literal["scene", "finding", "title", "subtitle"]


class Media(Frozen):
    """The file of a take, or of sound."""

    file: Path
    seconds: Fraction
    rate: Fraction
    """Frames a second; of sound the film's."""
    size: tuple[int, int] = (0, 0)
    """Width and height as shown; zeros for sound."""
    has_sound: bool = True
    findings: tuple[str, ...] = ()
    """The findings of the inspection, a sentence each."""
    name: str = ""
    """The slate of the line that is spoken; empty for files with a name of their own."""

    @property
    def title(self) -> str:
        """The name of the file in a timeline."""
        return self.name or self.file.name


class Level(Frozen):
    """The volume of a sound, and its fades."""

    gain: float = 0.0
    """dB."""
    fade_in: int = 0
    fade_out: int = 0
    """Frames of the film, within those that are heard."""


AS_IT_IS = Level()


class TimelineTake(Trusted):
    """A take of a shot."""

    number: int
    key: str
    provider: str
    model: str
    seed: int
    prompt: str
    media: Media | None
    """None if it is not made."""
    first: int
    """Its frame, at the film's rate, with which the shot begins in the cut."""
    frames: int
    """Frames that it has at the film's rate; those that the shot needs if it is not made."""

    @property
    def name(self) -> str:
        """`take 2`."""
        return f"take {self.number}"


class TimelineShot(Trusted):
    """A shot in the cut."""

    slate: str
    scene: str
    action: str
    event: Event
    takes: tuple[TimelineTake, ...]
    circled: int
    """The number of the take in the cut."""
    is_heard: bool
    """Whether the sound of the take is in the film."""
    level: Level = AS_IT_IS
    """The level of its sound, also where recordings are heard in its place."""
    is_card: bool = False
    """Whether it is drawn from its words alone."""

    @property
    def take(self) -> TimelineTake:
        """The take in the cut."""
        return next(take for take in self.takes if take.number == self.circled)

    @property
    def held(self) -> int:
        """The last frames of the shot for which the take has none: its last frame stands."""
        return max(0, self.take.first + self.event.frames - self.take.frames) if self.take.media else 0

    @property
    def played(self) -> int:
        """Frames of the take that the shot shows."""
        return self.event.frames - self.held


class Mark(Trusted):
    """A mark on frames of the film."""

    kind: MarkKind
    start: int
    frames: int
    name: str
    note: str = ""


class LaidFile(Trusted):
    """A sound file under the film, in frames of the film."""

    name: str
    media: Media
    start: int
    end: int
    from_: int = 0
    """The frame of the file with which it begins."""
    level: Level


class Timeline(Trusted):
    """The cut of a film."""

    title: str
    rate: FrameRate
    size: tuple[int, int]
    start: int
    """The frame number of its first frame, as its timecode counts."""
    shots: tuple[TimelineShot, ...]
    sounds: tuple[LaidFile, ...] = ()
    marks: tuple[Mark, ...] = ()

    @property
    def frames(self) -> int:
        """Running time in frames."""
        return self.shots[-1].event.end

    @property
    def lanes(self) -> tuple[tuple[LaidFile, ...], ...]:
        """The sound files by the tracks that they need: those of one level share a track where they do not overlap."""
        lanes: list[list[LaidFile]] = []
        for laid in self.sounds:
            free = (lane for lane in lanes if lane[-1].end <= laid.start and lane[-1].level.gain == laid.level.gain)
            if (lane := next(free, None)) is None:
                lanes.append(lane := [])
            lane.append(laid)
        return tuple(map(tuple, lanes))

    @property
    def missing(self) -> tuple[str, ...]:
        """The slates of the shots whose take in the cut is not made."""
        return tuple(shot.slate for shot in self.shots if shot.take.media is None)


def timeline_of(
    film: Storyboard, plan: Plan, takes: Mapping[str, Media], sounds: Mapping[Path, Media], start: int = 0
) -> Timeline:
    """The timeline of a plan. `takes` are the files of those that are made, by key; `sounds` by their paths.

    The take in the cut is the circled one; where the best is chosen only when all are made, the last that is.
    """
    by_shot = takes_by_shot(plan.clips)
    rate, sound = plan.format.fps, sound_of_plan(film, plan)
    levels = _levels(plan, sound)
    written = {shot.shot: shot for shot in film.all_shots}
    shots: list[TimelineShot] = []
    laid: list[LaidFile] = []
    for event in plan.cut.events:
        planned = by_shot[event.shot]
        in_cut = ([take for take in planned if take.circled] or [take for take in planned if take.key in takes])[-1:]
        chosen = in_cut[0] if in_cut else planned[-1]
        shots.append(
            TimelineShot(
                slate=event.shot,
                scene=planned[0].scene,
                action=written[event.shot].action,
                event=event,
                takes=tuple(_take(take, event, takes.get(take.key), rate) for take in planned),
                circled=chosen.take,
                is_heard=chosen.keep_sound and not chosen.laid_with(chosen.chosen),
                is_card=written[event.shot].is_card,
                level=levels[event.shot],
            )
        )
        edit = _edit(chosen, takes.get(chosen.key), rate)
        laid += _recordings(chosen, edit, event, levels[event.shot], sounds, rate)
    return Timeline(
        title=plan.name,
        rate=rate,
        size=plan.format.size,
        start=start,
        shots=tuple(shots),
        sounds=(*laid, *_layers(sound, rate, sounds)),
        marks=(*_scenes(film, plan), *_titles(film, plan), *_findings(shots)),
    )


def _take(take: PlannedTake, event: Event, media: Media | None, rate: FrameRate) -> TimelineTake:
    edit, request = _edit(take, media, rate), take.request
    frames = _frames(media, rate) if media else edit.first + event.with_handles
    return TimelineTake(
        number=take.take, key=take.key, provider=request.provider, model=request.model, seed=request.seed,
        prompt=request.prompt, media=media, first=edit.first + event.head - edit.hold_head, frames=frames,
    )  # fmt: skip


def _edit(take: PlannedTake, media: Media | None, rate: FrameRate) -> EditPoints:
    """The frames of a take that the cut uses, as far as it has them."""
    return take.edit.within(_frames(media, rate)) if media else take.edit


def _frames(media: Media, rate: FrameRate) -> int:
    return max(1, rate.nearest_frames(media.seconds))


def _levels(plan: Plan, sound: FilmSound) -> dict[str, Level]:
    """The levels of the shots' own sound, by slate. A fade that lies in a handle is none in the cut."""
    mixes = sound.mixes or [None] * len(plan.cut.events)
    return {
        event.shot: Level(
            gain=mix.gain, fade_in=max(0, mix.fade_in - event.head), fade_out=max(0, mix.fade_out - event.tail)
        ) if mix else AS_IT_IS
        for event, mix in zip(plan.cut.events, mixes, strict=True)
    }  # fmt: skip


def _recordings(
    take: PlannedTake, edit: EditPoints, event: Event, level: Level, sounds: Mapping[Path, Media], rate: FrameRate
) -> Iterator[LaidFile]:
    """The recordings that are heard in the place of a take's own sound, one after another."""
    laid = LaidSound.of(take.laid_with(take.chosen), take.request, take.sound_begins)
    if laid is None:
        return
    start = event.start - event.head + laid.start(edit)
    for file in laid.files:
        if media := sounds.get(file):
            end = start + rate.nearest_frames(media.seconds)
            begin, until = max(start, event.start), min(end, event.end)
            if begin < until:
                yield LaidFile(
                    name=media.name or f"{event.shot}: {file.name}", media=media, start=begin, end=until,
                    from_=begin - start, level=_part(level, event.start, event.end, begin, until),
                )  # fmt: skip
            start = end


def _part(level: Level, start: int, end: int, begin: int, until: int) -> Level:
    """The level of the frames `[begin, until)` of something that is heard from `start` to `end`."""
    return Level(
        gain=level.gain,
        fade_in=max(0, min(start + level.fade_in, until) - begin),
        fade_out=max(0, until - max(end - level.fade_out, begin)),
    )


def _layers(sound: FilmSound, rate: FrameRate, sounds: Mapping[Path, Media]) -> Iterator[LaidFile]:
    """Music, ambience and narration, each repetition of a file that is too short by itself."""
    for layer in sound.layers:
        if (media := sounds.get(layer.file)) is None:
            continue
        level = Level(gain=layer.gain, fade_in=layer.fade_in, fade_out=layer.fade_out)
        each = max(1, _frames(media, rate) - layer.skipped)
        last = layer.end if layer.loop else min(layer.end, layer.start + each)
        for begin in range(layer.start, last, each):
            end = min(last, begin + each)
            yield LaidFile(
                name=media.title, media=media, start=begin, end=end, from_=layer.skipped,
                level=_part(level, layer.start, last, begin, end),
            )  # fmt: skip


def _scenes(film: Storyboard, plan: Plan) -> list[Mark]:
    events = {event.shot: event for event in plan.cut.events}
    spans = [(scene, events[scene.shots[0].shot], events[scene.shots[-1].shot]) for scene in film.scenes]
    return [
        Mark(kind="scene", start=first.start, frames=last.end - first.start, name=f"Scene {scene.scene}",
             note=scene.heading)
        for scene, first, last in spans
    ]  # fmt: skip


def _titles(film: Storyboard, plan: Plan) -> Iterator[Mark]:
    """The words over the picture, which the clips do not show."""
    for each in placed_words(film, plan.cut):
        frames = min(each.end, plan.cut.frames) - each.start
        if frames > 0:
            yield Mark(kind="title", start=each.start, frames=frames, name=each.words.text, note=each.words.line)


def _findings(shots: list[TimelineShot]) -> list[Mark]:
    return [
        Mark(kind="finding", start=shot.event.start, frames=1, name=shot.slate, note=finding)
        for shot in shots
        if shot.take.media
        for finding in shot.take.media.findings
    ]
