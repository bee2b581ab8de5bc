"""The film from its takes: they are joined, and what a run leaves beside the sequence is written."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from storyreel.flows.planning.model import Plan
from storyreel.flows.production import report
from storyreel.flows.production.delivery import Delivery
from storyreel.flows.production.report import Origin, Rendering
from storyreel.flows.production.takes import Shooting
from storyreel.specs.cut import Cut
from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.assemble import assemble
from storyreel.tasks.join.assemble import FilmFile
from storyreel.tasks.join.mix import MusicTrack
from storyreel.tasks.join.mux import Chapter
from storyreel.tasks.ledger.ledger import Ledger
from storyreel.tasks.media.contact_sheet import contact_sheet
from storyreel.tasks.media.ffmpeg import in_thread
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.progress import report_stage


class Finishing(NamedTuple):
    """The end of a run whose takes are all there."""

    film: Storyboard
    plan: Plan
    shooting: Shooting
    way_out: Delivery

    async def join(self) -> FilmFile:
        """The finished clips, one after the other, with their transitions, their sound and the music."""
        report_stage("", 0, "joining")
        film, plan, shooting = self.film, self.plan, self.shooting
        clips = await shooting.house_clips()
        dissolves = await shooting.dissolves(clips)
        rate, frames = plan.cut.rate, plan.cut.frames
        shooting.task_runs += 1
        master = await assemble(
            plan.cut,
            clips,
            dissolves,
            HouseFormat.of(plan.format),
            self.way_out.folder / "sequence.mp4",
            title=plan.title,
            music=[MusicTrack.of(music, Path(film.resolve(music.file)), rate, frames) for music in film.music],
            spoken={shot.shot for shot in film.all_shots if shot.dialogue},
            chapters=_chapters(film, plan.cut),
            progress=lambda done: report_stage("", 0, "joining", done),
        )
        report_stage("", 0, "done")
        return master

    async def leave(self, master: FilmFile, origin: Origin, ledger: Ledger, run: str) -> Rendering:
        """Write manifest, subtitles and contact sheet beside the sequence; `run` is the flow run."""
        plan, shooting, folder = self.plan, self.shooting, self.way_out.folder
        made_takes = [(take, await shooting.made(take)) for take in plan.takes]
        in_cut = {take.identity for take in await shooting.in_cut()}
        purchases = ledger.find_all([made.way.key for _, made in made_takes])
        takes = [report.rendered(take, made, purchases.get(made.way.key), in_cut) for take, made in made_takes]
        made = report.rendering(plan, origin, takes, self.way_out.place(master.path.name), run)
        report.write_manifest(folder, plan, made)
        report.write_subtitles(folder, self.film, plan.cut)
        sheet = folder / report.CONTACT_SHEET
        await in_thread(
            lambda progress: contact_sheet(master.path, plan.cut, sheet, title=plan.title, progress=progress)
        )
        return made


def _chapters(film: Storyboard, cut: Cut) -> list[Chapter]:
    """A chapter a scene; in a film without scenes, a chapter a shot."""
    events = {event.shot: event for event in cut.events}
    if not film.scenes:
        return [Chapter(event.start, event.end, event.shot) for event in cut.events]
    spans = [(scene, events[scene.shots[0].shot], events[scene.shots[-1].shot]) for scene in film.scenes]
    return [Chapter(a.start, z.end, f"{scene.scene} {scene.heading}".strip()) for scene, a, z in spans]
