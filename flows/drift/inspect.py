"""Measures the shots of a film that are made, scene by scene, as the film shows them."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unicodedata import normalize

from storyreel.flows.drift.compare import Difference, as_json, as_yaml, of_scene
from storyreel.flows.drift.framing import ShotFraming, framed_frame, framing_of
from storyreel.flows.planning.history import open_history
from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.planner import Planner
from storyreel.flows.terminal import Column, Row, Terminal, print_rows, styled
from storyreel.specs.errors import StoryreelError
from storyreel.specs.frozen import Frozen
from storyreel.specs.language.grade import Grade
from storyreel.specs.problems.phrases import abridged, listed, suggestion
from storyreel.tasks.inspection.colour_page import ShownScene, ShownShot, draw_colour_pages, write_colour_pages
from storyreel.tasks.inspection.colours import ShotColours, ShownColours, measure_colours
from storyreel.tasks.media.text.typefaces import Fonts
from storyreel.tasks.request.board import own_font
from storyreel.tasks.storage.clips import Clip, ClipStore

_AT_ONCE = 8
"""Shots that are measured at the same time; ffmpeg runs for fewer."""


class NothingToInspect(StoryreelError):
    """No shot of a film has a clip."""


class InspectedShot(Frozen):
    """A shot, its colours, and how they differ from its scene."""

    shot: str
    take: int
    colours: ShotColours
    difference: Difference
    proposal: Grade | None
    frame: bytes
    """From its middle, as JPEG."""
    framing: ShotFraming | None = None
    """The parts of it that deliverables of another shape keep; None if none cuts it."""

    @property
    def numbers(self) -> str:
        """`42 %, 5200 K, 18 %`: brightness, light and saturation."""
        return f"{100 * self.colours.luma:.0f} %, {self.colours.kelvin} K, {100 * self.colours.saturation:.0f} %"

    def as_json(self) -> dict[str, Any]:
        """A shot of `inspect --json`."""
        return {
            "shot": self.shot,
            "take": self.take,
            "luma": round(self.colours.luma, 4),
            "kelvin": self.colours.kelvin,
            "saturation": round(self.colours.saturation, 4),
            "stops": round(self.difference.stops, 3),
            "warmth": round(self.difference.warmth, 3),
            "saturation_stops": round(self.difference.saturation, 3),
            "differs": self.difference.in_words,
            "proposal": as_json(self.proposal) if self.proposal else None,
            **({"framing": self.framing.as_json()} if self.framing else {}),
        }


class InspectedScene(Frozen):
    """A scene, or all of a film without scenes."""

    scene: str
    """Its number; empty in a film without scenes."""
    heading: str
    like: str
    """The slate of the shot that all are compared with; empty if that is the median of all."""
    shots: tuple[InspectedShot, ...]

    @property
    def name(self) -> str:
        """`scene 1, INT. LAMP ROOM`."""
        return ", ".join(filter(None, (f"scene {self.scene}" if self.scene else "the film", self.heading)))


class InspectedFilm(Frozen):
    """The colours of a film."""

    title: str
    scenes: tuple[InspectedScene, ...]
    unmade: tuple[str, ...]
    """The slates of the shots whose clips are not in the store."""
    drawn: tuple[str, ...]
    """The slates of the drawn shots, which are not compared with clips."""
    pictures: tuple[Path, ...]
    """The files with a frame of each shot."""
    framing_pictures: tuple[Path, ...] = ()
    """The files with what is kept of each shot that a deliverable cuts."""

    @property
    def shots(self) -> tuple[InspectedShot, ...]:
        """The shots of all scenes."""
        return tuple(shot for scene in self.scenes for shot in scene.shots)

    @property
    def framed(self) -> tuple[InspectedShot, ...]:
        """The shots that a deliverable cuts."""
        return tuple(shot for shot in self.shots if shot.framing)

    @property
    def proposals(self) -> tuple[InspectedShot, ...]:
        """The shots that differ from their scenes."""
        return tuple(shot for shot in self.shots if shot.proposal)

    def as_json(self) -> dict[str, Any]:
        """The form that `inspect --json` prints."""
        return {
            "title": self.title,
            "scenes": [
                {
                    "scene": scene.scene,
                    "heading": scene.heading,
                    "like": scene.like or None,
                    "shots": [shot.as_json() for shot in scene.shots],
                }
                for scene in self.scenes
            ],
            "unmade": list(self.unmade),
            "drawn": list(self.drawn),
            "pictures": [str(file) for file in self.pictures],
            **({"framing_pictures": [str(file) for file in self.framing_pictures]} if self.framing_pictures else {}),
        }


async def inspect_film(planner: Planner, picture: Path, like: str | None = None) -> InspectedFilm:
    """Measure the takes in the cut that are made, and write the pictures. With `like` all are compared with that shot.

    Raises NothingToInspect, LookupError if `like` is no shot that is measured, StoryboardError, MediaError and
    BucketError.
    """
    plan, clips = await asyncio.to_thread(_made, planner)
    shots = [take for take in plan.circled if not take.chosen.is_card]
    made = [take for take in shots if take.shot in clips]
    drawn = [take for take in made if take.request.board]
    # A drawing says nothing of the colours of a clip.
    measured = [take for take in made if not take.request.board] or made
    if not measured:
        command = shlex.join(["storyreel", "render", planner.film.where().file])
        raise NothingToInspect(f"no clip of {plan.name} is made yet", hint="make the film first", next=command)
    slate = _measured_slate(measured, like) if like else ""
    rate = plan.cut.rate
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def measure(take: PlannedTake) -> ShownColours:
        async with at_once:
            return await measure_colours(clips[take.shot].path, take.edit, rate, take.grading)

    shown = await asyncio.gather(*map(measure, measured))
    found = {take.shot: one for take, one in zip(measured, shown, strict=True)}
    scenes = [
        _scene(planner, [take for take in measured if take.scene == scene], found, slate)
        for scene in dict.fromkeys(take.scene for take in measured)
    ]
    fonts = Fonts(own=own_font(planner.film))
    framed = [_with_framing(scene) for scene in scenes if any(shot.framing for shot in scene.shots)]
    return InspectedFilm(
        title=plan.name,
        scenes=tuple(scenes),
        unmade=tuple(take.shot for take in shots if take.shot not in clips),
        drawn=tuple(take.shot for take in drawn) if measured is not made else (),
        pictures=tuple(await asyncio.to_thread(_write_pictures, map(_with_colours, scenes), plan, fonts, picture)),
        framing_pictures=tuple(
            await asyncio.to_thread(_write_pictures, framed, plan, fonts, picture.with_stem(f"{picture.stem}-framing"))
        )
        if framed
        else (),
    )


def _made(planner: Planner) -> tuple[Plan, dict[str, Clip]]:
    """The plan, and the clips of the takes in the cut that are in the store, by slate."""
    store: ClipStore = planner.home.clips()
    with open_history(planner.home) as history:
        plan = planner.plan(history)
        cached = [take for take in plan.circled if take.state == "cached"]
        purchases = history.purchases([take.key for take in cached])
    digests = {take.shot: purchases[take.key].clip for take in cached if take.key in purchases}
    found = {shot: store.find(digest) for shot, digest in digests.items() if digest}
    return plan, {shot: clip for shot, clip in found.items() if clip}


def _measured_slate(takes: Sequence[PlannedTake], like: str) -> str:
    slate = normalize("NFC", like)
    known = [take.shot for take in takes]
    if slate not in known:
        hint = suggestion(slate, known, f"there are {listed(known, 'and')}")
        raise LookupError(f"there is no shot `{slate}` that is made; {hint}")
    return slate


def _scene(
    planner: Planner, takes: Sequence[PlannedTake], found: Mapping[str, ShownColours], like: str
) -> InspectedScene:
    film = planner.film
    scene = film.scene_of(takes[0].shot)
    common = found[like].colours if like else of_scene([found[take.shot].colours for take in takes])
    written = {shot.shot: shot for shot in film.all_shots}
    shots = []
    for take in takes:
        measured, shot = found[take.shot], written[take.shot]
        difference = Difference.of(measured.colours, common)
        shots.append(
            InspectedShot(
                shot=take.shot,
                take=take.take,
                colours=measured.colours,
                difference=difference,
                proposal=difference.proposal(shot.grade),
                frame=measured.frame,
                framing=None if take.request.board else framing_of(film, shot, measured.size, measured.interest),
            )
        )
    heading = scene.heading if scene else ""
    return InspectedScene(scene=takes[0].scene, heading=heading, like=like, shots=tuple(shots))


def _with_colours(scene: InspectedScene) -> ShownScene:
    shots = [ShownShot(shot.shot, shot.frame, shot.numbers, shot.difference.in_words) for shot in scene.shots]
    return ShownScene(scene.name, shots)


def _with_framing(scene: InspectedScene) -> ShownScene:
    """The shots that are cut, with what is kept of them."""
    shots = [
        ShownShot(shot.shot, framed_frame(shot.frame, shot.framing), shot.framing.in_words,
                  shot.framing.proposed_in_words)
        for shot in scene.shots if shot.framing
    ]  # fmt: skip
    return ShownScene(scene.name, shots)


def _write_pictures(scenes: Iterable[ShownScene], plan: Plan, fonts: Fonts, into: Path) -> list[Path]:
    width, height = plan.format.size
    return write_colour_pages(draw_colour_pages(list(scenes), width / height, plan.name, fonts), into)


_COLUMNS = (
    Column("shot"), Column("brightness", "right"), Column("light", "right"), Column("saturation", "right"),
    Column("against its scene", is_text=True),
)  # fmt: skip

_FRAMING_COLUMNS = (Column("shot"), Column("kept", is_text=True), Column("more around", is_text=True))


def print_drift(console: Terminal, film: InspectedFilm) -> None:
    """Print a table a scene, one of what deliverables keep, and what is proposed as YAML."""
    for scene in film.scenes:
        rows = [
            Row((shot.shot, *shot.numbers.split(", "), shot.difference.in_words or "alike")) for shot in scene.shots
        ]
        print_rows(console, _COLUMNS, rows, f"{scene.name}, against {scene.like}" if scene.like else scene.name)
    for what, slates in (("not made yet", film.unmade), ("drawn, and not compared with clips", film.drawn)):
        if slates:
            console.print(f"{what}: {abridged(slates)}", soft_wrap=True)
    console.print(f"a frame of each: {', '.join(map(str, film.pictures))}", soft_wrap=True)
    if film.framed:
        rows = [
            Row((shot.shot, shot.framing.in_words, shot.framing.proposed_in_words or "as it is"))
            for shot in film.framed if shot.framing
        ]  # fmt: skip
        print_rows(console, _FRAMING_COLUMNS, rows, "what deliverables of another shape keep")
        console.print(f"drawn into a frame of each: {', '.join(map(str, film.framing_pictures))}", soft_wrap=True)
    if not film.proposals:
        console.print("No shot differs from its scene so much that a grade is proposed.")
    if not (changed := [shot for shot in film.shots if shot.proposal or (shot.framing and shot.framing.proposal)]):
        return
    console.print("Proposed, to be pasted into the storyboard; nothing was changed:")
    for shot in changed:
        console.print(styled((f"  - shot: {shot.shot}", "bold")), soft_wrap=True)
        if shot.proposal:
            console.print(f"    {as_yaml(shot.proposal)}", soft_wrap=True)
        if shot.framing and shot.framing.proposal:
            centre = ", ".join(f"{axis}: {at:g}" for axis, at in shot.framing.proposal.items())
            console.print(f"    frame_at: {{{centre}}}", soft_wrap=True)
