"""The takes of speech of a film, and the sound of its lines: planned before the cut, which depends on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from storyreel.flows.planning.candidate import TakeState
from storyreel.flows.planning.history import History
from storyreel.flows.planning.model import PlannedTake, takes_by_shot
from storyreel.flows.planning.states import with_states
from storyreel.flows.planning.takes.lookups import Verdicts
from storyreel.flows.planning.takes.pictures import STAND_IN, used_take
from storyreel.flows.planning.takes.shot import ShotPlanner
from storyreel.flows.planning.takes.verdicts import apply_verdicts
from storyreel.specs.cut import Cut
from storyreel.specs.derived.lines import (
    Lengths,
    estimated_seconds,
    heard_over,
    lines_of,
    lines_of_shot,
    name_of,
    placed_lines,
)
from storyreel.specs.derived.speech import LineShot, lines_to_speak, path_of_line, path_of_voice
from storyreel.specs.problems.problem import Problem, StoryboardError
from storyreel.specs.storyboard import Shot, Storyboard
from storyreel.tasks.prices.price_list import PriceList
from storyreel.tasks.providers import load
from storyreel.tasks.providers.models import speech_model
from storyreel.tasks.providers.request import Attachment
from storyreel.tasks.request.attachments import SPEECH
from storyreel.tasks.request.local_files import LocalFileChecks
from storyreel.tasks.request.recordings import recordings_of_film
from storyreel.tasks.request.unsupported import Unsupported
from storyreel.tasks.storage.digests import file_digest


class Spoken(NamedTuple):
    """The speech and the recordings of a film: those that exist, and those that are still to be made."""

    takes: tuple[PlannedTake, ...] = ()
    """The takes of speech with their states, in the order of the film."""
    heard: Mapping[str, Attachment] = MappingProxyType({})
    """The recordings and the speech that are there, by the slates of their lines; that of a whole shot by its slate."""
    to_come: Mapping[str, Attachment] = MappingProxyType({})
    """The speech that is not there yet, with its estimated length, by the slates of its lines."""
    warnings: tuple[str, ...] = ()

    @property
    def lengths(self) -> Lengths:
        """The seconds of what is there, by slate."""
        return {slate: one.seconds for slate, one in self.heard.items() if one.seconds is not None}

    def dialogue_of(self, film: Storyboard, shot: Shot) -> tuple[Attachment, ...]:
        """The sound of each line of a shot's dialogue, if a service speaks at least one of them; empty for others."""
        if not self.takes or not shot.dialogue:
            return ()
        slates = [line.slate for line in lines_of_shot(film, shot) if line.kind == "dialogue"]
        all_ = [self.heard.get(slate) or self.to_come.get(slate) for slate in slates]
        found = tuple(one for one in all_ if one)
        is_spoken = any(one.digest.startswith(SPEECH) for one in found)
        return found if is_spoken and len(found) == len(slates) else ()

    def narration(self, film: Storyboard, cut: Cut) -> str:
        """Each line of narration with the frame that it begins with and what is heard of it; empty if there is none."""
        if not any(shot.narration for shot in film.all_shots):
            return ""
        made = {**self.to_come, **self.heard}
        placed = (one for one in placed_lines(film, cut, self.lengths) if one.line.kind == "narration")
        sounds = ((one, made.get(one.line.slate)) for one in placed)
        return ", ".join(f"{one.line.slate} {one.first_frame} {sound.digest if sound else ''}" for one, sound in sounds)

    def set_lengths(self, film: Storyboard) -> dict[str, ShotSpeech]:
        """The speech that sets the length of each shot that lasts as long as its lines, by slate."""
        if not any(shot.lasts_as_speech for shot in film.all_shots):
            return {}
        order = [shot.shot for shot in film.all_shots]
        of_shot: dict[str, list[str]] = {shot.shot: [] for shot in film.all_shots if shot.lasts_as_speech}
        recorded = {shot.shot for shot in film.all_shots if shot.sound}
        for line in lines_of(film):
            for slate in heard_over(line, order):
                if slate in of_shot and not (line.kind == "dialogue" and line.shot in recorded):
                    of_shot[slate].append(line.slate)
        made_by = {take.shot: take.identity for take in self.takes if take.circled}
        lengths = self.lengths
        return {
            slate: ShotSpeech(
                tuple(dict.fromkeys(made_by[line] for line in lines if line in made_by)),
                is_estimate=any(line not in lengths for line in lines),
            )
            for slate, lines in of_shot.items()
        }


class ShotSpeech(NamedTuple):
    """The speech that sets the length of a shot with `duration: speech`."""

    takes: tuple[str, ...]
    """The identities of the takes of speech."""
    is_estimate: bool
    """Whether the length of one of its lines is estimated."""


