"""Checks of a storyboard that need several models or other files: names, slates, chains, services, sources, the cut."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect
from collections.abc import Collection, Iterable, Iterator, Set
from itertools import accumulate, islice
from typing import get_args

from storyreel.specs.cut import Cut, checked_cut
from storyreel.specs.language.models import Resolution
from storyreel.specs.language.speech import NARRATOR
from storyreel.specs.problems.phrases import listed, shown, suggestion, there_are
from storyreel.specs.problems.problem import MOST_PROBLEMS, KeyPath, Position, Problem
from storyreel.specs.sources import SourceChecker, SourceKind
from storyreel.specs.storyboard import (
    MOST_REQUESTS,
    MOST_SHOTS,
    Mode,
    Reference,
    Shot,
    ShotDefaults,
    Stills,
    Storyboard,
    TakeEdit,
    is_remote,
)
from storyreel.specs.validation.deliverables import deliverable_problems, rate_problems
from storyreel.specs.validation.languages import language_problems
from storyreel.specs.validation.sound import placed_ambience, sound_problems
from storyreel.specs.validation.speech import pad_problems, speech_problems
from storyreel.specs.validation.stills import sheet_problems, still_problems
from storyreel.specs.validation.titles import card_problems, words_problems

FREE = "animatic"
"""The service that draws shots on this machine, free of charge, and never refuses."""

_BRACES = re.compile(r"(?<!\$)\{([^{}]*)\}")


def check(storyboard: Storyboard, altered: Set[str] = frozenset()) -> list[Problem]:
    """The problems of a storyboard whose models are valid, at most MOST_PROBLEMS.

    `altered` are the slates of shots that a mistake was taken out of: whether their keys go together is not checked.
    """
    return list(islice(_problems(storyboard, altered), MOST_PROBLEMS))


def _problems(storyboard: Storyboard, altered: Set[str]) -> Iterator[Problem]:
    yield from _counts(storyboard)
    yield from _names(storyboard)
    yield from _placeholders(storyboard)
    yield from _slates(storyboard)
    yield from _chains(storyboard)
    yield from _services(storyboard)
    yield from _draft(storyboard)
    yield from card_problems(storyboard)
    yield from sheet_problems(storyboard)
    yield from speech_problems(storyboard)
    yield from _shots(storyboard, altered)
    yield from language_problems(storyboard)
    yield from deliverable_problems(storyboard)
    yield from _sources(storyboard)
    yield from _cut(storyboard, altered)


def _counts(storyboard: Storyboard) -> Iterator[Problem]:
    shots = storyboard.placed_shots
    if len(shots) > MOST_SHOTS:
        where = storyboard.where(*shots[MOST_SHOTS][0])
        yield Problem(where, f"the film has {len(shots)} shots, at most {MOST_SHOTS}", "split it into several films")
    has_dialogue = storyboard.speech is not None and storyboard.speech.dialogue

    def spoken(shot: Shot) -> int:
        dialogue = shot.dialogue if has_dialogue and not shot.sound else ()
        return sum(not line.sound for line in shot.narration) + sum(not line.sound for line in dialogue)

    requests = list(accumulate(shot.request_count + spoken(shot) for _, shot in shots))
    if requests[-1] > MOST_REQUESTS:
        path, _ = shots[bisect(requests, MOST_REQUESTS)]
        message = f"the film asks for {requests[-1]} takes, each service counted, at most {MOST_REQUESTS}"
        yield Problem(storyboard.where(*path), message, "ask for fewer `takes`, or split it into several films")


def _names(storyboard: Storyboard) -> Iterator[Problem]:
    """Names that are used, but not declared, or declared with two meanings."""
    cast, locations = storyboard.cast, storyboard.locations
    for name in cast:
        if name == "delivery":
            yield Problem(storyboard.where("cast", name), "`delivery` is a key of dialogue", "choose another name")
        if name in locations:
            yield Problem(storyboard.where("locations", name), f"`{name}` is also in the cast", "rename one of the two")
    for number, scene in enumerate(storyboard.scenes):
        if scene.location is not None and scene.defaults.location is not None:
            where = storyboard.where("scenes", number, "defaults", "location")
            yield Problem(where, "the scene's location is written twice", "keep `location` beside `scene`")
        yield from _unknown(storyboard, ("scenes", number, "location"), "location", scene.location, locations)
    for path, shot in _shots_and_defaults(storyboard):
        for number, who in enumerate(shot.cast):
            yield from _unknown(storyboard, (*path, "cast", number), "cast member", who, cast)
            if who in shot.cast[:number]:
                where = storyboard.where(*path, "cast", number)
                yield Problem(where, f"`{who}` is in the shot twice", "once is enough")
        yield from _unknown(storyboard, (*path, "location"), "location", shot.location, locations)
        for number, line in enumerate(shot.dialogue):
            yield from _unknown(storyboard, (*path, "dialogue", number), "speaker", line.speaker, cast)
        for number, over in enumerate(shot.narration):
            at = (*path, "narration", number, "speaker")
            yield from _unknown(storyboard, at, "speaker", over.speaker, dict.fromkeys((*cast, NARRATOR)))


def _shots_and_defaults(storyboard: Storyboard) -> Iterator[tuple[KeyPath, ShotDefaults]]:
    """Every shot, and the defaults, of which some may reach no shot."""
    yield ("defaults",), storyboard.defaults
    for number, scene in enumerate(storyboard.scenes):
        yield ("scenes", number, "defaults"), scene.defaults
    yield from storyboard.placed_shots


def _unknown(
    storyboard: Storyboard, path: KeyPath, what: str, name: str | None, known: Collection[str]
) -> Iterator[Problem]:
    if name is not None and name not in known:
        section = "locations" if what == "location" else "cast"
        otherwise = f"known are {listed(known, 'and')}" if known else f"describe it under `{section}`"
        yield Problem(storyboard.where(*path), f"unknown {what} `{name}`", suggestion(name, known, otherwise))


def _placeholders(storyboard: Storyboard) -> Iterator[Problem]:
    for around, at, text in _prompt_texts(storyboard):
        if "{" in text:
            for message, hint in unknown_names(storyboard, text):
                yield Problem(storyboard.where(*around, *at), message, hint)


def unknown_names(storyboard: Storyboard, text: str) -> Iterator[tuple[str, str]]:
    """Message and hint for each `{name}` in a text that is neither a cast member nor a location."""
    for found in _BRACES.finditer(text):
        if unicodedata.normalize("NFC", found[1]) not in storyboard.names:
            known = storyboard.names
            otherwise = f"known are {listed(known, 'and')}" if known else "describe them under `cast` or `locations`"
            yield f"`{{{shown(found[1])}}}` is neither cast nor location", suggestion(found[1], known, otherwise)


def _prompt_texts(storyboard: Storyboard) -> Iterator[tuple[KeyPath, KeyPath, str]]:
    """The texts of prompts, each with the path of what it is of and its path in that."""
    yield ("look",), ("prompt",), storyboard.look.prompt
    for section, nouns in (("cast", storyboard.cast), ("locations", storyboard.locations)):
        for name, noun in nouns.items():
            yield (section, name), ("description",), noun.description
            if noun.sheet:
                yield (section, name), ("sheet",), noun.sheet.prompt
    for path, shot in _shots_and_defaults(storyboard):
        if shot.still:
            yield path, ("still",), shot.still.prompt
        if shot.last_still:
            yield path, ("last_still",), shot.last_still.prompt
        if isinstance(shot, Shot):
            yield path, ("action",), shot.action
            if shot.edit:
                yield path, ("edit", "instruction"), shot.edit.instruction
        yield path, ("camera", "angle"), shot.camera.angle
        yield path, ("camera", "lens"), shot.camera.lens
        for number, line in enumerate(shot.dialogue):
            yield path, ("dialogue", number, line.speaker), line.line
            yield path, ("dialogue", number, "delivery"), line.delivery


def _slates(storyboard: Storyboard) -> Iterator[Problem]:
    shots = [(path, shot.shot) for path, shot in storyboard.placed_shots]
    scenes: list[tuple[KeyPath, str]] = [(("scenes", n), scene.scene) for n, scene in enumerate(storyboard.scenes)]
    for what, key, named in (("slate", "shot", shots), ("scene", "scene", scenes)):
        first: dict[str, KeyPath] = {}
        for path, name in named:
            if (before := first.setdefault(name, path)) is not path:
                line = storyboard.where(*before, key).line
                where = storyboard.where(*path, key)
                yield Problem(where, f"the {what} `{name}` is taken, first in line {line}", "give it a name of its own")


def _chains(storyboard: Storyboard) -> Iterator[Problem]:
    """`continues` or `edit` that names no other shot, or leads in a circle."""
    upstream = {shot.shot: shot.upstream for shot in reversed(storyboard.all_shots)}
    edits = {shot.shot for shot in storyboard.all_shots if shot.edits_another}
    finished: set[str] = set()
    for slate, target in reversed(upstream.items()):
        if target is None:
            continue
        key = "edit" if slate in edits else "continues"
        where = storyboard.where_shot(slate, key)
        if target == slate:
            yield Problem(where, f"shot {slate} continues itself", "name the shot before it")
        elif target not in upstream:
            verb = "edit" if slate in edits else "continue"
            yield Problem(where, f"there is no shot `{target}` to {verb}", suggestion(target, upstream))
        elif cycle := _cycle(slate, upstream, finished):
            links = (*cycle, cycle[0]) if len(cycle) <= 8 else (*cycle[:4], "…", cycle[-1], cycle[0])
            circle = " → ".join(links)
            where = storyboard.where_shot(cycle[0], "edit" if cycle[0] in edits else "continues")
            verb = "continue or edit" if edits & set(cycle) else "continue"
            hint = f"one of them must not {verb} another"
            yield Problem(where, f"these shots {verb} each other in a circle: {circle}", hint)


def _cycle(slate: str, upstream: dict[str, str | None], finished: set[str]) -> list[str]:
    """The cycle that `continues` leads into from a shot; empty if there is none, or it was found before."""
    walked: dict[str, int] = {}
    here: str | None = slate
    while here is not None and here in upstream and here not in finished:
        if here in walked:
            cycle = list(walked)[walked[here] :]
            finished.update(walked)
            return cycle if len(cycle) > 1 else []
        walked[here] = len(walked)
        here = upstream[here]
    finished.update(walked)
    return []


def _services(storyboard: Storyboard) -> Iterator[Problem]:
    """The order of services. Whether they are installed is checked when a run is planned."""
    for path, shot in _shots_and_defaults(storyboard):
        if shot.providers:
            yield from _order_of_services(storyboard, path, shot)
        if shot.stills.providers:
            yield from _order_of_services(storyboard, (*path, "stills"), shot.stills)


def _order_of_services(storyboard: Storyboard, path: KeyPath, section: ShotDefaults | Stills) -> Iterator[Problem]:
    if {"provider", "providers"} <= section.model_fields_set:
        hint = "keep `providers`, which may name one service too"
        yield Problem(storyboard.where(*path, "provider"), "`provider` and `providers` mean the same", hint)
    for number, service in enumerate(section.providers):
        where = storyboard.where(*path, "providers", number)
        if service in section.providers[:number]:
            yield Problem(where, f"`{service}` is named twice", "once is enough")
        elif service == FREE and number < len(section.providers) - 1:
            yield Problem(where, f"no service after `{FREE}` is ever tried: it draws every shot", "write it last")


def _draft(storyboard: Storyboard) -> Iterator[Problem]:
    """A draft that is not less than its film. Whether a service can make it is checked when a run is planned."""
    draft, own = storyboard.draft, storyboard.format.resolution
    if draft is None:
        return
    sizes = get_args(Resolution)
    if draft.resolution is not None and sizes.index(draft.resolution) > sizes.index(own):
        where = storyboard.where("draft", "resolution")
        message = f"the draft is larger than the film, which has {own}"
        yield Problem(where, message, "choose a smaller size, or leave it out")
    elif draft.resolution in (None, own) and draft.provider is None and draft.model is None:
        hint = "give it another `provider`, another `model` or a smaller `resolution`"
        yield Problem(storyboard.where("draft"), "the draft is the same as the film", hint)


def _shots(storyboard: Storyboard, altered: Set[str]) -> Iterator[Problem]:
    """Keys of a shot that contradict each other."""
    is_spoken = storyboard.speech is not None and storyboard.speech.dialogue
    for path, shot in storyboard.placed_shots:
        if shot.shot in altered:
            continue
        if shot.circled is not None and shot.circled > shot.all_takes:
            message = f"take {shot.circled} is circled, but {there_are(shot.all_takes)}"
            yield Problem(storyboard.where(*path, "circled"), message, "circle one of them, or make more `takes`")
        if shot.continues is not None and shot.first_frame is not None:
            message = "a shot that continues another begins with its last frame, not with a picture"
            yield Problem(storyboard.where(*path, "first_frame"), message, "keep `continues` or `first_frame`")
        if shot.last_frame is not None and not shot.begins_with_picture:
            message = f"shot {shot.shot} has a picture to end with and none to begin with"
            yield Problem(storyboard.where(*path, "last_frame"), message, "add `still`, `first_frame` or `continues`")
        if shot.still or shot.last_still:
            yield from still_problems(storyboard, path, shot)
        if shot.pad:
            yield from pad_problems(storyboard, path, shot)
        recorded = [number for number, line in enumerate(shot.dialogue) if line.sound]
        if recorded and shot.sound is not None:
            where = storyboard.where(*path, "dialogue", recorded[0], "sound")
            message = "the shot has a recording of its own, and so has this line"
            yield Problem(where, message, "keep the shot's `sound`, or those of its lines")
        elif recorded and len(recorded) < len(shot.dialogue) and not is_spoken:
            number = next(n for n in range(len(shot.dialogue)) if n not in recorded)
            message = "this line has no recording, and another line of the shot has one"
            hint = "give each line its `sound`, or all of them one as the shot's"
            yield Problem(storyboard.where(*path, "dialogue", number), message, hint)
        if shot.edit:
            yield from _edit(storyboard, path, shot, shot.edit)
        if shot.transition.type == "cut" and shot.transition.duration is not None:
            where = storyboard.where(*path, "transition", "duration")
            yield Problem(where, "a cut takes no time", "remove its `duration`, or make it a dissolve or a fade")
        if shot.mode is not None:
            yield from _mode(storyboard, path, shot)


def _edit(storyboard: Storyboard, path: KeyPath, shot: Shot, edit: TakeEdit) -> Iterator[Problem]:
    for key in ("continues", "first_frame", "last_frame") if shot.edits_another else ():
        if getattr(shot, key) is not None:
            message = f"shot {shot.shot} is made of a take of {edit.of}, and begins and ends as that does"
            yield Problem(storyboard.where(*path, key), message, f"keep `{key}` or `edit`")
    of = next((one for one in storyboard.all_shots if one.shot == shot.upstream), None) if shot.edits_another else shot
    has = (of.takes if of is shot else of.all_takes) if of else 0
    if of and edit.take is not None and edit.take > has:
        message = f"take {edit.take} of {of.shot} is edited, but there are {has}"
        yield Problem(storyboard.where(*path, "edit", "take"), message, "name one of them, or make more `takes`")
    if shot.edits_another and edit.takes > 1:
        message = f"the takes of shot {shot.shot} are all edits of {edit.of}"
        yield Problem(storyboard.where(*path, "edit", "takes"), message, "write `takes` at the shot, not in its `edit`")


def _mode(storyboard: Storyboard, path: KeyPath, shot: Shot) -> Iterator[Problem]:
    where = storyboard.where(*path, "mode")
    if shot.mode is Mode.EDIT:
        yield Problem(where, f"{Mode.EDIT} is the mode of edits alone", "remove it, and write `edit: {instruction: …}`")
    if shot.mode is Mode.STILL:
        yield Problem(where, f"{Mode.STILL} is the mode of pictures alone", "remove it, and write `still: true`")
    if shot.mode is Mode.SPEECH:
        yield Problem(where, f"{Mode.SPEECH} is the mode of spoken lines alone", "remove it")
    if shot.mode is Mode.IMAGE and not shot.begins_with_picture:
        yield Problem(where, "image-to-video needs an image to begin with", "add `still`, `first_frame` or `continues`")
    # Unknown names are reported by _names, and have no references to look up.
    known = set(shot.cast) <= set(storyboard.cast) and (not shot.location or shot.location in storyboard.locations)
    if shot.mode is Mode.REFERENCE and known and not storyboard.has_references(shot):
        message = "reference-to-video needs references, and nothing seen in this shot has any"
        yield Problem(where, message, "add `references` to the shot, its cast or its location")


def _sources(storyboard: Storyboard) -> Iterator[Problem]:
    inspector = SourceChecker(storyboard.resolve, storyboard.confined_to)
    for path, source, kind in _all_sources(storyboard):
        if wrong := inspector.wrong_with(source, kind):
            yield Problem(storyboard.where(*path), *wrong)


def local_sources(storyboard: Storyboard) -> list[str]:
    """The local files that a storyboard names, as written, sorted, each once."""
    return sorted({source for _, source, _ in placed_sources(storyboard)})


def placed_sources(storyboard: Storyboard) -> Iterator[tuple[Position, str, SourceKind]]:
    """Each mention of a local file: its position, the file as written, and what it must be."""
    for path, source, kind in _all_sources(storyboard):
        if not is_remote(source):
            yield storyboard.where(*path), source, kind


def _all_sources(storyboard: Storyboard) -> Iterator[tuple[KeyPath, str, SourceKind]]:
    for name, member in storyboard.cast.items():
        yield from _references(("cast", name), member.references)
        if member.voice is not None:
            yield ("cast", name, "voice"), member.voice, SourceKind.VOICE
    for name, location in storyboard.locations.items():
        yield from _references(("locations", name), location.references)
    for path, shot in _shots_and_defaults(storyboard):
        yield from _references(path, shot.references)
        if shot.first_frame is not None:
            yield (*path, "first_frame"), shot.first_frame, SourceKind.IMAGE
        for number, picture in enumerate(shot.edit.references if isinstance(shot, Shot) and shot.edit else ()):
            yield (*path, "edit", "references", number), picture, SourceKind.IMAGE
        if shot.last_frame is not None:
            yield (*path, "last_frame"), shot.last_frame, SourceKind.IMAGE
        if shot.grade and shot.grade.lut:
            yield (*path, "grade", "lut"), shot.grade.lut, SourceKind.LUT
        if shot.sound is not None:
            yield (*path, "sound"), shot.sound, SourceKind.SOUND
        for number, line in enumerate(shot.dialogue):
            if line.sound is not None:
                yield (*path, "dialogue", number, "sound"), line.sound, SourceKind.SOUND
        for number, over in enumerate(shot.narration):
            if over.sound is not None:
                yield (*path, "narration", number, "sound"), over.sound, SourceKind.SOUND
    for number, music in enumerate(storyboard.music):
        yield ("music", number, "file"), music.file, SourceKind.MUSIC
    for path, ambience in placed_ambience(storyboard):
        yield (*path, "file"), ambience.file, SourceKind.MUSIC
    if storyboard.format.font is not None:
        yield ("format", "font"), storyboard.format.font, SourceKind.FONT
    if storyboard.lettering.font is not None:
        yield ("lettering", "font"), storyboard.lettering.font, SourceKind.FONT


def _references(path: KeyPath, references: Iterable[Reference]) -> Iterator[tuple[KeyPath, str, SourceKind]]:
    for number, reference in enumerate(references):
        kind = SourceKind.VIDEO if reference.is_video else SourceKind.IMAGE
        yield (*path, "references", number, kind.name.lower()), reference.source, kind


def _cut(storyboard: Storyboard, altered: Set[str]) -> Iterator[Problem]:
    cut, found = checked_cut(storyboard)
    yield from (wrong.problem for wrong in found if not wrong.shots & altered)
    known = cut if not altered else None
    yield from problems_of_times(storyboard, known)
    yield from rate_problems(storyboard, known) if known else ()


def problems_of_times(storyboard: Storyboard, cut: Cut | None) -> Iterator[Problem]:
    """Times of sounds and of words that are not in the film; without its `cut` those that need no lengths of shots."""
    yield from sound_problems(storyboard, cut)
    yield from words_problems(storyboard, cut.frames if cut else None)
