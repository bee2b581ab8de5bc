"""Makes the deliverables of a film whose takes are all made, one after the other: conforms, mixes, lays over, joins.

All pieces are in the house cache under keys of their own, so a changed shot makes only its own again. A picture that is
that of the film is not encoded again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Hashable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

from prefect import get_run_logger

from storyreel.flows.names import shot_tags
from storyreel.flows.planning.finishing.deliverables import PlannedDeliverable
from storyreel.flows.planning.finishing.film_sound import sound_of_plan
from storyreel.flows.planning.finishing.subtitles import tracks_of_plan
from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.takes.upstream import anchor_of
from storyreel.flows.production.credentials import Joined, signing_of
from storyreel.flows.production.deliverables.retimed import Retimer
from storyreel.flows.production.finish import FilmFinisher
from storyreel.flows.production.finished import conforming_of
from storyreel.flows.production.outcomes import MadeTake
from storyreel.flows.production.report import RenderedDeliverable
from storyreel.flows.production.text.overlays import FilmOverlays
from storyreel.flows.production.text.subtitles import tracks_in_file, write_own_subtitles
from storyreel.flows.production.text.words import subtitles_over, words_over
from storyreel.specs.cut import EditPoints, Event, edit_points
from storyreel.specs.derived.deliverable import film_as, offered_languages, shown_languages, soft_languages
from storyreel.specs.errors import StoryreelError
from storyreel.specs.language.finishing.deliverables import Centre
from storyreel.specs.language.slates import owner_of
from storyreel.tasks.assemble import assemble
from storyreel.tasks.conform import conform
from storyreel.tasks.dissolve import dissolve
from storyreel.tasks.join.assemble import Composition, range_of_body, range_of_dissolve
from storyreel.tasks.join.conform import HouseClip
from storyreel.tasks.join.dissolve import DissolveClip
from storyreel.tasks.join.overlay import OverlaidClip
from storyreel.tasks.join.recording import LaidSound
from storyreel.tasks.media.house_format import HouseFormat, house_signature
from storyreel.tasks.media.shape.framing import Framing
from storyreel.tasks.media.text.typefaces import Fonts
from storyreel.tasks.progress import report_stage
from storyreel.tasks.request.board import own_font
from storyreel.tasks.request.build import given_frames
from storyreel.tasks.settings import Settings
from storyreel.tasks.storage.disk import DiskError, is_of_disk
from storyreel.tasks.studio import Studio

Result = TypeVar("Result")


async def make_deliverables(
    finisher: FilmFinisher,
    studio: Studio,
    note: Callable[[Sequence[RenderedDeliverable]], Awaitable[object]],
    held_back: Collection[str] = (),
) -> tuple[list[RenderedDeliverable], dict[str, str]]:
    """The deliverables that the plan makes, delivered, and the reasons for those that could not be made, by name.

    Those that are `held_back` lack takes of their own. `note` is called with all that are made so far after each, so
    that the manifest lists what is there if the run ends before the next one.
    """
    made: list[RenderedDeliverable] = []
    failed: dict[str, str] = {}
    for number, planned in enumerate(finisher.plan.deliverables, 1):
        if not planned.is_made or planned.name in held_back:
            continue
        maker = _DeliverableMaker(finisher, planned, number, studio)
        try:
            rendered = await maker.make()
            await asyncio.to_thread(finisher.delivery.deliver_files, rendered.files)
            await note([*made, rendered])
        except (StoryreelError, OSError) as error:
            if isinstance(error, OSError) and not is_of_disk(error):
                raise
            told = DiskError.of(error) if isinstance(error, OSError) else error
            failed[planned.name] = "; ".join(filter(None, (told.message, told.hint)))
            report_stage("", number, "failed", detail=failed[planned.name])
            get_run_logger().warning("deliverable %s: %s", planned.name, failed[planned.name])
        else:
            made.append(rendered)
            report_stage("", number, "done")
            get_run_logger().info("deliverable %s: %s", planned.name, rendered.in_words)
            if rendered.level and rendered.level.shortfall:
                get_run_logger().warning("deliverable %s: %s", planned.name, rendered.level.shortfall)
    return made, failed


def check_encoders(plan: Plan) -> None:
    """Return if ffmpeg can encode all deliverables that are made; called before anything is bought. Raises MediaError
    and SettingsError."""
    for planned in plan.deliverables:
        if planned.is_made:
            _ = house_of(planned).encoder_used


class _DeliverableMaker:
    """Makes one deliverable; `number` is its place among those of the film, from 1."""

    def __init__(self, finisher: FilmFinisher, planned: PlannedDeliverable, number: int, studio: Studio) -> None:
        self._finisher, self._planned, self._number, self._studio = finisher, planned, number, studio
        self._film, self._plan, self._takes = finisher.film, finisher.plan, finisher.takes
        self._cut, self._retimer = planned.cut, Retimer(self._plan.cut, planned.cut)
        self._shots = {shot.shot: shot for shot in self._film.all_shots}
        self._events = {event.shot: event for event in planned.cut.events}
        self.house = house_of(planned)
        self.task_runs = 0

    def once(self, name: Hashable, make: Callable[[], Coroutine[Any, Any, Result]]) -> asyncio.Future[Result]:
        """The future of a name within this deliverable; it is cancelled with the takes."""
        return self._takes.once(("deliverable", self._planned.name, name), make)

    async def make(self) -> RenderedDeliverable:
        """The deliverable, in the folder of the film. Raises MediaError."""
        name, written, plan = self._planned.name, self._planned.written, self._plan
        delivery = self._finisher.delivery
        report_stage("", self._number, "conforming")
        shown = await asyncio.to_thread(film_as, self._film, written)
        tracks = await asyncio.to_thread(tracks_of_plan, shown, plan)
        fonts = Fonts(own=own_font(shown))
        words = [
            *words_over(shown, plan.cut, self._planned.size, fonts),
            *subtitles_over(shown, tracks, self._planned.size, fonts),
        ]
        used = await self._takes.takes_in_cut(name)
        clips, dissolves = await self._pictures(used, has_words=bool(words))
        overlaid = await self._overlaid(clips, dissolves, FilmOverlays(self._retimer.words(words), self, self._studio))
        joined = Joined(self._cut, used, bool(overlaid), self._as_edit)
        soft = soft_languages(self._film, written)
        out = delivery.folder / "deliverables" / f"{name}{self.house.suffix}"
        self.task_runs += 1
        composition = Composition(
            self._cut,
            self.house,
            clips,
            dissolves,
            self._finisher.file_metadata(self._cut),
            overlaid=overlaid,
            sound=self._retimer.sound(sound_of_plan(shown, plan)),
            texts=self._retimer.tracks(tracks_in_file([track for track in tracks if track.language in soft])),
        )
        file = await assemble(
            composition,
            out,
            signing=await signing_of(self._film, plan, joined, self._takes, self._studio),
            fetch=partial(delivery.fetch, f"deliverables/{out.name}"),
            studio=self._studio,
            progress=lambda done: report_stage("", self._number, "joining", done),
            name=f"deliver {name}",
        )
        self._takes.task_runs += self.task_runs
        wanted = shown_languages(self._film, written)
        beside = [track for track in tracks if track.language in wanted]
        texts = await asyncio.to_thread(write_own_subtitles, out, self._film, beside, self._finisher.subtitles)
        width, height = self._planned.size
        return RenderedDeliverable(
            name=name,
            file=delivery.destination(f"deliverables/{out.name}"),
            width=width,
            height=height,
            fps=str(file.rate),
            frames=file.frames,
            codec=written.codec,
            digest=file.digest,
            level=file.level,
            subtitles=tuple(text.name for text in texts),
            languages=tuple(
                track.language for track in tracks if track.language in offered_languages(self._film, written)
            ),
            has_words=shown.burnt_in_language is not None,
        )

    @property
    def _as_edit(self) -> str:
        """The change of the film that makes the deliverable, as its credentials name it."""
        width, height = self._planned.size
        return f"made again as {width}x{height} at {self._cut.rate} frames a second, {self.house.codec}"

    async def _pictures(
        self, takes: Sequence[PlannedTake], *, has_words: bool
    ) -> tuple[list[HouseClip], Mapping[str, DissolveClip]]:
        """The clips and dissolves of the cut; the film's own, if its picture is the same."""
        if not self._planned.takes and self.house == self._takes.house and self._cut == self._plan.cut:
            clips = await self._takes.house_clips()
            if not has_words or clips[0].signature == await house_signature(self.house):
                return clips, await self._finisher.parts.dissolves(takes, clips)
        finished = 0

        async def conformed(take: PlannedTake) -> HouseClip:
            nonlocal finished
            clip = await self._conform(take)
            finished += 1
            report_stage("", self._number, "conforming", finished / len(takes))
            return clip

        clips = list(await asyncio.gather(*map(conformed, takes)))
        joins = [
            (before, after) for before, after in pairwise(zip(takes, clips, strict=True))
            if self._event(after[0]).dissolve_in
        ]  # fmt: skip
        dissolves = await asyncio.gather(*(self._dissolve(*before, *after) for before, after in joins))
        return clips, {owner_of(after[0].shot): made for (_, after), made in zip(joins, dissolves, strict=True)}

    async def _conform(self, take: PlannedTake) -> HouseClip:
        made = await self._takes.made(take)
        self.task_runs += 1
        candidate, begins = made.candidate, self._retimer.frame(take.sound_begins)
        accept = "" if made.is_damaged else await house_signature(self.house)
        how = conforming_of(self._plan, take, candidate, self.house, accept)._replace(
            edit=self._edit(take, made),
            laid=LaidSound.of(take.laid_with(candidate), candidate.request, begins),
            framing=self._framing(take),
        )
        return await conform(
            made.clip,
            how,
            self._studio,
            is_foreign=made.inspection is not None,
            name=f"conform {take.shot} for {self._planned.name}",
            tags=shot_tags(take.shot, take.scene),
            progress=lambda done: None,
        )

    def _framing(self, take: PlannedTake) -> Framing:
        """The framing of a take in the shape of the deliverable; around its middle if it was made in that shape."""
        at = Centre(x=0.5) if take.deliverable else self._shots[take.shot].frame_at
        return Framing.of(self._planned.written, self._film.format, at)

    def _edit(self, take: PlannedTake, made: MadeTake) -> EditPoints:
        """The frames of a take that are used, counted at the deliverable's rate."""
        if self._cut.rate == self._plan.cut.rate:
            return made.candidate.edit
        request, rate = made.candidate.request, self._cut.rate
        anchor = anchor_of(self._shots[owner_of(take.shot)], self._film.continued)
        given = given_frames(request.first_clip, rate)
        return edit_points(self._event(take), rate.nearest_frames(request.seconds), anchor, given)

    def _event(self, take: PlannedTake) -> Event:
        return self._events[owner_of(take.shot)]

    async def _dissolve(
        self, before: PlannedTake, outgoing: HouseClip, after: PlannedTake, incoming: HouseClip
    ) -> DissolveClip:
        self.task_runs += 1
        name = f"dissolve {before.shot} to {after.shot} for {self._planned.name}"
        frames = self._event(after).dissolve_in
        return await dissolve(outgoing, incoming, frames, self.house, self._studio, name=name)

    async def _overlaid(
        self, clips: Sequence[HouseClip], dissolves: Mapping[str, DissolveClip], overlays: FilmOverlays
    ) -> Mapping[int, OverlaidClip]:
        """The pieces with words over them, by the frame at which each begins."""
        within = f"for {self._planned.name}"
        bodies = [
            (clip, range_of_body(event, clip), f"words over {event.shot} {within}")
            for event, clip in zip(self._cut.events, clips, strict=True)
        ]
        joints = [
            (each, range_of_dissolve(self._events[shot], each), f"words over the dissolve to {shot} {within}")
            for shot, each in dissolves.items()
        ]
        return await overlays.of([*bodies, *joints])


def house_of(planned: PlannedDeliverable) -> HouseFormat:
    """The house format of a deliverable."""
    width, height = planned.size
    written = planned.written
    return HouseFormat(
        width=width,
        height=height,
        rate=planned.cut.rate,
        encoder=Settings.read().encoder,
        codec=written.codec,
        quality=written.quality or "high",
        bit_rate=written.bits_per_second,
    )
