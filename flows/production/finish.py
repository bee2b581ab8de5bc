"""Makes the film from finished takes: the sequence, and beside it manifest, timeline, subtitles and contact sheet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence, Set
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from storyreel.flows.handover.export import NotExported, write_beside
from storyreel.flows.planning.finishing.film_sound import sound_of_plan
from storyreel.flows.planning.finishing.subtitles import SubtitleTrack
from storyreel.flows.planning.model import Plan, PlannedTake, takes_by_shot
from storyreel.flows.player.films import DeliverableRecord, FilmRecord, note_film
from storyreel.flows.production import report
from storyreel.flows.production.credentials import Joined, signing_of
from storyreel.flows.production.delivery import TIMELINE, Delivery
from storyreel.flows.production.film_folder import MANIFEST
from storyreel.flows.production.film_parts import FilmParts
from storyreel.flows.production.outcomes import MadeTake
from storyreel.flows.production.report import Origin, RenderedDeliverable, Rendering
from storyreel.flows.production.takes import TakeRuns
from storyreel.flows.production.text.subtitles import text_tracks, told_subtitles, write_subtitles
from storyreel.specs.cut import Cut
from storyreel.specs.language.finishing.codecs import INTERMEDIATE
from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.assemble import assemble
from storyreel.tasks.home import Home
from storyreel.tasks.join.assemble import Composition, FilmFile
from storyreel.tasks.join.mux import Chapter, FileMetadata
from storyreel.tasks.ledger.ledger import Ledger
from storyreel.tasks.media.contact_sheet import write_pages
from storyreel.tasks.media.ffmpeg import in_thread
from storyreel.tasks.progress import report_stage
from storyreel.tasks.studio import Studio


class FilmFinisher(NamedTuple):
    """The last steps of a run whose takes are all made."""

    film: Storyboard
    plan: Plan
    takes: TakeRuns
    parts: FilmParts
    delivery: Delivery
    subtitles: Sequence[SubtitleTrack]

    async def join(self, studio: Studio) -> FilmFile:
        """Join the takes of the cut to `sequence.mp4`, with transitions, words, sound and music. Raises MediaError."""
        report_stage("", 0, "joining")
        film, plan = self.film, self.plan
        clips = await self.takes.house_clips()
        takes = await self.takes.takes_in_cut()
        dissolves = await self.parts.dissolves(takes, clips)
        overlaid = await self.parts.overlaid(clips, dissolves)
        signing = await signing_of(film, plan, Joined(plan.cut, takes, bool(overlaid)), self.takes, studio)
        self.takes.task_runs += 1
        composition = Composition(
            plan.cut,
            self.takes.house,
            clips,
            dissolves,
            self.file_metadata(plan.cut),
            overlaid=overlaid,
            sound=sound_of_plan(film, plan),
            texts=text_tracks(film, self.subtitles),
        )
        sequence = await assemble(
            composition,
            self.delivery.folder / "sequence.mp4",
            signing=signing,
            fetch=partial(self.delivery.fetch, "sequence.mp4"),
            studio=studio,
            progress=lambda done: report_stage("", 0, "joining", done),
        )
        report_stage("", 0, "done")
        return sequence

    def file_metadata(self, cut: Cut) -> FileMetadata:
        """The metadata of the film's file, or of that of a deliverable with another cut."""
        tags = self.film.metadata.tags if self.film.metadata else {}
        return FileMetadata(self.plan.name, _chapters(self.film, cut), tags)

    async def write_report(self, sequence: FilmFile, origin: Origin, studio: Studio, run: str) -> Rendering:
        """Write manifest, timeline, subtitles and contact sheet beside the sequence; `run` is the flow run's id."""
        plan = self.plan
        # A picture that is lost, and that nothing more is made of, is left out.
        made_takes = [(take, made) for take in plan.takes if (made := self.takes.finished_take(take))]
        circled = await self.takes.takes_in_cut()
        circled += [await self.takes.take_in_cut(slate) for slate in takes_by_shot(plan.in_shapes)]
        in_cut = {take.identity for take in circled}
        purchases = await studio.ask(Ledger.find_all, [made.candidate.key for _, made in made_takes])
        rendered = [
            report.rendered_take(take, made, purchases.get(made.candidate.key), in_cut) for take, made in made_takes
        ]
        rendering = Rendering(
            sequence=self.delivery.destination(sequence.path.name),
            origin=origin,
            frames=plan.cut.frames,
            fps=str(plan.cut.rate),
            seconds=plan.cut.rate.seconds(plan.cut.frames),
            shots=tuple(take for take in rendered if take.kind == "clip" and not take.deliverable),
            in_shapes=tuple(take for take in rendered if take.kind == "clip" and take.deliverable),
            stills=tuple(take for take in rendered if take.kind not in ("clip", "speech")),
            speech=tuple(take for take in rendered if take.kind == "speech"),
            flow_run=run,
            spending=await studio.ask(Ledger.spent_by, "service", run=run),
            charges=await studio.ask(Ledger.charges, run=run),
            level=sequence.level,
            signer=sequence.signer,
        )
        pages = await self.parts.pages()
        await in_thread(lambda _: self._write_beside(rendering, pages, made_takes, in_cut))
        return rendering

    async def add_deliverables(self, rendering: Rendering, home: Home, made: Sequence[RenderedDeliverable]) -> None:
        """Add deliverables to the manifest of a finished film, and to its record for the player."""
        whole = rendering.model_copy(update={"deliverables": tuple(made)})
        await asyncio.to_thread(self._write_manifest, whole)
        await asyncio.to_thread(self.delivery.deliver_files, [MANIFEST])
        await self.note_film(home, whole)

    async def note_film(self, home: Home, rendering: Rendering) -> FilmRecord | None:
        """Record the delivered film, and its deliverables so far, for the player. Returns None as `note_film` does."""
        made = [
            DeliverableRecord(
                name=each.name,
                place=str(each.file),
                about=each.in_words,
                is_playable=each.codec not in INTERMEDIATE,
                languages=each.languages,
                subtitles=each.subtitles,
                has_words=each.has_words,
            )
            for each in rendering.deliverables
        ]
        has_words, place = self.film.burnt_in_language is not None, str(rendering.sequence)
        told = (rendering.flow_run, self.plan.name, place, self.film.languages, made)
        return await asyncio.to_thread(note_film, home, *told, has_words=has_words)

    def _write_manifest(self, rendering: Rendering) -> None:
        told = told_subtitles(self.film, self.subtitles)
        report.write_manifest(self.delivery.folder, self.plan, rendering, told)

    def _write_beside(
        self, rendering: Rendering, pages: Sequence[bytes], made: Sequence[tuple[PlannedTake, MadeTake]],
        in_cut: Set[str],
    ) -> None:  # fmt: skip
        plan, folder = self.plan, self.delivery.folder
        self._write_manifest(rendering)
        write_subtitles(folder, self.film, self.subtitles)
        as_made = tuple(
            take.model_copy(update={"chosen": each.candidate, "circled": take.identity in in_cut})
            for take, each in made
        )
        clips = {each.candidate.key: (each.clip.path, each.inspection) for take, each in made if take.kind == "clip"}
        with suppress(NotExported):  # the film itself is there
            write_beside(self.film, plan.model_copy(update={"takes": as_made}), clips, folder / TIMELINE)
        write_pages(pages, folder / report.CONTACT_SHEET)


def _chapters(film: Storyboard, cut: Cut) -> list[Chapter]:
    """One chapter for each scene; else for each shot, named by its slate or the words of its card."""
    events = {event.shot: event for event in cut.events}
    if not film.scenes:
        names = {shot.shot: " ".join(shot.action.split()) if shot.is_card else shot.shot for shot in film.all_shots}
        return [Chapter(event.start, event.end, names[event.shot]) for event in cut.events]
    spans = [(scene, events[scene.shots[0].shot], events[scene.shots[-1].shot]) for scene in film.scenes]
    return [Chapter(first.start, last.end, f"{scene.scene} {scene.heading}".strip()) for scene, first, last in spans]
