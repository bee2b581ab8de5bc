"""Finds the takes of a film and writes its cut for an editor, with copies of the media if they are to be collected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Literal, get_args
from urllib.parse import quote

from storyreel.flows.handover.collect import collected
from storyreel.flows.handover.edl import write_edl
from storyreel.flows.handover.fcpxml import write_fcpxml
from storyreel.flows.handover.timeline import Media, Timeline, timeline_of
from storyreel.flows.planning.finishing.film_sound import sound_of_plan
from storyreel.flows.planning.history import open_history
from storyreel.flows.planning.model import Plan, PlannedTake, takes_by_shot
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.takes.made import stored_clip, wanted_of
from storyreel.specs.errors import StoryreelError
from storyreel.specs.problems.phrases import listed, shown
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.timing import Duration
from storyreel.tasks.inspection.examine import facts_of
from storyreel.tasks.inspection.inspect import Inspection, best_take, inspect_clip
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.request.attachments import STILL
from storyreel.tasks.request.local_files import LocalFileChecks
from storyreel.tasks.storage.files import replacing, write_whole
from storyreel.tasks.threads import in_own_thread

Form = Literal["otio", "edl", "fcpxml", "fcp7", "aaf"]
FORMS: tuple[Form, ...] = get_args(Form)
_ENDINGS: Mapping[Form, str] = {"fcp7": "xml"}
MEDIA = "media"
"""The folder beside a timeline in which its media are collected."""


class NotExported(StoryreelError):
    """The film cannot be written in this form."""


def file_name(form: Form) -> str:
    """The name of a film's timeline: `sequence.otio`."""
    return f"sequence.{_ENDINGS.get(form, form)}"


def form_of(file: Path) -> Form:
    """The form that a file's name ends with; `otio` for a name without an ending. Raises ValueError for others."""
    ending = file.suffix.lower().removeprefix(".")
    if not ending:
        return "otio"
    if found := next((form for form in FORMS if ending in (form, _ENDINGS.get(form))), None):
        return found
    endings = listed([f".{_ENDINGS.get(form, form)}" for form in FORMS])
    raise ValueError(f"no form of a timeline ends with `{shown(file.suffix)}`; end it with {endings}, or give --to")


async def film_timeline(planner: Planner, start: Duration | None = None) -> Timeline:
    """The timeline of a film as it is planned now, with the files of the takes that are made; paid ones are inspected.

    `start` is the timecode of its first frame. Raises StoryboardError, BucketError, and ValueError for a timecode that
    the film's rate does not have.
    """
    plan, files = await in_own_thread(lambda: _look_up(planner))
    first = start.frames(plan.format.fps) if start else 0
    made = [take for take in plan.clips if take.key in files]
    inspections = await _inspections(planner, plan, made, files)
    return await asyncio.to_thread(
        lambda: timeline_of(
            planner.film,
            _with_best(plan, inspections),
            _media({take.key: (files[take.key], inspections.get(take.key)) for take in made}),
            sounds_of(planner.film, plan),
            first,
        )
    )


def write_beside(film: Storyboard, plan: Plan, made: Mapping[str, tuple[Path, Inspection | None]], into: Path) -> None:
    """Write the timeline of a film that was just made; `made` are the clips of its takes, by key.

    Raises OSError, and NotExported where OpenTimelineIO is missing.
    """
    write_timeline(timeline_of(film, plan, _media(made), sounds_of(film, plan)), "otio", into)


def sounds_of(film: Storyboard, plan: Plan) -> dict[Path, Media]:
    """The sound files of a film, by their paths; without those that cannot be read."""
    recordings = (Path(each.source) for take in plan.clips for each in take.recordings if each.source)
    lines = {Path(plan.heard[take.shot].source): take.shot for take in plan.speech if take.shot in plan.heard}
    rate, checks = plan.format.fps.exact, LocalFileChecks()
    found = {}
    for file in dict.fromkeys((*recordings, *(layer.file for layer in sound_of_plan(film, plan).layers))):
        if seconds := checks.seconds(file, "sound"):
            found[file] = Media(file=file, seconds=seconds, rate=rate, name=lines.get(file, ""))
    return found