def plan_speech(film: Storyboard, history: History, prices: PriceList, provider: str | None = None) -> Spoken:
    """The takes of speech of a film, and the sound of its lines.

    With the `provider` `animatic` the guide voice speaks what was not bought. Raises StoryboardError.
    """
    files = LocalFileChecks()
    heard = dict(recordings_of_film(film, files, cache(file_digest)))
    lines = list(lines_to_speak(film))
    planner = ShotPlanner(film, {}, prices, has_bucket=history.has_bucket, is_draft=False)
    asked, warnings = _asked(film, lines, planner, history)
    guides = {
        line.shot: guide_voice(film, line, planner) for line in lines if provider == STAND_IN or line.shot not in asked
    }
    by_line = [(asked.get(line.shot, []), guides.get(line.shot, [])) for line in lines]
    flat = [take for own, guide in by_line for take in (*own, *guide)]
    stated = iter(with_states(flat, film.title, history))
    chosen: list[PlannedTake] = []
    for own, guide in by_line:
        paid, free = [next(stated) for _ in own], [next(stated) for _ in guide]
        chosen += (_bought(paid) if free or provider == STAND_IN else paid) or free
    takes = takes_by_shot(chosen)
    used = {slate: used_take(of_line) for slate, of_line in takes.items()}
    ready = history.purchases([take.key for take in used.values() if take.state == "cached"])
    to_come: dict[str, Attachment] = {}
    for slate, take in used.items():
        clip = ready[take.key].clip if take.key in ready else None
        file = history.file_of(clip) if clip else None
        digest = f"{SPEECH}{take.identity}"
        if file and clip:
            seconds = files.seconds(file, "sound")
            heard[slate] = Attachment(
                kind="sound", digest=digest, source=str(file), frame_digest=clip, seconds=seconds
            )  # fmt: skip
        else:
            seconds = estimated_seconds(take.action)
            to_come[slate] = Attachment(kind="sound", digest=digest, source="", seconds=seconds)
    chosen = [_fetched_again(take) if take.shot in to_come and take is used[take.shot] else take for take in chosen]
    return Spoken(tuple(chosen), heard, to_come, tuple(warnings))


def _fetched_again(take: PlannedTake) -> PlannedTake:
    """A take whose file is not what was made; of one that is not in the store, the take itself."""
    if take.state != "cached":
        return take
    reason = "made before, but its file is damaged"
    state: TakeState = "new" if take.chosen.is_free else "resuming"
    return take.model_copy(update={"chosen": take.chosen.model_copy(update={"state": state, "reason": reason})})


def guide_voice(film: Storyboard, line: LineShot, planner: ShotPlanner) -> list[PlannedTake]:
    """The take of a line by the guide voice of this machine; none of dialogue, which is heard in the drawings.

    By their name each speaker has the voice that they have there.
    """
    if line.line.kind == "dialogue" or speech_model(load(STAND_IN), None) is None:
        return []
    own = line.voice if line.services == (STAND_IN,) else None
    voice = own or name_of(film, line.line) or None
    return planner.speech(line.model_copy(update={"provider": STAND_IN, "model": None, "voice": voice, "takes": 1}))


def _bought(takes: Sequence[PlannedTake]) -> list[PlannedTake]:
    """The takes that are in the store, of which the used one is circled."""
    found = [take for take in takes if take.state == "cached"]
    return [take.model_copy(update={"circled": take is used_take(found)}) for take in found]


def _asked(
    film: Storyboard, lines: Iterable[LineShot], planner: ShotPlanner, history: History
) -> tuple[dict[str, list[PlannedTake]], list[str]]:
    """The takes of the lines that are asked of a service, by slate, and warnings about verdicts on them."""
    made: dict[str, list[PlannedTake]] = {}
    problems: list[Problem] = []
    warnings: list[str] = []
    for line in lines:
        if line.services == (STAND_IN,):
            continue
        try:
            made[line.shot] = planner.speech(line)
        except Unsupported as unsupported:
            problems += (_problem(film, line, one) for one in unsupported.all)
    if problems:
        raise StoryboardError(problems)
    if history.has_verdicts and made:
        verdicts = Verdicts(
            history, (each.key for takes in made.values() for take in takes for each in take.candidates)
        )
        for line in lines if verdicts else ():
            if line.shot in made:
                _, made[line.shot], more = apply_verdicts(film, line, planner.speech, verdicts.find)
                warnings += more
    return made, warnings


def _problem(film: Storyboard, line: LineShot, unsupported: Unsupported) -> Problem:
    """The problem at its place in the file: what says who speaks, or the line."""
    is_of_voice = unsupported.field in ("provider", "model", "voice")
    path = path_of_voice(film, line.line, unsupported.field) if is_of_voice else path_of_line(film, line.line)
    return Problem(film.where(*path), unsupported.message, unsupported.hint)