def _media(made: Mapping[str, tuple[Path, Inspection | None]]) -> dict[str, Media]:
    """The facts of the takes' files, by key; without those of which nothing can be decoded, which are kept anyway."""
    found = {}
    for key, (clip, inspection) in made.items():
        with suppress(MediaError):
            facts = facts_of(clip)
            found[key] = Media(
                file=clip, seconds=facts.seconds, rate=facts.rate, size=facts.shown_size, has_sound=facts.has_sound,
                findings=tuple(finding.detail for finding in inspection.findings) if inspection else (),
            )  # fmt: skip
    return found


def write_timeline(timeline: Timeline, form: Form, into: Path, *, collect: bool = False) -> None:
    """Write a timeline to the file `into`; with `collect`, its media are copied beside it and named by relative paths.

    Raises NotExported, and OSError if a file cannot be copied or written.
    """
    into = into.absolute()
    if collect:
        timeline = collected(timeline, into.parent / MEDIA)

    def url_of(file: Path) -> str:
        if file.is_relative_to(into.parent):
            return quote(file.relative_to(into.parent).as_posix())
        return file.as_uri()

    into.parent.mkdir(parents=True, exist_ok=True)
    try:
        if form in _WRITERS:
            write_whole(into, _WRITERS[form](timeline, url_of))
            return
        with replacing(into) as fresh:
            _otio().write_with_adapter(timeline, form, fresh)
    except (ValueError, LookupError) as error:
        raise NotExported(
            f"the film cannot be written as {form}: {error}", hint="name another form with --to"
        ) from error


def _otio() -> ModuleType:
    """The module that needs OpenTimelineIO, imported when it is used: a run has other things to do first."""
    try:
        return import_module("storyreel.flows.handover.otio")
    except ImportError as missing:
        hint = "install the package `opentimelineio`, or name another form"
        raise NotExported(f"OpenTimelineIO cannot be used: {missing}", hint=hint) from missing


_WRITERS: Mapping[str, Callable[[Timeline, Callable[[Path], str]], str]] = {
    "otio": lambda timeline, url_of: str(_otio().write_otio(timeline, url_of)),
    "edl": lambda timeline, _: write_edl(timeline),
    "fcpxml": write_fcpxml,
}


def _look_up(planner: Planner) -> tuple[Plan, dict[str, Path]]:
    with open_history(planner.home) as history:
        plan = planner.plan(history)
        purchases = history.purchases([take.key for take in plan.takes])
    clips = planner.home.clips()
    return plan, {take.key: clip for take in plan.takes if (clip := stored_clip(take, purchases, clips))}


async def _inspections(
    planner: Planner, plan: Plan, made: Sequence[PlannedTake], files: Mapping[str, Path]
) -> dict[str, Inspection]:
    """The inspections of the takes that were paid, by key, as their runs had them."""
    clips, rate = planner.home.clips(), plan.format.fps
    pictures = {f"{STILL}{take.identity}": files[take.key] for take in plan.pictures if take.key in files}
    found = {}
    for take in made:
        if not take.chosen.is_free:
            with suppress(MediaError):
                wanted = wanted_of(take, rate, pictures)
                found[take.key] = await inspect_clip(files[take.key], take.request, wanted, clips)
    return found


def _with_best(plan: Plan, inspections: Mapping[str, Inspection]) -> Plan:
    """The plan with the best take of a shot circled where none is and all are made."""
    best = set()
    for takes in takes_by_shot(plan.clips).values():
        seen = [inspections[take.key] for take in takes if take.key in inspections]
        if not any(take.circled for take in takes) and len(seen) == len(takes):
            best.add(takes[best_take(seen)].key)
    chosen = (take.model_copy(update={"circled": take.circled or take.key in best}) for take in plan.takes)
    return plan.model_copy(update={"takes": tuple(chosen)})
